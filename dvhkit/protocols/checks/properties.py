"""What rules look at beside structures: the planning image and the prescription."""

from __future__ import annotations

from dvhkit.errors import NotEvaluable, Reason
from dvhkit.metrics.radiobiology.biology import bed_gy, eqd2_gy
from dvhkit.protocols.facts import ImageFacts


def image_value(name: str, image: ImageFacts | None) -> tuple[float, str]:
    """Return a length of the planning image in mm, and a note.

    ``image.slice_spacing`` is the larger of slice thickness and real distance between slices; ``image.pixel_spacing``
    the larger of the two distances between pixels. Raises `NotEvaluable` without an image.
    """
    if image is None:
        raise NotEvaluable("there is no planning image beside the structures.", reason=Reason.NO_IMAGE)
    if name == "image.slice_spacing":
        if image.slice_spacing_mm is None:
            raise NotEvaluable(
                "only one image slice is at hand, so the distance between slices is not known; "
                "its SliceThickness alone does not tell it.",
                reason=Reason.NO_IMAGE,
            )
        return image.slice_spacing_mm, ""
    columns_mm, rows_mm = image.pixel_spacing_mm
    return max(columns_mm, rows_mm), f"{columns_mm:.5g} x {rows_mm:.5g} mm"


def dose_value(spacing_mm: tuple[float, float, float] | None) -> tuple[float, str]:
    """Return ``dose.grid_spacing``: the largest distance between neighbouring dose voxels in mm, and a note."""
    if spacing_mm is None:
        raise NotEvaluable("there is no dose grid whose spacing is known.", reason=Reason.NO_DOSE)
    return max(spacing_mm), " x ".join(f"{side:.5g}" for side in spacing_mm) + " mm"


def prescription_value(name: str, dose_gy: float, fractions: int | None) -> float:
    """Return a property of one prescription: Gy, or the number of fractions.

    ``bedN`` and ``eqd2_N`` are by the linear-quadratic model with an alpha/beta of N Gy. Raises `NotEvaluable` where
    the number of fractions is needed and not known.
    """
    what = name.removeprefix("prescription.")
    if what == "dose":
        return dose_gy
    if fractions is None or fractions < 1:
        raise NotEvaluable("nobody states the number of fractions.", reason=Reason.NO_FRACTIONS)
    if what == "fractions":
        return float(fractions)
    if what == "dose_per_fraction":
        return dose_gy / fractions
    if what.startswith("eqd2_"):
        alpha_beta_gy = float(what.removeprefix("eqd2_"))
        return eqd2_gy(dose_gy, fractions, alpha_beta_gy)
    return bed_gy(dose_gy, fractions, float(what.removeprefix("bed")))
