"""The segments of a DICOM SEG as vertebrae and compartments: by their names, by a table where those say nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dvhkit.errors import InputError
from dvhkit.readers.masks.segmentation import Segment, Segmentation, read_segmentation
from dvhkit.targets.vertebra.labels.label_maps import ARCH, LabelMap, LabelTable
from dvhkit.targets.vertebra.labels.names import NamedPart, parse_level, parse_name
from dvhkit.targets.vertebra.rules import Compartment

# Labels of the maps that are made here; levels count from 1.
_CANAL = 1000
_REGIONS: tuple[Compartment | str, ...] = (*Compartment, ARCH)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Meanings:
    """What the segments are, by segment number; a part's level is empty where nothing says it."""

    vertebrae: dict[int, str]
    parts: dict[int, tuple[Compartment | str, str]]
    canal: tuple[int, ...]


def read_segments(
    path: Path, table: LabelTable | None, *, regions: bool = False
) -> tuple[LabelTable, LabelMap | None, LabelMap | None]:
    """Return what the labels mean, the map of levels and the map of compartments of a DICOM SEG.

    A segment is what its SegmentLabel says (``vertebrae_L3``, ``zPed_L03_L``), or else its property type. Numbers of
    segments are looked up in `table` where neither says anything, and only while no name contradicts the table: some
    programs count the segments of each file anew.

    Parameters
    ----------
    regions
        Whether the file is one of sub-regions: numbers are looked up among those, and whole vertebrae left out.

    Raises
    ------
    InputError
        If no segment is a vertebra or a part of one.
    """
    stored = read_segmentation(path)
    meant = _meanings(stored, table, regions=regions)
    if not meant.parts and (regions or not meant.vertebrae):
        raise InputError(
            f"none of the {len(stored.segments)} segments is known as a vertebra or a part of one.",
            path=path,
            where="SegmentLabel (0062,0005)",
            remedy="Name segments such as vertebrae_L3 or zPed_L03_L, or say with --label-table what the numbers mean.",
        )
    levels = {} if regions else _levels(meant)
    names = sorted(set(levels.values()))
    known = {part for part, _ in meant.parts.values()}
    found = LabelTable(
        id="segment-labels",
        title="labels of segments",
        source=path.name,
        vertebrae=dict(enumerate(names, start=1)),
        regions={n: word for n, word in enumerate(_REGIONS, start=1) if word in known},
        canal=(_CANAL,) if meant.canal else (),
    )
    numbers = {segment: names.index(level) + 1 for segment, level in levels.items()}
    level_map = _level_map(stored, numbers, meant.canal) if names else None
    parts = {segment: _REGIONS.index(part) + 1 for segment, (part, _) in meant.parts.items()}
    return found, level_map, _label_map(stored, parts) if parts else None


def _meanings(stored: Segmentation, table: LabelTable | None, *, regions: bool) -> _Meanings:
    named = {s.number: meaning for s in stored.segments if (meaning := _named(s)) is not None}
    parts = {n: (m.part, m.level) for n, m in named.items() if isinstance(m.part, Compartment)}
    vertebrae = {n: m.level for n, m in named.items() if m.part == "vertebra" and m.level}
    canal = [n for n, m in named.items() if m.part in ("canal", "cord")]
    made = _Meanings(vertebrae=vertebrae, parts=dict(parts), canal=tuple(canal))
    if table is None or any(table.vertebrae.get(n) != level for n, level in vertebrae.items()):
        return made
    rest = [s.number for s in stored.segments if s.number not in named]
    if regions:
        by_table = {n: (table.regions[n], "") for n in rest if n in table.regions}
        return _Meanings(vertebrae=vertebrae, parts={**made.parts, **by_table}, canal=made.canal)
    by_number = {n: table.vertebrae[n] for n in rest if n in table.vertebrae}
    more = tuple(n for n in rest if n in table.canal)
    return _Meanings(vertebrae={**vertebrae, **by_number}, parts=made.parts, canal=(*made.canal, *more))


def _named(segment: Segment) -> NamedPart | None:
    for words in (segment.label, segment.meaning):
        found = parse_name(words)
        if found is not None:
            return found
    return None


def _levels(meant: _Meanings) -> dict[int, str]:
    """Return the level of each segment that stands for bone: whole vertebrae, and parts where there is no whole."""
    whole = set(meant.vertebrae.values())
    of_parts = {n: level for n, (_, level) in meant.parts.items() if level and level not in whole}
    return {n: parse_level(level) or level for n, level in {**meant.vertebrae, **of_parts}.items()}


def _level_map(stored: Segmentation, numbers: dict[int, int], canal: tuple[int, ...]) -> LabelMap:
    """Return the map of levels; where a canal overlaps bone, bone it is."""
    bone = _label_map(stored, numbers)
    if not canal:
        return bone
    hole = _label_map(stored, dict.fromkeys(canal, _CANAL))
    return replace(bone, labels=np.where(bone.labels > 0, bone.labels, hole.labels))


def _label_map(stored: Segmentation, numbers: dict[int, int]) -> LabelMap:
    labels, grid = stored.labels(numbers)
    return LabelMap(grid=grid, labels=labels, path=stored.path, frame_of_reference_uid=stored.frame_of_reference_uid)
