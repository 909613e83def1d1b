# ruff: noqa: RUF005 -- arrays are added to, not tuples
"""Clean structure sets as clinics have them: sites, spacings, origins, languages, nests, keyholes, parts, couches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dvhkit.model.structure import Contour, ContourKind, Structure, StructureSet

Point = tuple[float, float, float]
# Where organs lie about the middle of the body (x to the left, y to the back, z to the head) and their half axes, mm.
_SITES: dict[str, dict[str, tuple[Point, Point]]] = {
    "abdomen": {
        "Liver": ((-70, -15, 20), (55, 60, 65)),
        "Kidney_L": ((75, 50, -15), (24, 26, 48)),
        "Kidney_R": ((-75, 62, -55), (24, 22, 42)),
        "Spleen": ((108, 25, 50), (20, 32, 42)),
        "Stomach": ((60, -45, 35), (30, 26, 38)),
        "SpinalCord": ((0, 75, 0), (6, 6, 110)),
    },
    "thorax": {
        "Lung_L": ((98, 12, 10), (42, 60, 95)),
        "Lung_R": ((-98, 12, 10), (44, 62, 95)),
        "Heart": ((4, -58, -70), (44, 34, 48)),
        "Esophagus": ((6, 45, 0), (8, 7, 100)),
        "SpinalCord": ((0, 80, 0), (6, 6, 110)),
        "Trachea": ((-2, 22, 60), (8, 8, 35)),
    },
    "pelvis": {
        "Bladder": ((0, -35, 20), (38, 30, 28)),
        "Rectum": ((0, 55, 10), (17, 18, 55)),
        "Prostate": ((0, 8, -28), (22, 18, 18)),
        "Femur_Head_L": ((88, 5, 5), (23, 24, 24)),
        "Femur_Head_R": ((-88, 5, 5), (23, 24, 24)),
        "PenileBulb": ((0, 18, -62), (8, 9, 9)),
    },
    "head": {
        "Brainstem": ((0, 18, 0), (14, 13, 27)),
        "Eye_L": ((32, -62, 12), (12, 12, 12)),
        "Eye_R": ((-32, -62, 12), (12, 12, 12)),
        "Parotid_L": ((56, 8, -35), (11, 19, 22)),
        "Parotid_R": ((-56, 8, -35), (11, 19, 22)),
        "SpinalCord": ((0, 32, -75), (6, 6, 45)),
        "Mandible": ((0, -45, -60), (22, 12, 12)),
    },
}
_BODY = {"abdomen": (165, 110), "thorax": (175, 115), "pelvis": (180, 115), "head": (78, 95)}
_WORDS = {
    "en": {"Kidney_L": "Lt Kidney", "Kidney_R": "Rt Kidney", "Lung_L": "Left Lung", "Lung_R": "Right Lung",
           "SpinalCord": "Spinal Cord", "Femur_Head_L": "Femoral Head L", "Femur_Head_R": "Femoral Head R"},
    "de": {"Liver": "Leber", "Kidney_L": "Niere li", "Kidney_R": "Niere re", "Lung_L": "Lunge links",
           "Lung_R": "Lunge rechts", "Bladder": "Blase", "Rectum": "Rektum", "Heart": "Herz", "Spleen": "Milz",
           "Stomach": "Magen", "SpinalCord": "Myelon", "Eye_L": "Auge li", "Eye_R": "Auge re"},
    "fr": {"Liver": "Foie", "Kidney_L": "Rein G", "Kidney_R": "Rein D", "Lung_L": "Poumon G", "Lung_R": "Poumon D",
           "Bladder": "Vessie", "Heart": "Coeur", "Spleen": "Rate", "Stomach": "Estomac", "SpinalCord": "Moelle"},
    "tg": {},
}  # fmt: skip


class _Pen:
    """Draws lumps on the slices of one image, in patient coordinates."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.gap = float(self.rng.choice([1.25, 2.0, 2.5, 3.0, 5.0]))
        self.origin = self.rng.uniform(-300, 300, 3)
        self.decimals = int(self.rng.choice([1, 2, 3]))

    def heights(self, middle: float, half: float) -> np.ndarray:
        # Outlines end where they are a tenth of their width.
        low, high = np.ceil((middle - 0.995 * half) / self.gap), np.floor((middle + 0.995 * half) / self.gap)
        return self.gap * np.arange(low, high + 1)

    def lump(self, middle: Point, half: Point, *, upright: bool = False, rough: float = 0.05) -> list[Contour]:
        phase, n = self.rng.uniform(0, 6, 2), int(self.rng.integers(30, 120))
        turn = np.arange(n) * 2 * np.pi / n
        found = []
        for z in self.heights(middle[2], half[2]):
            size = 1.0 if upright else np.sqrt(1 - ((z - middle[2]) / half[2]) ** 2)
            wave = 1 + rough * np.sin(2 * turn + phase[0] + z / 40) + 0.5 * rough * np.sin(3 * turn + phase[1] - z / 30)
            x = middle[0] + half[0] * size * wave * np.cos(turn)
            found.append(self.contour(np.column_stack([x, middle[1] + half[1] * size * wave * np.sin(turn)]), z))
        return found

    def contour(self, ring: np.ndarray, z: float, kind: ContourKind = ContourKind.CLOSED_PLANAR) -> Contour:
        points = np.column_stack([ring, np.full(len(ring), z)]) + self.origin
        return Contour(points_mm=np.round(points, self.decimals), kind=kind)

    def shell(self, middle: Point, half: Point, wall: float) -> list[Contour]:
        """Draw a ring as a keyhole: out, across, round the hole the other way, and back."""
        turn = np.linspace(0, 2 * np.pi, 61)
        circle = np.column_stack([np.cos(turn), np.sin(turn)])
        found = []
        for z in self.heights(middle[2], 0.8 * half[2]):
            outer, inner = circle * half[:2], circle[::-1] * (np.array(half[:2]) - wall)
            found.append(self.contour(np.vstack([outer, inner]) + middle[:2], z))
        return found


def varied_set(seed: int) -> StructureSet:
    """Return a set in which nothing is wrong."""
    pen = _Pen(seed)
    rng = pen.rng
    site = str(rng.choice(list(_SITES)))
    scale = rng.uniform(0.92, 1.08)
    words = _WORDS[str(rng.choice(list(_WORDS)))]
    organs = {
        name: (tuple(scale * np.array(at)), tuple(scale * np.array(half))) for name, (at, half) in _SITES[site].items()
    }
    made = [_body(pen, site, scale, rng)]
    for name, (at, half) in organs.items():
        drawn = pen.lump(at, half, upright=name in {"SpinalCord", "Esophagus"}, rough=0.03)
        made.append(_named(words.get(name, name), drawn, "ORGAN"))
    if rng.random() < 0.6:
        made.append(_couch(pen, site, scale, prone=rng.random() < 0.2))
    made += _extras(pen, organs, words, rng)
    made += _targets(pen, organs, rng)
    shuffled = [made[n] for n in rng.permutation(len(made))]
    return StructureSet(structures=tuple(replace(s, number=n) for n, s in enumerate(shuffled, 1)))


def _named(name: str, contours: list[Contour], kind: str) -> Structure:
    return Structure(number=0, name=name, contours=tuple(contours), rt_roi_type=kind)


def _body(pen: _Pen, site: str, scale: float, rng: np.random.Generator) -> Structure:
    wide, deep = (scale * v for v in _BODY[site])
    turn = np.arange(180) * 2 * np.pi / 180
    contours = []
    for z in pen.heights(0.0, 125.0):
        shape = 1 + 0.04 * np.cos(z / 60)
        contours.append(pen.contour(np.column_stack([wide * np.cos(turn), deep * np.sin(turn)]) * shape, z))
        if site == "head" and abs(z + 10) < 22:
            # The rims of both ears stand off the skin.
            for side in (-1, 1):
                ear = np.column_stack([4 * np.cos(turn[::6]), 12 * np.sin(turn[::6])])
                contours.append(pen.contour(ear + (side * (wide * 1.1 + 6), 12), z))
    return _named(str(rng.choice(["Body", "BODY", "External", "Skin", "Patient"])), contours, "EXTERNAL")


def _couch(pen: _Pen, site: str, scale: float, *, prone: bool) -> Structure:
    near = scale * _BODY[site][1] * 1.08
    plate = np.array([(-260, near), (260, near), (260, near + 25), (-260, near + 25)]) * (1, -1 if prone else 1)
    return _named("CouchSurface", [pen.contour(plate, z) for z in pen.heights(0.0, 125.0)], "SUPPORT")


def _extras(
    pen: _Pen, organs: dict[str, tuple[Point, Point]], words: dict[str, str], rng: np.random.Generator
) -> list[Structure]:
    made = []
    if "SpinalCord" in organs:
        at, half = organs["SpinalCord"]
        wider = (half[0] + 5, half[1] + 5, half[2])
        cord = words.get("SpinalCord", "SpinalCord")
        made.append(_named(f"{cord}_PRV05", pen.lump(at, wider, upright=True, rough=0.0), "AVOIDANCE"))
        if rng.random() < 0.5:
            canal = (half[0] + 3, half[1] + 3, half[2])
            made.append(_named("SpinalCanal", pen.lump(at, canal, upright=True, rough=0.0), "ORGAN"))
    for side in ("L", "R") if "Eye_L" in organs else ():
        (x, y, z), _ = organs[f"Eye_{side}"]
        made.append(_named(f"Lens_{side}", pen.lump((x, y - 6, z), (4.5, 3, 4), rough=0.0), "ORGAN"))
    if "Lung_L" in organs and rng.random() < 0.7:
        parts = [c for side in "LR" for c in pen.lump(*organs[f"Lung_{side}"], rough=0.0)]
        made.append(_named("Lungs", parts, "ORGAN"))
    if rng.random() < 0.3:
        made.append(_named("zHotspot", pen.lump((20, 0, 0), (6, 6, 0.4 * pen.gap), upright=True), ""))
    if rng.random() < 0.4:
        point = np.array([[5.0, 5.0]])
        made.append(_named("Isocenter", [pen.contour(point, 0.0, ContourKind.POINT)], "ISOCENTER"))
    return made


def _targets(pen: _Pen, organs: dict[str, tuple[Point, Point]], rng: np.random.Generator) -> list[Structure]:
    name = str(rng.choice(list(organs)))
    at, half = organs[name]
    radius = float(np.clip(rng.uniform(0.3, 0.6) * min(half), 4.0, 25.0))
    tag = str(rng.choice(["", "_60", "1"]))
    made = []
    for kind, margin in (("GTV", 0.0), ("CTV", 5.0), ("PTV", 10.0)):
        size = (radius + margin,) * 3
        made.append(_named(f"{kind}{tag}", pen.lump(at, size, rough=0.0), kind))
    if rng.random() < 0.5:
        outer = (radius + 25.0,) * 3
        made.append(_named("zRing", pen.shell(at, outer, 10.0), "CONTROL"))
    if rng.random() < 0.4:
        rest = pen.lump(at, half, rough=0.0)
        hole = pen.lump(at, (radius,) * 3, rough=0.0)
        xor = [replace(c, kind=ContourKind.CLOSEDPLANAR_XOR) for c in (*rest, *hole)]
        if radius < 0.7 * min(half):
            made.append(_named(f"{name}-GTV", xor, ""))
    return made
