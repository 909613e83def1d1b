"""What `dvhkit ctv bone` and `dvhkit ctv check-bone` show in the terminal and write as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from dvhkit.outputs.text import clean

if TYPE_CHECKING:
    from dvhkit.results.targets.bone import BoneCheck, BoneCtvMade

BONE_SCHEMA = "dvhkit/ctv-bone/1"


def bone_document(made: BoneCtvMade) -> dict[str, object]:
    """Return what was made as plain values; ``written`` where a file holds it."""
    document = {"schema": BONE_SCHEMA, **asdict(made)}
    del document["name"], document["written"]
    if made.written is not None:
        document["written"] = {"path": made.written[0], "names": list(made.written[1])}
    return document


def bone_lines(made: BoneCtvMade) -> list[str]:
    """Return the volumes and margins in a line, and what a person should read."""
    beyond = "no breach, nothing beyond the bone" if made.extra_mm is None else f"{made.extra_mm:g} mm beyond it"
    line = (
        f"{made.gtv} {made.gtv_cc:.2f} cc, {made.intra_mm:g} mm within {made.bone}, {beyond}: "
        f"{made.name} {made.ctv_cc:.2f} cc"
    )
    return [clean(line), *(clean(flag) for flag in made.flags)]


def bone_check_document(found: BoneCheck, *, gtv: str, ctv: str, bone: str) -> dict[str, object]:
    """Return a check as plain values."""
    return {"schema": BONE_SCHEMA, "gtv": gtv, "ctv": ctv, "bone": bone, **asdict(found)}


def bone_check_line(found: BoneCheck, ctv: str) -> str:
    """Return the verdict, what is covered and what is missing, in a line."""
    nearest = "none within reach" if found.least_mm is None else f"the nearest {found.least_mm:.1f} mm from the GTV"
    return clean(
        f"{ctv}: {found.verdict}. {100 * found.covered_frac:.0f} % of the bone within {found.asked_mm:g} mm is "
        f"covered, {found.missing_cc:.2f} of {found.needed_cc:.2f} cc are missing; bone left out: {nearest}; "
        f"by the rule (5 to 10 mm, from 3 at discretion) the margin is {found.reading}"
    )
