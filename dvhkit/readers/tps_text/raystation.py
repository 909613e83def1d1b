"""RayStation: DVH export with ``#RoiName:`` blocks, in both generations of its header.

The older one says ``#Dose unit:``, the newer one ``#Unit:`` and the ROI's volume; rows are dose and percent of the
volume, parted by tabs. Lines of the header begin with ``#``; order and presence of most of them vary.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from dvhkit.model.tps_dvh import TpsDvh
from dvhkit.readers.tps_text.lines import checked_curve, damaged, half_digit, in_gy, number, plain_unit

_KEY = re.compile(r"^#\s*([^:]+?)\s*:\s*(.*)$")


@dataclass
class _Block:
    roi: str
    line: int
    facts: dict[str, str]
    rows: list[tuple[int, str]] = field(default_factory=list)


def is_raystation(lines: list[str]) -> bool:
    """Whether the lines are of this dialect."""
    return any(re.match(r"^#\s*roiname\s*:", line, re.I) for line in lines)


def read_raystation(path: Path, lines: list[str]) -> list[TpsDvh]:
    """Return the curves of an export; raises `InputError` with file, line and reason where it is damaged."""
    common: dict[str, str] = {}
    blocks: list[_Block] = []
    for at, line in enumerate(lines, start=1):
        key = _KEY.match(line)
        if key is not None:
            name, value = re.sub(r"\s+", "", key.group(1)).lower(), key.group(2).strip()
            if name == "roiname":
                blocks.append(_Block(roi=value, line=at, facts=dict(common)))
            elif blocks:
                # The unit may be said once, before the first ROI or inside it, or anew in each block.
                blocks[-1].facts[name] = value
            else:
                common[name] = value
        elif line.strip() and not line.startswith("#"):
            if not blocks:
                raise damaged(path, at, "numbers stand before any #RoiName.")
            blocks[-1].rows.append((at, line))
    _require_whole_header(path, blocks)
    return [_curve(path, block) for block in blocks]


def _require_whole_header(path: Path, blocks: list[_Block]) -> None:
    """Refuse a last block without rows whose header lacks what the others have: the file ends within it."""
    last = blocks[-1]
    lacking = set.intersection(*(set(block.facts) for block in blocks[:-1])) - set(last.facts) if blocks[1:] else set()
    if not last.rows and lacking:
        raise damaged(path, last.line, f"the header of {last.roi!r} is not whole; the file is cut off.")


def _curve(path: Path, block: _Block) -> TpsDvh:
    facts = block.facts
    stated = facts.get("roivolume", facts.get("volume", ""))
    volume_cc = number(stated)
    if volume_cc is not None and re.search(r"mm", stated, re.I):
        volume_cc /= 1000.0
    rest = {"roi": block.roi, "plan": facts.get("dosename", ""), "source": path.name, "line": block.line}
    if not block.rows:
        nothing = np.empty(0)
        return TpsDvh(dose_gy=nothing, volume=nothing, in_cc=False, unusable="its table is empty", **rest)  # type: ignore[arg-type]
    unit = plain_unit(facts.get("doseunit", facts.get("unit", "")))
    one_gy = in_gy(1.0, unit)
    if one_gy is None:
        said = f"is {unit!r}" if unit else "is not stated"
        raise damaged(path, block.line, f"the dose unit of {block.roi!r} {said}; it must be Gy or cGy.")
    values = np.array([_pair(path, at, block.roi, line) for at, line in block.rows])
    in_cc = plain_unit(facts.get("volumeunit", "%")) == "cc"
    dose_gy, volume = values[:, 0] * one_gy, values[:, 1]
    dose_gy, volume = checked_curve(path, block.rows[0][0], block.roi, dose_gy, volume, in_cc=in_cc)
    return TpsDvh(
        dose_gy=dose_gy,
        volume=volume,
        in_cc=in_cc,
        volume_cc=volume_cc,
        volume_step_cc=half_digit(stated) if volume_cc is not None else 0.0,
        **rest,  # type: ignore[arg-type]
    )


def _pair(path: Path, at: int, roi: str, line: str) -> tuple[float, float]:
    cells = [cell for cell in re.split(r"[\t; ]+", line.strip()) if cell]
    found = [number(cell) if re.fullmatch(r"[-+]?[\d.,]+(?:[eE][-+]?\d+)?", cell) else None for cell in cells]
    if len(found) != 2 or found[0] is None or found[1] is None:
        raise damaged(path, at, f"a row of {roi!r} holds {line.strip()[:40]!r}, which is no pair of numbers.")
    return found[0], found[1]
