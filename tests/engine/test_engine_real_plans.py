"""Against planning systems: RayStation on a phantom, and the DVHs that a system stored in its own RTDOSE."""

from __future__ import annotations

import pytest
from scipy.integrate import trapezoid

from dvhkit.engine.dvh import compute_dvh
from dvhkit.engine.options import EngineOptions, profile

case_reader = pytest.importorskip("dvhkit.readers.case")
OPTIONS = [EngineOptions(), profile("prism")]


def dvh_of(case, name, options):
    spacing = case.image.grid.plane_spacing_mm if case.image else None
    return compute_dvh(case.structures[name], case.dose, options=options, slice_spacing_mm=spacing)


@pytest.mark.real
@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: o.profile)
def test_the_phantom_plan_has_the_planning_systems_numbers(real_data, options):
    case = case_reader.read_case(real_data / "alderson_vmat")
    ptv, rectum = dvh_of(case, "PTV", options), dvh_of(case, "Rectum", options)
    assert ptv.mean_gy == pytest.approx(60.07, rel=0.003)
    assert ptv.dose_to_hottest_gy(0.95 * ptv.volume_cc) == pytest.approx(58.62, rel=0.005)
    assert rectum.mean_gy == pytest.approx(15.58, rel=0.01)


@pytest.mark.real
@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: o.profile)
@pytest.mark.parametrize(
    ("name", "tolerance"), [("Heart", 0.01), ("Lt Lung", 0.01), ("Tumor Bed", 0.01), ("Breast", 0.015)]
)
def test_mean_doses_are_those_of_the_stored_dvhs(real_data, options, name, tolerance):
    case = case_reader.read_case(real_data / "breast_tps_dvh")
    number = case.structures[name].number
    stored = next(d for d in case.dose.stored_dvhs if d.roi_number == number)
    # The area under a cumulative curve is the mean dose, whatever the width of its bins.
    mean = stored.dose_gy[0] + trapezoid(stored.volume_pct, stored.dose_gy) / stored.volume_pct[0]
    assert dvh_of(case, name, options).mean_gy == pytest.approx(mean, rel=tolerance)
