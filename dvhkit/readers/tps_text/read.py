"""Read a DVH export of any known planning system."""

from __future__ import annotations

from pathlib import Path

from dvhkit.model.tps_dvh import TpsDvh, TpsExport
from dvhkit.readers.files.digest import file_sha256
from dvhkit.readers.tps_text.eclipse import is_eclipse, read_eclipse
from dvhkit.readers.tps_text.ends import with_doubts
from dvhkit.readers.tps_text.lines import damaged, read_lines
from dvhkit.readers.tps_text.monaco import is_monaco, read_monaco
from dvhkit.readers.tps_text.raystation import is_raystation, read_raystation
from dvhkit.readers.tps_text.table import is_table, read_table

# From what cannot be mistaken to what could be.
_DIALECTS = (
    ("RayStation", is_raystation, read_raystation),
    ("Monaco", is_monaco, read_monaco),
    ("Eclipse", is_eclipse, read_eclipse),
    ("CSV", is_table, read_table),
)


def read_tps_dvhs(path: Path | str) -> tuple[str, list[TpsDvh]]:
    """Return the dialect and the curves of a text export.

    Eclipse (cumulative and differential, Gy and cGy, plan sums, several languages and encodings), RayStation (both
    generations of headers), Monaco, and tables as ProKnow and Pinnacle scripts write them.

    Raises
    ------
    InputError
        With file, line and reason where the file is damaged, or of no known dialect.
    """
    path = Path(path)
    lines = read_lines(path)
    for name, knows, read in _DIALECTS:
        if knows(lines):
            # In a wide table all curves end with the last row.
            return name, with_doubts(path, read(path, lines), in_turn=name != "CSV")
    remedy = "Known are Eclipse, RayStation, Monaco, and tables of dose and volume (ProKnow, Pinnacle)."
    raise damaged(path, 1, "this is no DVH export of a known planning system.", remedy)


def read_tps_export(path: Path | str) -> TpsExport:
    """Return a text export with what tells it from others; raises as `read_tps_dvhs` does."""
    dialect, curves = read_tps_dvhs(path)
    return TpsExport(name=Path(path).name, dialect=dialect, sha256=file_sha256(Path(path)), curves=tuple(curves))
