"""A protocol to begin with: what is drawn in a plan, as a commented file that its reader fills in."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from dvhkit.jobs.read import read_case
from dvhkit.model.roi_kinds import is_body
from dvhkit.protocols.facts import StructureFact
from dvhkit.protocols.naming.organs import find_organ
from dvhkit.protocols.naming.recognise import recognise
from dvhkit.units import number_text

if TYPE_CHECKING:
    from dvhkit.model.case import Case
    from dvhkit.results.rules.names import NameRow

_HEAD = """\
# A protocol for plans like the one that it was made from. Check it with: dvhkit protocol check {file}
# Lines that begin with # do nothing: fill in a limit, say where it is from, and take the # away.
# Metrics: D95%[Gy], D2cc[Gy], V20Gy[%], V100%[%] (of the prescription), DC700cc[Gy] (coldest part), Mean[Gy], Max[Gy].
id: {id}
version: "1"
title: {title}
# site: liver
{fractions}
# Where the limits are from; a rule names the key.
# sources:
#   - {{key: Clinic2026, citation: "Our department's constraint table, version 3"}}

# Other spellings of structure names, for all rules.
{aliases}
# Rules: the first one measures what the target gets; the others wait for your limits.
rules:
"""
_TARGET_RULE = """\
  - {{id: {id}-V100, title: {title}, structure: {{name: {name}}}, metric: "V100%[%]", goal: ">= 95 %"}}
"""
_ORGAN_RULE = """\
  # - {{id: {id}, title: {title}, structure: {{name: {name}}}, metric: "{metric}", goal: "<= ? Gy",
  #    variation: "<= ? Gy", priority: 2, source: Clinic2026}}
"""
_IMAGE_RULE = """\
  - {id: CT-slices, title: "Planning CT slices at most 3 mm", property: image.slice_spacing, goal: "<= 3 mm"}
"""
_TARGET_TYPES = ("PTV", "CTV", "GTV", "ITV")


def protocol_template(path: Path | str, *, name: str) -> tuple[str, int]:
    """Return the text of a protocol for the structures drawn in a plan, and how many there are.

    The text is a protocol that can be used as it stands: it judges the coverage of targets and the image; what needs a
    limit of the reader's own is commented out.
    """
    case = read_case(path, dose="not needed")
    drawn = [s for s in case.structures if not s.is_empty]
    facts = [StructureFact(name=s.name, number=s.number, rt_roi_type=s.rt_roi_type) for s in drawn]
    rows = recognise(facts)
    text = _HEAD.format(
        file=f"{name}.yaml",
        id=_identifier(name),
        title=json.dumps(f"{name}: to be filled in"),
        fractions=_fractions(case),
        aliases=_aliases(rows),
    )
    targets = [row for row in rows if row.rt_roi_type == "PTV"]
    targets = targets or [row for row in rows if row.rt_roi_type in _TARGET_TYPES][:1]
    taken: set[str] = set()
    for row in targets:
        title = json.dumps(f"The prescription covers 95 % of {_asked(row)}", ensure_ascii=False)
        text += _TARGET_RULE.format(id=_identifier(_asked(row), taken), title=title, name=_quoted(row))
    text += _IMAGE_RULE
    for row in rows:
        if row.rt_roi_type in _TARGET_TYPES or is_body(row.roi, row.rt_roi_type) or row in targets:
            continue
        organ = find_organ(row.standard) if row.standard else None
        metric = "Mean[Gy]" if organ is not None and organ.parallel else "D0.1cc[Gy]"
        title = json.dumps(f"{metric} of {_asked(row)}", ensure_ascii=False)
        text += _ORGAN_RULE.format(id=_identifier(_asked(row), taken), title=title, name=_quoted(row), metric=metric)
    return text, len(rows)


def _asked(row: NameRow) -> str:
    return row.standard or row.roi


def _quoted(row: NameRow) -> str:
    return json.dumps(_asked(row), ensure_ascii=False)


def _identifier(name: str, taken: set[str] | None = None) -> str:
    """Return letters, digits, dashes and underscores of a name, numbered where it repeats."""
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-_") or "structure"
    stem = stem if stem[0].isalpha() else f"S-{stem}"
    unique, number = stem, 2
    while taken is not None and unique in taken:
        unique = f"{stem}-{number}"
        number += 1
    if taken is not None:
        taken.add(unique)
    return unique


def _fractions(case: Case) -> str:
    prescribed = ", ".join(dict.fromkeys(f"{number_text(p.dose_gy)} Gy" for p in case.prescriptions))
    told = f"  # the plan prescribes {prescribed}" if prescribed else ""
    return f"fractions: {case.fractions}{told}" if case.fractions else f"# fractions: 5{told}"


def _aliases(rows: tuple[NameRow, ...]) -> str:
    spelled: dict[str, list[str]] = {}
    for row in rows:
        if row.standard and row.standard != row.roi:
            spelled.setdefault(row.standard, []).append(row.roi)
    if not spelled:
        return "# aliases:\n#   SpinalCord: [Medulla, Myelon]\n"
    listed = (f"  {json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}\n" for k, v in spelled.items())
    return "aliases:\n" + "".join(listed)
