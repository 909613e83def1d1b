"""The names of a plan's structures in TG-263, and what a clinic's alias file learns from a plan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dvhkit.errors import InputError
from dvhkit.jobs.read import read_case
from dvhkit.outputs.files import write_text_whole
from dvhkit.protocols.facts import StructureFact
from dvhkit.protocols.naming.aliases import aliases_yaml, learned, load_aliases
from dvhkit.protocols.naming.placed import place_structures
from dvhkit.protocols.naming.recognise import name_findings, recognise
from dvhkit.protocols.naming.tg263 import load_tg263
from dvhkit.results.rules.names import NamesLearned, PlanNames, Recognition

if TYPE_CHECKING:
    from dvhkit.model.case import Case

Spellings = dict[str, tuple[str, ...]]


def names_of_plan(
    path: Path | str, *, aliases: Path | None = None, learn: Sequence[str] = (), tg263: Path | None = None
) -> PlanNames:
    """Return what each structure's name of a plan means in TG-263; nothing is renamed.

    Parameters
    ----------
    aliases
        The clinic's own spellings (YAML).
    learn
        Spellings to add to that file first, each ``NAME=SPELLING``.
    tg263
        A copy of AAPM's worksheet, as CSV.

    Raises
    ------
    InputError
        If a file cannot be used, or there is something to learn and no file to write it to.
    """
    if aliases is None and learn:
        raise InputError("--learn needs the file to write to.", remedy="Name it with --aliases FILE.")
    known = _taught(aliases, learn) if aliases is not None else {}
    case = read_case(path, dose="not needed")
    rows = recognise(_facts(case), known, load_tg263(tg263) if tg263 else None)
    return PlanNames(names=rows, findings=tuple(name_findings(rows, place_structures(case.structures))))


def learn_names(path: Path | str, pairs: Sequence[str], file: Path | None) -> NamesLearned:
    """Add spellings of a plan to the clinic's alias file, made where there is none; without any, nothing is written.

    Raises
    ------
    InputError
        If a spelling is the name of no structure of the plan: most likely it is mistyped. Also without a file.
    """
    if file is None:
        raise InputError("learning needs the file to write to.", remedy="Name it with --file FILE.")
    case = read_case(path, dose="not needed")
    _require_drawn(pairs, [s.name for s in case.structures])
    rows = recognise(_facts(case), _taught(file, pairs, may_be_new=True))
    meant = dict.fromkeys(text.partition("=")[0].strip() for text in pairs)
    asked = recognise([StructureFact(name=name, number=0, rt_roi_type="") for name in meant])
    return NamesLearned(
        learned=tuple((spelling.strip(), name.strip()) for name, _, spelling in (t.partition("=") for t in pairs)),
        own_names=tuple(row.roi for row in asked if row.how is Recognition.NONE),
        unknown=tuple(row for row in rows if row.how is Recognition.NONE),
        findings=tuple(name_findings(rows, ())),
    )


def _require_drawn(pairs: Sequence[str], names: Sequence[str]) -> None:
    for text in pairs:
        spelling = text.partition("=")[2].strip()
        if "=" in text and spelling not in names:
            raise InputError(
                f"no structure of the plan is called {spelling!r}.", remedy=f"Use one of {', '.join(sorted(names))}."
            )


def _facts(case: Case) -> list[StructureFact]:
    return [StructureFact(name=s.name, number=s.number, rt_roi_type=s.rt_roi_type) for s in case.structures]


def _taught(path: Path, learn: Sequence[str], *, may_be_new: bool = False) -> Spellings:
    """Return the clinic's spellings, grown by what is to be learned; the file has them then, too."""
    known = load_aliases(path) if path.exists() or not (learn or may_be_new) else {}
    for text in learn:
        name, equals, spelling = text.partition("=")
        if not equals:
            raise InputError(f"{text!r} is no NAME=SPELLING.", remedy="Write it as 'SpinalCord=Medulla'.")
        known = learned(known, name, spelling)
    if learn:
        write_text_whole(path, aliases_yaml(known))
    return known
