"""Size and shape of a structure: measured on its contours, so that a DVH alone does not know them."""

from __future__ import annotations

from dvhkit.errors import NotEvaluable, Reason
from dvhkit.metrics.registry import Dimension, metric
from dvhkit.model.dvh import Dvh
from dvhkit.units import Unit


def _unknown(dvh: Dvh, _: float) -> float:
    raise NotEvaluable(
        f"a DVH of {dvh.volume_cc:.3g} cc tells no shape; the contours are needed.", reason=Reason.NO_STRUCTURE
    )


_SOURCE = "Eisenhauer 2009 (RECIST 1.1): in the imaging plane; here inside the structure"
_LENGTH = (Unit.MM,)
_WHOLE = "area of the whole surface of the solid"

metric("Diameter", gives=Dimension.LENGTH, needs_dose=False, gives_units=_LENGTH, source=_SOURCE)(_unknown)
metric("ShortAxis", gives=Dimension.LENGTH, needs_dose=False, gives_units=_LENGTH, source=_SOURCE)(_unknown)
metric("Surface", gives=Dimension.AREA, needs_dose=False, gives_units=(Unit.CM2,), source=_WHOLE)(_unknown)
metric("Sphericity", gives=Dimension.NONE, needs_dose=False, gives_units=(Unit.NONE,), source="Wadell 1935")(_unknown)

SHAPE_KINDS = ("Diameter", "ShortAxis", "Surface", "Sphericity")
