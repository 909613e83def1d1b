"""DICOM SEG files damaged in seeded ways: each ends in labels or in one sentence, never in a fault or a flood."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "targets_vertebra"))

import seg_objects as seg
from mutations import mutants

from dvhkit.errors import DvhkitError
from dvhkit.jobs.vertebra.segments import read_segments
from dvhkit.phantoms.sets.phantom_set import axial_grid
from dvhkit.readers.masks.segmentation import read_segmentation

N_MUTANTS = 400
GRID = axial_grid(shape_zyx=(7, 24, 20), spacing_xyz_mm=(1.5, 1.5, 3.0))


@pytest.fixture(scope="module", params=[False, True], ids=["binary", "labelmap"])
def original(request, tmp_path_factory):
    bone, spinous = np.zeros(GRID.shape_zyx, dtype=bool), np.zeros(GRID.shape_zyx, dtype=bool)
    bone[1:5, 4:16, 3:15] = True
    spinous[2:6, 18:22, 8:12] = True
    segments = {1: ("vertebrae_L3", bone), 2: ("zSP_L03", spinous)}
    made = seg.seg_object(GRID, segments, labelmap=request.param, frame_uid="1.2.3.4")
    return seg.save(made, tmp_path_factory.mktemp("seg") / "seg.dcm").read_bytes()


def read_whole(path):
    """Read as the commands do: segments by name, their voxels, and the raw reader."""
    stored = read_segmentation(path)
    stored.labels({s.number: n for n, s in enumerate(stored.segments[:9], start=1)})
    read_segments(path, None)


def test_damaged_segmentations_end_in_labels_or_a_sentence(original, tmp_path):
    path = tmp_path / "damaged.dcm"
    before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    refused, read = [], 0
    for what, data in mutants({"seg": original}, N_MUTANTS, seed=20261122):
        path.write_bytes(data)
        try:
            read_whole(path)
            read += 1
        except DvhkitError as bad:
            sentence = str(bad)
            assert sentence, what
            assert "\n" not in sentence, what
            assert "\x1b" not in sentence, what
            refused.append(sentence)
    # The damage must matter, and not only such as the first bytes betray.
    assert read > N_MUTANTS // 20
    assert len(set(refused)) > 15
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before_mb < 300
