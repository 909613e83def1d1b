"""Common structures under their TG-263 names, with the volumes that an adult's can plausibly have.

A short list of our own, for sanity checks only: the volumes are generous round numbers, no norm values. TG-263 itself
is AAPM's and has some 700 names; a name that is not here is not wrong. `anatomy_names` has more of
them, without volumes.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from dvhkit.protocols.naming.anatomy_names import MORE_NAMES
from dvhkit.protocols.naming.names import is_target_name

TARGET_PREFIXES = ("GTV", "CTV", "ITV", "IGTV", "ICTV", "PTV")


@dataclass(frozen=True, slots=True, kw_only=True)
class Organ:
    """One structure.

    Attributes
    ----------
    smallest_cc
        Below this it is most likely not drawn whole; 0 where a part of it is often drawn, or nothing can be said.
    sided
        Whether it comes as ``_L`` and ``_R``.
    parallel
        Whether its function depends on how much of it is spared (liver, lung, kidney), so that limits are stated on
        the cold part.
    """

    name: str
    largest_cc: float
    sided: bool = False
    parallel: bool = False
    smallest_cc: float = 0.0


def _row(name: str, largest_cc: float, flags: str = "", *, smallest_cc: float = 0.0) -> Organ:
    return Organ(name=name, largest_cc=largest_cc, sided="s" in flags, parallel="p" in flags, smallest_cc=smallest_cc)


_ORGANS = (
    _row("Brain", 2000, smallest_cc=600),
    _row("Brainstem", 60),
    _row("OpticChiasm", 5),
    _row("OpticNrv", 4, "s"),
    _row("OpticPathway", 12),
    _row("Eye", 15, "s"),
    _row("Lens", 1, "s"),
    _row("Retina", 5, "s"),
    _row("Cochlea", 2, "s"),
    _row("Pituitary", 3),
    _row("Hippocampus", 8, "s"),
    _row("SpinalCord", 150),
    _row("SpinalCanal", 250),
    _row("ThecalSac", 250),
    _row("CaudaEquina", 100),
    _row("SacralPlex", 200),
    _row("BrachialPlex", 60, "s"),
    _row("Parotid", 90, "s"),
    _row("Parotids", 180),
    _row("Glnd_Submand", 30, "s"),
    _row("Musc_Constrict", 60),
    _row("Larynx", 120),
    _row("Cavity_Oral", 300),
    _row("Bone_Mandible", 150),
    _row("Glnd_Thyroid", 150),
    _row("Esophagus", 120),
    _row("Trachea", 120),
    _row("Bronchus", 120),
    _row("Bronchus_Main", 120, "s"),
    _row("Trachea_Bronchus", 250),
    _row("Lung", 5000, "sp", smallest_cc=300),
    _row("Lungs", 10000, "p", smallest_cc=600),
    _row("Heart", 1800, smallest_cc=200),
    _row("Pericardium", 2200),
    _row("GreatVes", 800),
    _row("A_Aorta", 600),
    _row("A_Carotid", 40, "s"),
    _row("Breast", 4000, "s"),
    _row("Chestwall", 3000, "s"),
    _row("Rib", 600, "s"),
    _row("Ribs", 2000),
    _row("Skin", 6000),
    _row("Liver", 4500, "p", smallest_cc=400),
    _row("Kidney", 600, "sp", smallest_cc=30),
    _row("Kidneys", 1200, "p", smallest_cc=60),
    _row("Kidney_Cortex", 500, "sp"),
    _row("Kidney_Hilum", 120, "s"),
    _row("Kidney_Hilums", 240),
    _row("Stomach", 2500),
    _row("Duodenum", 300),
    _row("Bowel_Small", 4000),
    _row("Bag_Bowel", 7000),
    _row("Bowel", 7000),
    _row("Colon", 3000),
    _row("Colon_Sigmoid", 600),
    _row("Spleen", 1500),
    _row("Pancreas", 300),
    _row("Gallbladder", 250),
    _row("Bladder", 1500),
    _row("Bladder_Wall", 250),
    _row("Rectum", 500),
    _row("Canal_Anal", 100),
    _row("Prostate", 400),
    _row("SeminalVes", 80),
    _row("Urethra", 20),
    _row("PenileBulb", 20),
    _row("Femur_Head", 150, "s"),
    _row("Uterus", 1500),
    _row("Ovary", 60, "s"),
    _row("Testis", 60, "s"),
    _row("BoneMarrow", 3000),
    _row("VB", 120),
    _row("External", 250000),
    _row("Body", 250000),
)
_BY_NAME = {organ.name.casefold(): organ for organ in _ORGANS}


# Single vertebrae as TG-263 writes them: thoracic ones have two digits.
_LEVELS = (
    *(f"C{i}" for i in range(1, 8)),
    *(f"T{i:02d}" for i in range(1, 13)),
    *(f"{part}{i}" for part in "LS" for i in range(1, 6)),
)


# Of these nothing is known but the name, so no volume is too large.
_FURTHER = {name.casefold(): Organ(name=name, largest_cc=math.inf) for name in MORE_NAMES}


def known_names() -> tuple[str, ...]:
    """Return the names of the list, sided ones with their sides, the single vertebrae, and further names of TG-263."""
    listed = (name for o in _ORGANS for name in ((f"{o.name}_L", f"{o.name}_R") if o.sided else (o.name,)))
    return tuple(dict.fromkeys((*listed, *(f"VB_{level}" for level in _LEVELS), *MORE_NAMES)))


def find_organ(name: str) -> Organ | None:
    """Return the organ that a structure name stands for, whatever its side, PRV margin or subtracted target."""
    stem = re.sub(r"\s+", "", name).casefold()
    stem = re.sub(r"(-(i?[gc]tv|itv|ptv)\w*)+$", "", stem)  # Liver-GTV
    stem = re.sub(r"_prv\d*(?=(_[lr])?$)", "", stem).replace("~", "")
    stem = re.sub(r"^vb_[ctls]\d{1,2}$", "vb", stem)
    return _BY_NAME.get(stem) or _BY_NAME.get(re.sub(r"_[lrx]$", "", stem)) or _FURTHER.get(stem)


def is_target(name: str) -> bool:
    """Whether TG-263 would read the name as a target volume."""
    return any(is_target_name(name, prefix) for prefix in TARGET_PREFIXES)


def side_of(text: str) -> str:
    """Return ``L`` or ``R`` where a name or a title says one of them, else nothing."""
    words = set(re.split(r"[^a-z]+", text.casefold()))
    left, right = words & {"l", "lt", "left"}, words & {"r", "rt", "right"}
    if left and not right:
        return "L"
    return "R" if right and not left else ""
