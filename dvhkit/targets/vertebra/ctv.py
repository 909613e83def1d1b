"""GTV and compartments to CTV: which parts hold tumour, what the rules make of it, and whether a CTV obeys."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from dvhkit.errors import InputError
from dvhkit.model.arrays import FloatArray, frozen_array
from dvhkit.targets.vertebra.anatomy.frame import Mask
from dvhkit.targets.vertebra.anatomy.parts import VertebraParts
from dvhkit.targets.vertebra.rules import (
    Compartment,
    Extent,
    RuleOutcome,
    RuleProfile,
    evaluate_rules,
    in_order,
)
from dvhkit.targets.vertebra.scene import Scene

# A GTV is touched by no less than this, or by one voxel if that is more; smaller overlaps are a graze.
_TOUCH_LEAST_CC = 0.01
# Of the GTV in the body, this share on one side of the midline makes it one-sided; both sides involved is diffuse
# only if most of the body is.
_ONE_SIDED_FRAC = 0.9
_DIFFUSE_FRAC = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class PartOverlap:
    """How much GTV a compartment holds.

    Attributes
    ----------
    gtv_cc, gtv_frac
        Volume of GTV in the compartment, and its share of the whole GTV.
    involved
        Whether that is more than a graze.
    near_cut_frac
        Share of the compartment within 2 mm of an automatic cut; None where it was drawn or labelled.
    """

    compartment: Compartment
    volume_cc: float
    gtv_cc: float
    gtv_frac: float
    involved: bool
    near_cut_frac: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Involvement:
    """Where in one vertebra a GTV lies; `threshold_cc` is the overlap above which a compartment counts as involved."""

    level: str
    parts: tuple[PartOverlap, ...]
    extents: tuple[Extent, ...]
    threshold_cc: float

    @property
    def involved(self) -> tuple[Compartment, ...]:
        """The compartments that hold more GTV than a graze."""
        return tuple(p.compartment for p in self.parts if p.involved)

    @property
    def grazed(self) -> tuple[Compartment, ...]:
        """The compartments that the GTV touches with no more than a graze."""
        return tuple(p.compartment for p in self.parts if p.gtv_cc > 0 and not p.involved)


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelResult:
    """One vertebra: where the tumour is, and what the rules say."""

    vertebra: VertebraParts
    involvement: Involvement
    outcome: RuleOutcome


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CtvPlan:
    """What the rules make of a scene.

    Attributes
    ----------
    bone, ctv : (n_planes, n_rows, n_columns)
        How much of each voxel of the scene's grid the compartments of the CTV fill, and with the GTV the CTV.
    gtv_cc, outside_cc, canal_cc, ctv_cc
        Volumes: of the GTV; of its part outside all compartments; of that, the part in the canal (None where no
        canal is known); of the CTV.
    """

    scene: Scene
    levels: tuple[LevelResult, ...]
    bone: FloatArray
    ctv: FloatArray
    gtv_cc: float
    outside_cc: float
    canal_cc: float | None
    ctv_cc: float

    def __post_init__(self) -> None:
        for name in ("bone", "ctv"):
            object.__setattr__(self, name, frozen_array(getattr(self, name)))


def plan_ctv(scene: Scene, profile: RuleProfile, *, include: Iterable[Compartment] = ()) -> CtvPlan:
    """Apply a profile to every level of a scene and build the CTV.

    The CTV is the union of all required (and chosen optional) compartments without the canal, and of the whole GTV:
    tumour in the canal or beside the spine stays in, and is flagged.

    Parameters
    ----------
    include
        Discretionary compartments to take in, at each level whose rules leave them to the oncologist.
    """
    voxel_cc = scene.voxel_cc
    outside = _outside(scene)
    outside_cc = _volume(outside, voxel_cc)
    threshold = _threshold_cc(voxel_cc)
    beyond = (Extent.OUTSIDE,) if outside_cc > threshold else ()
    wanted = frozenset(include)
    levels = tuple(
        _level(scene, vertebra, profile, wanted=wanted, beyond=beyond, threshold_cc=threshold)
        for vertebra in scene.vertebrae
    )
    _require_used(wanted, levels)
    bone = _bone(scene, levels)
    ctv = np.maximum(bone, scene.gtv)
    canal_cc = None if scene.canal is None else _volume(np.minimum(outside, scene.canal), voxel_cc)
    return CtvPlan(
        scene=scene,
        levels=levels,
        bone=bone,
        ctv=ctv,
        gtv_cc=_volume(scene.gtv, voxel_cc),
        outside_cc=outside_cc,
        canal_cc=canal_cc,
        ctv_cc=_volume(ctv, voxel_cc),
    )


def _require_used(wanted: frozenset[Compartment], levels: tuple[LevelResult, ...]) -> None:
    """Raise for a choice that no level leaves to the oncologist."""
    known = {part for level in levels for part in (*level.outcome.required, *level.outcome.optional)}
    strange = in_order(wanted - known)
    if strange:
        offered = ", ".join(in_order({part for level in levels for part in level.outcome.optional})) or "none"
        raise InputError(
            f"{', '.join(strange)} cannot be chosen: no rule leaves it to the oncologist at any level.",
            remedy=f"Optional here: {offered}.",
        )


def _level(
    scene: Scene,
    vertebra: VertebraParts,
    profile: RuleProfile,
    *,
    wanted: frozenset[Compartment],
    beyond: tuple[Extent, ...],
    threshold_cc: float,
) -> LevelResult:
    involvement = _involvement(scene, vertebra, beyond, threshold_cc)
    free = evaluate_rules(profile, involvement.involved, extents=involvement.extents)
    # A choice that one level does not offer may be meant for another; `_require_used` refuses it if none does.
    if len(scene.vertebrae) > 1:
        wanted = wanted & {*free.optional, *free.required}
    outcome = evaluate_rules(profile, involvement.involved, extents=involvement.extents, include=wanted)
    return LevelResult(vertebra=vertebra, involvement=involvement, outcome=outcome)


def _involvement(scene: Scene, vertebra: VertebraParts, beyond: tuple[Extent, ...], threshold_cc: float) -> Involvement:
    voxel_cc = scene.voxel_cc[vertebra.window[0]]
    gtv = scene.gtv[vertebra.window]
    total = max(_volume(scene.gtv, scene.voxel_cc), 1e-12)
    near = vertebra.partition.near_cut_frac if vertebra.partition is not None else {}
    parts = []
    for compartment, part in vertebra.parts.items():
        held = _volume(np.minimum(gtv, part), voxel_cc)
        parts.append(
            PartOverlap(
                compartment=compartment,
                volume_cc=_volume(part, voxel_cc),
                gtv_cc=held,
                gtv_frac=held / total,
                involved=held > threshold_cc,
                near_cut_frac=near.get(compartment) if vertebra.origin == "geometry" else None,
            )
        )
    extents = (*_body_extent(scene, vertebra, parts, voxel_cc), *beyond)
    return Involvement(level=vertebra.level, parts=tuple(parts), extents=extents, threshold_cc=threshold_cc)


def _body_extent(
    scene: Scene, vertebra: VertebraParts, parts: list[PartOverlap], voxel_cc: FloatArray
) -> tuple[Extent, ...]:
    """Return on which side of the body the tumour lies, where the midline is known; nothing in between is guessed."""
    body = next((p for p in parts if p.compartment is Compartment.BODY), None)
    if body is None or not body.involved or vertebra.partition is None:
        return ()
    from dvhkit.targets.vertebra.anatomy.frame import mask_points_mm
    from dvhkit.targets.vertebra.anatomy.grid import crop_grid

    if body.gtv_cc > _DIFFUSE_FRAC * body.volume_cc:
        return (Extent.BODY_DIFFUSE,)
    held = np.minimum(scene.gtv[vertebra.window], vertebra.parts[Compartment.BODY])
    there = held > 0
    points = mask_points_mm(there, crop_grid(scene.grid, vertebra.window))
    weights = (held * voxel_cc)[there]
    on_left = float(weights[vertebra.partition.frame.to_local(points)[:, 0] >= 0].sum() / weights.sum())
    if on_left >= _ONE_SIDED_FRAC:
        return (Extent.BODY_LEFT,)
    return (Extent.BODY_RIGHT,) if on_left <= 1 - _ONE_SIDED_FRAC else ()


def _outside(scene: Scene) -> FloatArray:
    """Return the part of the GTV that lies in no compartment of any level.

    Labels consist of whole voxels, so beside them the GTV counts in whole voxels too; else a GTV drawn along a
    label's edge would seem to leave it everywhere.
    """
    bone = np.zeros(scene.grid.shape_zyx)
    for vertebra in scene.vertebrae:
        for part in vertebra.parts.values():
            bone[vertebra.window] += part
    if all(part.dtype == np.bool_ for vertebra in scene.vertebrae for part in vertebra.parts.values()):
        return np.where((scene.gtv >= 0.5) & (bone == 0), scene.gtv, 0.0)
    return np.asarray(np.clip(scene.gtv - bone, 0.0, None))


def _bone(scene: Scene, levels: tuple[LevelResult, ...]) -> FloatArray:
    bone = np.zeros(scene.grid.shape_zyx)
    for level in levels:
        for compartment in level.outcome.target:
            if compartment in level.vertebra.parts:
                bone[level.vertebra.window] += level.vertebra.parts[compartment]
    bone = np.clip(bone, 0.0, 1.0)
    if scene.canal is not None:
        bone = np.minimum(bone, 1.0 - scene.canal)
    return bone


def _threshold_cc(voxel_cc: FloatArray) -> float:
    return max(_TOUCH_LEAST_CC, float(voxel_cc.max()))


def _volume(filled: FloatArray | Mask, voxel_cc: FloatArray) -> float:
    return float(np.sum(filled * voxel_cc))
