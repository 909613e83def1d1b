"""What a name says a target is, and what merely begins with the same letters."""

import pytest

from dvhkit.model.roi_kinds import kind_by_name


@pytest.mark.parametrize(
    ("name", "rt_roi_type", "kind"),
    [
        ("PTV", "", "PTV"), ("PTV_High", "", "PTV"), ("ptv 50.4", "", "PTV"), ("PTV-03", "", "PTV"),
        ("GTVp1", "", "GTV"), ("GTVn", "", "GTV"), ("CTVsb", "", "CTV"), ("PTVpar", "", "PTV"),
        ("PTVboost", "", "PTV"), ("CTVnodes", "", "CTV"), ("PTVLeber", "", "PTV"), ("PTVlung", "", "PTV"),
        ("PTV!D3", "", "PTV"), ("PTV-GTV", "", "PTV"), ("CTV_L3", "", "CTV"),
        ("IGTV", "", "ITV"), ("iGTV_50", "GTV", "GTV"), ("ICTV", "", "ITV"),
        # A type is the system's word for it, whatever the name.
        ("GTVleber", "GTV", "GTV"), ("Tumor", "GTV", "GTV"), ("CTVision", "CTV", "CTV"),
        ("CTVision", "", None), ("CTVision", "ORGAN", None), ("ITVertigo", "", None), ("IGTVision", "", None),
        ("PTV-RING", "", None), ("PTV_Ring", "PTV", None), ("zPTV", "PTV", None), ("PTV_Opt", "PTV", None),
        ("Liver", "ORGAN", None),
    ],
)  # fmt: skip
def test_a_target_is_told_from_names_that_begin_like_one(name, rt_roi_type, kind):
    assert kind_by_name(name, rt_roi_type) == kind
