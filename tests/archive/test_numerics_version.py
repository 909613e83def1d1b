"""Numbers change only together with `NUMERICS_VERSION`: stored results are taken for those of this engine.

If this fails and the change of numbers is meant: raise NUMERICS_VERSION, then
`python tests/archive/test_numerics_version.py` records the values anew.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dvhkit.engine.dvh import compute_dvh
from dvhkit.engine.numerics import NUMERICS_VERSION
from dvhkit.model.dose import Dose, DoseType
from dvhkit.phantoms.dose_fields import GaussianDose, sampled_gy
from dvhkit.phantoms.sets.phantom_set import axial_grid
from dvhkit.phantoms.shapes import HoleStyle, Hollow, structure
from dvhkit.phantoms.solids import Ellipsoid, rotation_about, sphere

GOLDEN = Path(__file__).with_name("golden_numbers.json")
# Sums of the same numbers in another order, by another processor or library, differ by less.
ROUNDING = 1e-9
TILT = rotation_about((1.0, 1.0, 0.0), 30.0)


def numbers() -> dict[str, float]:
    """Return volumes, doses and bands of a tilted ellipsoid and of a shell, on unequal slices in a round dose."""
    grid = axial_grid(shape_zyx=(22, 24, 26), spacing_xyz_mm=(2.5, 2.0, 3.0), first_xyz_mm=(-31.0, -22.0, -32.0))
    field = GaussianDose(centre_mm=(2.0, -1.0, 1.0), peak_gy=60.0, sigma_mm=16.0)
    dose = Dose(
        grid=grid,
        values_gy=sampled_gy(field, grid),
        quantum_gy=1e-4,
        dose_type=DoseType.PHYSICAL,
        summation_type="PLAN",
        sop_instance_uid="1.2.3",
        frame_of_reference_uid="",
    )
    planes = np.array([-18.0, -15.0, -12.0, -9.0, -7.0, -5.0, -3.0, -1.0, 1.0, 3.0, 5.0, 7.0, 9.0, 12.0, 15.0, 18.0])
    solids = {
        "tilted": Ellipsoid(
            centre_mm=(1.0, 2.0, 0.5), semi_axes_mm=(14.0, 9.0, 11.0), rotation=rotation_about((1, 1, 0), 30.0)
        ),
        "shell": Hollow(outer=sphere((0.0, 0.0, 0.0), 15.0), inner=sphere((1.0, 0.0, 0.0), 9.0)),
    }
    found = {}
    for name, solid in solids.items():
        drawn = structure(name, 1, solid, planes, n_points=48, holes=HoleStyle.KEYHOLE)
        dvh = compute_dvh(drawn, dose, with_band=True)
        found[f"{name} volume"] = dvh.volume_cc
        found[f"{name} mean"] = dvh.mean_gy or 0.0
        found[f"{name} max"] = dvh.max_gy or 0.0
        doses, volumes = dvh.curve(step_gy=5.0)
        found |= {f"{name} V{d:g}": float(v) for d, v in zip(doses, volumes, strict=True)}
    return found


@pytest.mark.requirement("R10")
def test_numbers_change_with_the_numerics_version_only():
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert golden["numerics_version"] == NUMERICS_VERSION, "record the golden values of the new version: see above"
    now = numbers()
    assert now.keys() == golden["numbers"].keys()
    changed = {
        k: (golden["numbers"][k], v) for k, v in now.items() if abs(v - golden["numbers"][k]) > ROUNDING * abs(v)
    }
    assert not changed, "numbers changed: raise NUMERICS_VERSION, then record them anew"


if __name__ == "__main__":
    document = {"numerics_version": NUMERICS_VERSION, "numbers": numbers()}
    GOLDEN.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
