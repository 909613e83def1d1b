"""What turns and what moves in a beam: read from control points, each keeping what the one before it stated."""

from __future__ import annotations

import pytest
from made_sets import MadeSet, plan
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from dvhkit.readers.rtplan import read_plan


def point(direction=None, leaves=None, kind="MLCX"):
    made = Dataset()
    made.NominalBeamEnergy = 6
    if direction is not None:
        made.GantryRotationDirection = direction
    if leaves is not None:
        device, jaw = Dataset(), Dataset()
        jaw.RTBeamLimitingDeviceType, jaw.LeafJawPositions = "ASYMX", [-len(leaves), leaves[0]]
        device.RTBeamLimitingDeviceType, device.LeafJawPositions = kind, leaves
        made.BeamLimitingDevicePositionSequence = Sequence([jaw, device])
    return made


@pytest.mark.parametrize(
    ("points", "rotation", "leaves_move"),
    [
        ([point("CW", [-5, 5]), point(None, [-4, 5]), point("NONE")], "CW", True),
        ([point("NONE", [-5, 5]), point()], "NONE", False),
        ([point("NONE", [-5, 5]), point("CC", ["-5.0", "5.00"]), point("NONE")], "CC", False),
        ([point("NONE"), point()], "NONE", None),
        ([point(), point()], "", None),
        ([point("NONE"), point("CW")], "NONE", None),  # the last control point leads nowhere
        ([point("CC", [-5, 5], kind="MLCY"), point(None, [-5, 6], kind="MLCY")], "CC", True),
        ([point("CW", [-5, 5], kind="X"), point(None, [-6, 6], kind="X")], "CW", None),  # jaws are no leaves
    ],
)
def test_gantry_and_leaves(tmp_path, points, rotation, leaves_move):
    made = MadeSet(tmp_path)
    data = plan(made.uids)
    data.BeamSequence[0].ControlPointSequence = Sequence(points)
    result, _ = read_plan(made.write("rp", data))
    assert (result.beams[0].gantry_rotation, result.beams[0].leaves_move) == (rotation, leaves_move)
    assert result.beams[0].nominal_energies == (6.0,)
