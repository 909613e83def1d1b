"""The structured report holds each lesion's axes, in patient coordinates, as they were measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_masks import made_image
from shapes_drawn import box

from dvhkit.errors import InputError
from dvhkit.jobs.contours.lesions import measure_lesions
from dvhkit.outputs.rtstruct.write import NewRoi, write_rtstruct
from dvhkit.readers.case import read_image

highdicom = pytest.importorskip("highdicom")


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lesion")
    image = read_image(made_image(folder / "ct").folder)
    rois = [box((-6, -4, 44), (6, 4, 60), name="GTV"), box((0, 0, 44), (3, 9, 60), name="GTV_node")]
    rois = [NewRoi(structure=replace(s, frame_of_reference_uid=image.frame_of_reference_uid)) for s in rois]
    write_rtstruct(folder / "ct" / "rs.dcm", rois, source=None, image=image)
    return folder / "ct"


@pytest.mark.parametrize("what", ["folder", "lone file"])
def test_axes_are_lines_of_the_measured_length(case, tmp_path, what):
    out = tmp_path / "sr.dcm"
    table = measure_lesions(case if what == "folder" else case / "rs.dcm", sr=out)
    report = highdicom.sr.srread(out)
    groups = report.content.get_image_measurement_groups()
    assert [g.tracking_identifier for g in groups] == ["GTV", "GTV_node"]
    for group, lesion in zip(groups, table.lesions, strict=True):
        named = {m.name.meaning: m for m in group.get_measurements()}
        assert named["Long Axis"].value == pytest.approx(lesion.longest_mm, abs=1e-4)
        for name in ("Long Axis", "Short Axis"):
            line = named[name].referenced_coordinates[0].value
            # Coordinates are single floats.
            assert np.linalg.norm(line[1] - line[0]) == pytest.approx(float(named[name].value), abs=1e-3)
    assert float(groups[0].get_measurements()[0].value) == pytest.approx(np.hypot(12, 8), abs=1e-3)


def test_nothing_measured_leaves_no_report(case, tmp_path):
    out = tmp_path / "sr.dcm"
    with pytest.raises(InputError, match="is named"):
        measure_lesions(case, roi=["Liver"], sr=out)
    assert not out.exists()
