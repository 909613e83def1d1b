"""What a clinic's structure names mean in TG-263: recognised by rule, or shown as a suggestion and not used."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from rapidfuzz import fuzz, process

from dvhkit.findings import Finding, Level
from dvhkit.model.roi_kinds import is_body
from dvhkit.protocols.facts import StructureFact
from dvhkit.protocols.naming.anatomy_names import segmented_as
from dvhkit.protocols.naming.names import fold
from dvhkit.protocols.naming.organs import TARGET_PREFIXES, Organ, find_organ, is_target, known_names, side_of
from dvhkit.protocols.naming.tg263 import fma_code
from dvhkit.results.rules.names import NameRow, Recognition
from dvhkit.units import number_text

# Likeness from 0 to 100 above which a name is worth showing as a suggestion.
_SUGGEST_FROM = 70.0
# An organ of one side may reach over the middle, and the middle of a drawn body is not just that of the patient.
_MIDDLE_MM = 15.0
_SIDE_WORDS = {"l": "L", "lt": "L", "left": "L", "li": "L", "links": "L", "r": "R", "rt": "R", "right": "R", "re": "R",
               "rechts": "R"}  # fmt: skip
# Other words for the same organ, letters only: what clinics write -> the stem in TG-263.
_SYNONYMS = {
    "femoralhead": "Femur_Head",
    "headoffemur": "Femur_Head",
    "femhead": "Femur_Head",
    "opticnerve": "OpticNrv",
    "chiasm": "OpticChiasm",
    "opticalchiasm": "OpticChiasm",
    "cord": "SpinalCord",
    "medullaspinalis": "SpinalCord",
    "myelon": "SpinalCord",
    "oesophagus": "Esophagus",
    "brachialplexus": "BrachialPlex",
    "sacralplexus": "SacralPlex",
    "smallbowel": "Bowel_Small",
    "bowelbag": "Bag_Bowel",
    "bowelcavity": "Bag_Bowel",
    "greatvessels": "GreatVes",
    "lungtotal": "Lungs",
    "lungboth": "Lungs",
    "bothlungs": "Lungs",
    "totallung": "Lungs",
    "kidneysboth": "Kidneys",
    "bothkidneys": "Kidneys",
    "liverwhole": "Liver",
    "wholeliver": "Liver",
    "mandible": "Bone_Mandible",
    "oralcavity": "Cavity_Oral",
    "submandibular": "Glnd_Submand",
    "submandibulargland": "Glnd_Submand",
    "thyroid": "Glnd_Thyroid",
    "aorta": "A_Aorta",
    "carotid": "A_Carotid",
    "carotidartery": "A_Carotid",
    "analcanal": "Canal_Anal",
    "sigmoid": "Colon_Sigmoid",
    "seminalvesicles": "SeminalVes",
    "chestwallribs": "Chestwall",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Where a structure lies and how large it is: for sanity checks of its name."""

    roi: str
    volume_cc: float
    x_mm: float


def recognise(
    structures: Sequence[StructureFact],
    aliases: Mapping[str, tuple[str, ...]] | None = None,
    table: Mapping[str, str] | None = None,
) -> tuple[NameRow, ...]:
    """Return what each structure's name means.

    Parameters
    ----------
    aliases
        The clinic's own spellings by TG-263 name.
    table
        FMA codes by TG-263 name, from the clinic's copy of the table; its names are known beside our short list.
    """
    names = tuple(dict.fromkeys((*known_names(), *(table or {}))))
    meaning_of = _meanings(names, tuple(_clinic_meanings(aliases or {}, names).items()))
    return tuple(_row(structure, meaning_of, table) for structure in structures)


def _clinic_meanings(aliases: Mapping[str, tuple[str, ...]], known: Sequence[str]) -> dict[str, str]:
    """Return what each of a clinic's spellings means.

    An entry may be written from either end: in ``Leber: [Liver]`` it is the spelling that is a name of TG-263.
    """
    names = _by_fold(tuple(known))
    found: dict[str, str] = {}
    for key, spellings in aliases.items():
        standards = {names[fold(one)] for one in spellings if fold(one) in names}
        is_turned = fold(key) not in names and len(standards) == 1
        meaning = next(iter(standards)) if is_turned else key
        members = (key, *spellings) if is_turned else spellings
        found |= {fold(one): meaning for one in members if fold(one) != fold(meaning)}
    return found


@lru_cache(maxsize=2)
def _meanings(
    names: tuple[str, ...], clinic_items: tuple[tuple[str, str], ...]
) -> Callable[[str], tuple[str, Recognition, str]]:
    """Return what tells the TG-263 name of a name, how it was found, and else a suggestion.

    The names of a clinic are the same in most of its plans.
    """
    clinic = dict(clinic_items)

    @lru_cache(maxsize=4096)
    def meaning_of(name: str) -> tuple[str, Recognition, str]:
        standard, how = _standard(name, clinic, names)
        return standard, how, "" if standard or how is Recognition.HELPER else _suggest(name, names)

    return meaning_of


def _row(
    structure: StructureFact,
    meaning_of: Callable[[str], tuple[str, Recognition, str]],
    table: Mapping[str, str] | None,
) -> NameRow:
    standard, how, suggestion = meaning_of(structure.name)
    return NameRow(
        roi=structure.name,
        number=structure.number,
        rt_roi_type=structure.rt_roi_type,
        standard=standard,
        how=how,
        suggestion=suggestion,
        fma=fma_code(standard, table),
    )


def _standard(name: str, clinic: Mapping[str, str], known: Sequence[str]) -> tuple[str, Recognition]:
    """Return the TG-263 name and how it was found; the surest way first."""
    plain, names = name.strip(), _by_fold(tuple(known))
    organ = find_organ(name) is not None and not re.search(r"\s", plain)
    ways = (
        (clinic.get(fold(name), ""), Recognition.CLINIC),
        (name if names.get(fold(name)) == name else "", Recognition.EXACT),
        (names.get(fold(name), ""), Recognition.SPELLING),
        (segmented_as(name), Recognition.RULE),
        (_in_part(plain, clinic, known), Recognition.DERIVED),
        (_target(plain) if is_target(name) else "", Recognition.TARGET),
        (_of_organ(plain, clinic, known), Recognition.DERIVED),
        ("" if plain.startswith(("z", "_")) or not organ else plain, Recognition.DERIVED),
        ("" if plain.startswith(("z", "_")) else _by_rule(name, known), Recognition.RULE),
    )
    helper = Recognition.HELPER if plain.startswith(("z", "_")) else Recognition.NONE
    return next(((standard, how) for standard, how in ways if standard), ("", helper))


@lru_cache(maxsize=4)
def _by_fold(known: tuple[str, ...]) -> dict[str, str]:
    return {fold(each): each for each in known}


@lru_cache(maxsize=4)
def _by_letters(known: tuple[str, ...]) -> dict[str, str]:
    return {re.sub(r"[^a-z]", "", each.casefold()): each for each in known if not re.search(r"\d", each)}


def _target(name: str) -> str:
    """Return a target's name as TG-263 writes it: its type in capitals, tokens joined by ``_``, levels capitalised."""
    joined = re.sub(r"\s+", "_", name)
    kind = next(prefix for prefix in TARGET_PREFIXES if joined.upper().startswith(prefix))
    rest = re.sub(r"(?i)(?<=_)(high|mid|low)", lambda level: level[0].capitalize(), joined[len(kind) :])
    return f"{kind}{rest}"


def _of_organ(name: str, clinic: Mapping[str, str], known: Sequence[str]) -> str:
    """Return what is made of an organ as TG-263 writes it: ``SpinalCord_PRV05``, ``Lung_L-GTV``; else nothing."""
    risk = re.fullmatch(r"(.+?)[\s_-]*prv[\s_]*(?:(\d{1,3})\s*(?:mm)?)?(?:[\s_]+([LRlr]))?", name, re.IGNORECASE)
    less = re.fullmatch(r"(.+?)\s*-\s*(i?[gc]tv|itv|ptv)", name, re.IGNORECASE)
    match = risk or less
    if match is None or name.startswith(("z", "_")):
        return ""
    side = f"_{risk[3].upper()}" if risk is not None and risk[3] else ""
    organ, how = _standard(match[1] + side, clinic, known)
    if how not in (Recognition.CLINIC, Recognition.EXACT, Recognition.SPELLING, Recognition.RULE):
        return ""
    if risk is None:
        return f"{organ}-{match[2].upper()}"
    # The side comes last: OpticNrv_PRV03_L. Three digits are kept as they are.
    stem, side = (organ[:-2], organ[-2:]) if organ[-2:] in ("_L", "_R") else (organ, "")
    return f"{stem}_PRV{match[2].rjust(2, '0') if match[2] else ''}{side}"


def _in_part(name: str, clinic: Mapping[str, str], known: Sequence[str]) -> str:
    """Return the name of an organ that is not drawn whole, as TG-263 writes it: ``Lung~_L``; else nothing."""
    if name.count("~") != 1:
        return ""
    organ, how = _standard(name.replace("~", ""), clinic, known)
    if how not in (Recognition.CLINIC, Recognition.EXACT, Recognition.SPELLING, Recognition.RULE):
        return ""
    stem, side = (organ[:-2], organ[-2:]) if organ[-2:] in ("_L", "_R") else (organ, "")
    return f"{stem}~{side}"


def _by_rule(name: str, known: Sequence[str]) -> str:
    """Return the name that the words spell once the side is set aside, or nothing."""
    words = [word for word in re.split(r"[^a-z]+", name.casefold()) if word]
    sides = {_SIDE_WORDS[word] for word in words if word in _SIDE_WORDS}
    stem = "".join(word for word in words if word not in _SIDE_WORDS)
    if len(sides) > 1 or not stem or re.search(r"\d", name):
        return ""
    side = f"_{next(iter(sides))}" if sides else ""
    names = _by_letters(tuple(known))
    candidate = f"{_SYNONYMS[stem]}{side}" if stem in _SYNONYMS else names.get(stem + side[1:].casefold(), "")
    return candidate if candidate in names.values() else ""


def _suggest(name: str, known: Sequence[str]) -> str:
    side = side_of(name)
    near = [each for each in known if not side or side_of(each) in ("", side)]
    found = process.extractOne(name, near, scorer=fuzz.WRatio, processor=fold, score_cutoff=_SUGGEST_FROM)
    return str(found[0]) if found else ""


def name_findings(rows: Sequence[NameRow], placed: Sequence[Placed]) -> tuple[Finding, ...]:
    """Return what contradicts the names: left right of right, volumes that the organ cannot have, one name twice.

    So does a spelling that the clinic gave a meaning although it is itself the name of something else.

    x grows towards the patient's left in DICOM, whatever the position on the couch.
    """
    where = {place.roi: place for place in placed}
    return (*_sides(rows, where), *_volumes(rows, where), *_twice(rows), *_given_another_meaning(rows))


def _sides(rows: Sequence[NameRow], where: Mapping[str, Placed]) -> list[Finding]:
    by_name = {row.standard: where[row.roi] for row in rows if row.standard and row.roi in where}
    found = []
    for name, left in by_name.items():
        right = by_name.get(f"{name[:-2]}_R") if name.endswith("_L") else None
        if right is not None and left.x_mm < right.x_mm:
            message = f"{left.roi!r} lies to the patient's right of {right.roi!r}: are the names swapped?"
            rois = (left.roi, right.roi)
            found.append(Finding(level=Level.SERIOUS, code="sides-swapped", message=message, where=left.roi, rois=rois))
    return [*found, *_beyond_the_middle(by_name)]


def _beyond_the_middle(by_name: Mapping[str, Placed]) -> list[Finding]:
    """Return structures of one side, drawn without the other, that lie well on the other side of the body's middle."""
    body = next((place for name, place in by_name.items() if is_body(name)), None)
    found = []
    for name, place in by_name.items():
        side, other = name[-2:], {"_L": "_R", "_R": "_L"}.get(name[-2:])
        if body is None or other is None or f"{name[:-2]}{other}" in by_name:
            continue
        to_the_left_mm = place.x_mm - body.x_mm
        if (to_the_left_mm if side == "_L" else -to_the_left_mm) < -_MIDDLE_MM:
            where = "right" if side == "_L" else "left"
            message = f"{place.roi!r} lies in the patient's {where} half: is it named for the wrong side?"
            found.append(Finding(level=Level.WARNING, code="side-doubtful", message=message, where=place.roi))
    return found


def _volumes(rows: Sequence[NameRow], where: Mapping[str, Placed]) -> list[Finding]:
    found = []
    for row in rows:
        organ, place = find_organ(row.standard) if row.standard else None, where.get(row.roi)
        if organ is not None and place is not None and place.volume_cc > organ.largest_cc:
            message = (
                f"{number_text(place.volume_cc, digits=3)} cc is more than any {organ.name} has; is it named rightly?"
            )
            found.append(Finding(level=Level.WARNING, code="implausible-volume", message=message, where=row.roi))
        elif organ is not None and place is not None and _is_too_small(row.standard, place.volume_cc, organ):
            message = f"{number_text(place.volume_cc, digits=3)} cc is less than a {organ.name} has; is it drawn whole?"
            found.append(Finding(level=Level.WARNING, code="implausible-volume", message=message, where=row.roi))
    return found


def _is_too_small(name: str, volume_cc: float, organ: Organ) -> bool:
    """Whether a whole organ would be larger; a part of one (``~``) or what a target has left of it may be small."""
    return 0 < volume_cc < organ.smallest_cc and "~" not in name and "-" not in name


def _twice(rows: Sequence[NameRow]) -> list[Finding]:
    ordered = sorted((row for row in rows if row.standard), key=lambda row: row.standard)
    return [
        Finding(
            level=Level.WARNING,
            code="one-meaning-twice",
            message=f"{first.roi!r} and {second.roi!r} both mean {first.standard}; which one counts?",
            where=second.roi,
        )
        for first, second in pairwise(ordered)
        if first.standard == second.standard
    ]


def _given_another_meaning(rows: Sequence[NameRow]) -> list[Finding]:
    names = {fold(each): each for each in known_names()}
    return [
        Finding(
            level=Level.WARNING,
            code="alias-overrides-name",
            message=f"{row.roi!r} is read as {row.standard}, as an alias says, although it is the name of "
            f"{names[fold(row.roi)]}.",
            where=row.roi,
        )
        for row in rows
        if row.how is Recognition.CLINIC and names.get(fold(row.roi), row.standard) != row.standard
    ]
