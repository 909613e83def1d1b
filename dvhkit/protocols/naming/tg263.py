"""FMA codes of the common structures, and a clinic's own copy of the TG-263 table.

The codes are those of the Foundational Model of Anatomy as the TG-263 worksheet of 2017-08-15 gives them; a structure
that is no single thing there (great vessels, bowel bag) has none. TG-263 itself is AAPM's: who has the worksheet as CSV
names it, and all its names are known then.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path

from dvhkit.errors import InputError

_FMA = {
    "A_Aorta": 3734, "A_Carotid_L": 4058, "A_Carotid_R": 3941, "Bladder": 15900, "Bladder_Wall": 15902, "Body": 256135,
    "Bone_Mandible": 52748, "BoneMarrow": 9608, "Bowel": 7199, "Bowel_Small": 7200, "BrachialPlex_L": 45245,
    "BrachialPlex_R": 45244, "Brain": 50801, "Brainstem": 79876, "Breast_L": 321497, "Breast_R": 321496,
    "Bronchus": 26660, "Bronchus_Main_L": 7396, "Bronchus_Main_R": 7395, "Canal_Anal": 15703, "CaudaEquina": 52590,
    "Cavity_Oral": 20292, "Chestwall_L": 25559, "Chestwall_R": 25558, "Cochlea_L": 60203, "Cochlea_R": 60202,
    "Colon": 14543, "Colon_Sigmoid": 14548, "Duodenum": 7206, "Esophagus": 7131, "Eye_L": 12515, "Eye_R": 12514,
    "Femur_Head_L": 32843, "Femur_Head_R": 32842, "Gallbladder": 7202, "Glnd_Submand_L": 59803,
    "Glnd_Submand_R": 59802, "Glnd_Thyroid": 9603, "Heart": 7088, "Hippocampus_L": 275024, "Hippocampus_R": 275022,
    "Kidney_Cortex_L": 15584, "Kidney_Cortex_R": 15583, "Kidney_Hilum_L": 15942, "Kidney_Hilum_R": 15941,
    "Kidney_Hilums": 15610, "Kidney_L": 7205, "Kidney_R": 7204, "Kidneys": 264815, "Larynx": 55097, "Lens_L": 58243,
    "Lens_R": 58242, "Liver": 7197, "Lung_L": 7310, "Lung_R": 7309, "Lungs": 68877, "Musc_Constrict": 46620,
    "OpticChiasm": 62045, "OpticNrv_L": 50878, "OpticNrv_R": 50875, "Ovary_L": 7214, "Ovary_R": 7213,
    "Pancreas": 7198, "Parotid_L": 59798, "Parotid_R": 59797, "Parotids": 320436, "PenileBulb": 19614,
    "Pericardium": 9869, "Pituitary": 13889, "Prostate": 9600, "Rectum": 14544, "Retina_L": 58303, "Retina_R": 58302,
    "SacralPlex": 5909, "SeminalVes": 19387, "Skin": 7163, "SpinalCanal": 9680, "SpinalCord": 7647, "Spleen": 7196,
    "Stomach": 7148, "Testis_L": 7212, "Testis_R": 7211, "ThecalSac": 83720, "Trachea": 7394, "Urethra": 19667,
    "Uterus": 17558,
}  # fmt: skip
_MAX_BYTES = 4 * 1024 * 1024
_NAME_HEADINGS = ("tg263primaryname", "primaryname")
_CODE_HEADINGS = ("fmaid", "fma")


def fma_code(name: str, table: Mapping[str, str] | None = None) -> str:
    """Return the FMA code of a TG-263 name, empty where it has none; a clinic's own `table` comes first."""
    if table and table.get(name):
        return table[name]
    return str(_FMA[name]) if name in _FMA else ""


def load_tg263(path: Path | str) -> dict[str, str]:
    """Return the FMA codes by TG-263 name of a worksheet saved as CSV; empty text where it states none.

    The columns ``TG263-Primary Name`` and, where there is one, ``FMAID`` are read.

    Raises
    ------
    InputError
        If the file cannot be read or has no such column.
    """
    path = Path(path)
    rows = list(csv.reader(io.StringIO(_text(path))))
    heading = [re.sub(r"[^a-z0-9]", "", cell.casefold()) for cell in rows[0]] if rows else []
    at = next((heading.index(name) for name in _NAME_HEADINGS if name in heading), None)
    if at is None:
        raise InputError(
            "this is no TG-263 worksheet: the column 'TG263-Primary Name' is missing.",
            path=path,
            where="line 1",
            remedy="Save AAPM's worksheet as CSV with its heading.",
        )
    code_at = next((heading.index(name) for name in _CODE_HEADINGS if name in heading), len(heading))
    found: dict[str, str] = {}
    for row in rows[1:]:
        name = row[at].strip() if at < len(row) else ""
        code = row[code_at].strip() if code_at < len(row) else ""
        if name and len(name) <= 64:
            found.setdefault(name, code if code.isdigit() else "")
    return found


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except (OSError, ValueError) as bad:
        raise InputError(f"the file cannot be read: {bad}.", path=path) from bad
    if len(raw) > _MAX_BYTES:
        raise InputError(f"the file has {len(raw)} bytes; at most {_MAX_BYTES} are read.", path=path)
    return raw.decode("utf-8-sig", errors="replace").replace("\0", "")
