"""The metric grammar: lenient in, canonical out, units never guessed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvhkit.errors import MetricSyntaxError
from dvhkit.metrics.expression import FORMS, Metric, parse_metric
from dvhkit.units import Quantity, Unit

CANONICAL = [
    "D95%[Gy]",
    "D0.03cc[Gy]",
    "D2%[%]",
    "D0.03cc[%]",
    "V20Gy[%]",
    "V20Gy[cc]",
    "V100%[%]",
    "V95%[cc]",
    "Mean[Gy]",
    "Mean[%]",
    "Max[Gy]",
    "Min[%]",
    "Median[Gy]",
    "SD[Gy]",
    "SD[%]",
    "Volume[cc]",
    "DC700cc[Gy]",
    "DC10%[Gy]",
    "CV15Gy[cc]",
    "CV15Gy[%]",
    "CV95%[%]",
    "EQD2_3:Mean[Gy]",
    "EQD2_2:D0.03cc[Gy]",
    "EQD2_2.5:V20Gy[%]",
    "BED_10:D95%[Gy]",
    "CI_Paddick",
    "CI_RTOG",
    "GI_Paddick",
    "R50",
    "HI_ICRU83",
    "HI_D5D95",
]

LENIENT = {
    "d95%[gy]": "D95%[Gy]",
    " D 95 % [ Gy ] ": "D95%[Gy]",
    "D0.03cm3": "D0.03cc[Gy]",
    "D0.03cm³": "D0.03cc[Gy]",
    "D.03ml[cGy]": "D0.03cc[Gy]",
    "D35mm3": "D0.035cc[Gy]",
    "D0.03cc": "D0.03cc[Gy]",
    "D2%": "D2%[Gy]",
    "V20Gy": "V20Gy[%]",
    "V2000cGy[cm3]": "V20Gy[cc]",
    "V100%": "V100%[%]",
    "CV15Gy": "CV15Gy[%]",
    "V10Gy_CC": "V10Gy[cc]",
    "D1CC_cGy": "D1cc[Gy]",
    "dc700CC": "DC700cc[Gy]",
    "Dmax": "Max[Gy]",
    "DMEAN[%]": "Mean[%]",
    "dmin": "Min[Gy]",
    "mean": "Mean[Gy]",
    "max dose": "Max[Gy]",
    "volume": "Volume[cc]",
    "vol[ml]": "Volume[cc]",
    "D95.0%": "D95%[Gy]",
    "D007cc": "D7cc[Gy]",
    "eqd2(3): d2%": "EQD2_3:D2%[Gy]",
    "BED10:mean": "BED_10:Mean[Gy]",
    "bed_3.0:V20Gy": "BED_3:V20Gy[%]",
    "ci_paddick[]": "CI_Paddick",
    "Paddick_CI": "CI_Paddick",
    "CN_vantRiet": "CI_Paddick",
}


@pytest.mark.parametrize("text", [*CANONICAL, *FORMS])
def test_canonical_form_reads_back_as_itself(text):
    assert parse_metric(text).canonical == text


@pytest.mark.parametrize(("typed", "canonical"), LENIENT.items())
def test_what_users_type_becomes_canonical(typed, canonical):
    assert parse_metric(typed).canonical == canonical


def test_argument_and_result_carry_their_units():
    assert parse_metric("V1500cGy[cc]") == Metric(kind="V", at=Quantity(15.0, Unit.GY), unit=Unit.CC)
    assert parse_metric("D2%[%]") == Metric(kind="D", at=Quantity(2.0, Unit.PERCENT), unit=Unit.PERCENT)
    assert parse_metric("Mean") == Metric(kind="Mean", at=None, unit=Unit.GY)


REFUSED = [  # text, position of the fault, what the message must offer
    ("D100", 5, "D100%[Gy] or D100cc[Gy]"),
    ("D95[Gy]", 4, "D95%[Gy] or D95cc[Gy]"),
    ("V20", 4, "V20%[%] or V20Gy[%]"),
    ("Men[Gy]", 1, "Mean[Gy]"),
    ("Maen", 1, "Mean[Gy]"),
    ("V20Gy[Gy]", 7, "V20Gy[%]"),
    ("D20Gy", 4, "V20Gy[%]"),
    ("DC15Gy", 5, "CV15Gy[%]"),
    ("V95cc", 4, "D95cc[Gy]"),
    ("D0,03cc", 3, "D0.03cc[Gy]"),
    ("D-5cc", 2, "D0.03cc[Gy]"),
    ("D150%", 2, "D95%[Gy]"),
    ("D95%[Gy", 5, "D95%[Gy]"),
    ("D95%[Gy]x", 9, "D95%[Gy]"),
    ("D95%[]", 6, "D95%[Gy]"),
    ("Mean95%", 5, "Mean[Gy]"),
    ("Mean[cc]", 6, "Mean[Gy]"),
    ("Volume[Gy]", 8, "Volume[cc]"),
    ("", 1, "D95%[Gy]"),
    ("D", 2, "D95%[Gy]"),
    ("[Gy]", 1, "[Gy]"),
    ("95%", 1, "D95%[Gy]"),
    ("Dnan%", 1, "[Gy]"),
    ("CI", 1, "CI_RTOG or CI_Paddick"),
    ("HI[%]", 1, "HI_ICRU83"),
    ("CI_Padick", 1, "CI_Paddick"),
    ("R50[Gy]", 5, "R50"),
    ("EQD2_3:Men", 8, "Mean[Gy]"),
    ("EQD23:Mean", 1, "Mean[Gy]"),
    ("EQD2_0:Mean", 6, "Mean[Gy]"),
    ("EQD2_3:Mean[%]", 8, "Mean[Gy]"),
    ("EQD2_3:V95%", 8, "V95%[%]"),
    ("BED_3:Volume", 7, "Volume[cc]"),
    ("D95%[Gy]\nMean", 10, "D95%[Gy]"),
    ("D" + "9" * 400 + "%", 1, "[Gy]"),
]


@pytest.mark.parametrize(("text", "position", "offer"), REFUSED)
def test_refusal_names_text_position_and_nearest_form(text, position, offer):
    with pytest.raises(MetricSyntaxError) as caught:
        parse_metric(text)
    assert caught.value.where == f"position {position}"
    assert repr(text)[:20] in caught.value.message
    assert "Did you mean" in str(caught.value)
    assert offer in str(caught.value)


@given(st.text(max_size=25))
def test_any_text_parses_to_a_stable_canonical_form_or_is_refused(text):
    try:
        metric = parse_metric(text)
    except MetricSyntaxError:
        return
    assert parse_metric(metric.canonical) == metric


@given(
    kind=st.sampled_from(["D", "DC", "V", "CV"]),
    value=st.floats(min_value=1e-6, max_value=90, allow_nan=False),
)
def test_printed_argument_keeps_its_value(kind, value):
    unit = "cc" if kind.startswith("D") else "Gy"
    metric = parse_metric(f"{kind}{value:.9f}{unit}")
    again = parse_metric(metric.canonical)
    assert again.at.value == pytest.approx(metric.at.value, rel=1e-11)
