"""Outcome models and parametric indices in the grammar: closed forms, scipy as the oracle, and what is refused."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dvhkit.errors import MetricSyntaxError, Reason
from dvhkit.metrics.evaluate import evaluate_metric
from dvhkit.metrics.expression import parse_metric
from dvhkit.metrics.radiobiology.biology import tcp_lq
from dvhkit.metrics.radiobiology.outcome_models import find_model, outcome_models
from dvhkit.metrics.registry import indices
from dvhkit.model.dvh import Dvh
from dvhkit.model.plan import Prescription

RX = Prescription(dose_gy=40.0, roi_number=None, origin="given by the user")


def dvh(dose_gy, part_cc, *, volume_cc=None, variants=()):
    dose_gy, part_cc = np.asarray(dose_gy, float), np.asarray(part_cc, float)
    return Dvh(
        roi="Organ",
        dose_gy=dose_gy,
        part_cc=part_cc,
        volume_cc=float(part_cc.sum()) if volume_cc is None else volume_cc,
        min_gy=float(dose_gy.min()),
        max_gy=float(dose_gy.max()),
        variants=variants,
    )


# Three quarters at 20 Gy, a quarter at 60 Gy: mean 30 Gy.
TWO_STEPS = dvh([20.0, 60.0], [75.0, 25.0])
BODY = dvh([5.0, 20.0, 42.0, 60.0], [900.0, 75.0, 5.0, 30.0])


def measured(metric, histogram=TWO_STEPS, **options):
    options = {"prescription": RX, "body": lambda: BODY} | options
    return evaluate_metric(metric, histogram, roi="Organ", **options)


def value(metric, histogram=TWO_STEPS, **options):
    row = measured(metric, histogram, **options)
    assert row.reason_code is None, row.reason
    return row.value


def geud(a):
    return (0.75 * 20.0**a + 0.25 * 60.0**a) ** (1 / a)


def poisson(dose_gy):
    return 2 ** -math.exp(math.e * 2 * (1 - dose_gy / 50))


CLOSED_FORMS = [
    ("NTCP_LKB(TD50=40Gy,m=0.2,n=0.5)", 100 * stats.norm.cdf((geud(2) - 40) / (0.2 * 40))),
    ("NTCP_LKB(TD50=30Gy,m=0.3,n=1)", 50.0),
    ("NTCP_LKB(TD50=4000cGy,m=0.2,n=0.5)", 100 * stats.norm.cdf((geud(2) - 40) / 8)),
    ("NTCP_Logistic(TD50=40Gy,gamma50=2,a=3)", 100 / (1 + (40 / geud(3)) ** 8)),
    ("NTCP_Logistic(TD50=30Gy,gamma50=2)", 50.0),
    ("NTCP_LogitMean(b0=-3.87,b1=0.126)", 100 / (1 + math.exp(3.87 - 0.126 * 30))),
    ("NTCP_Seriality(D50=50Gy,gamma50=2,s=1)", 100 * (1 - (1 - poisson(20)) ** 0.75 * (1 - poisson(60)) ** 0.25)),
    ("TCP_Poisson(D50=50Gy,gamma50=2)", 100 * poisson(20) ** 0.75 * poisson(60) ** 0.25),
    ("TCP_Logistic(D50=30Gy,gamma50=2,a=-10)", 100 / (1 + (30 / geud(-10)) ** 8)),
    ("Veff", 75.0),
    ("Veff(n=0.5)", 100 * (geud(2) / 40) ** 2),
    ("Veff(at=60Gy)", 50.0),
    ("HI_Spread(hot=5%,cold=95%)", 1.0),
    ("HI_Spread(hot=5%,cold=95%,over=20Gy)", 2.0),
    ("HI_MaxMinMean", 40 / 30),
    ("VRange(from=10Gy,to=30Gy)", 75.0),
    ("VRange(from=10Gy,to=30Gy)[cc]", 75.0),
    ("VRange(from=20Gy,to=60Gy)", 100.0),
    ("VRange(from=30Gy,to=50Gy)", 0.0),
    ("VRatio(at=20Gy,over=60Gy)", 4.0),
    ("VRatio(at=50%,over=100%)", 4.0),
    ("Coverage", 0.25),
    ("Coverage(at=50%)", 1.0),
    ("CI_RTOG", 35 / 100),
    ("CI_RTOG(at=20Gy)", 110 / 100),
    ("CI_Paddick(at=20Gy)", 100**2 / (100 * 110)),
    ("nCI_Nakamura(at=20Gy)", 110 * 100 / 100**2),
    ("Regret(at=20Gy)", 10.0),
    ("Regret(at=100%)", 10.0),
]


@pytest.mark.parametrize(("metric", "truth"), CLOSED_FORMS)
def test_each_comes_to_its_closed_form(metric, truth):
    assert value(metric) == pytest.approx(truth, rel=1e-12, abs=1e-12)


def test_control_by_survival_is_that_of_the_plain_function():
    truth = 100 * tcp_lq(TWO_STEPS, 8, alpha_per_gy=0.3, alpha_beta_gy=10.0, clonogens_per_cc=1e4)
    assert value("TCP_LQ(alpha=0.3,ab=10Gy,density=1e4)", fractions=8) == pytest.approx(truth)
    lacking = measured("TCP_LQ(alpha=0.3,ab=10Gy,density=1e4)")
    assert (lacking.value, lacking.reason_code) == (None, Reason.NO_FRACTIONS)


def test_a_converted_model_is_the_model_of_the_converted_doses():
    # 20 Gy in 10 fractions is 20 Gy, 60 Gy in 10 is 60 (6 + 3) / 5 = 108 Gy in EQD2 with alpha/beta 3 Gy.
    converted = dvh([20.0, 108.0], [75.0, 25.0])
    plain = value("NTCP_LKB(TD50=45.8Gy,m=0.12,n=0.97)", converted)
    assert value("EQD2_3:NTCP_LKB(TD50=45.8Gy,m=0.12,n=0.97)", fractions=10) == pytest.approx(plain)
    assert value("NTCP(liver-rild-metastases)", fractions=10) == pytest.approx(plain)
    assert measured("NTCP(liver-rild-metastases)").reason_code == Reason.NO_FRACTIONS


def test_a_shipped_model_says_where_it_is_from_and_how_far_it_was_checked():
    note = measured("NTCP(liver-rild-metastases)", fractions=10).note
    assert "Dawson 2002" in note
    assert "status S1" in note
    assert "TD50=45.8Gy" in note
    assert "research only" in note


@pytest.mark.parametrize("model", outcome_models(), ids=lambda model: model.id)
def test_every_shipped_model_is_sourced_and_reads_back(model):
    metric = parse_metric(f"NTCP({model.id})")
    assert metric.outcome_model is model
    assert parse_metric(metric.canonical) == metric
    assert parse_metric(model.formula).canonical.startswith(model.formula)
    assert model.source
    assert model.status in ("P", "T", "S2", "S1", "C", "X", "B")
    assert find_model(model.id.upper()) is model


@given(
    st.floats(5, 90),
    st.floats(0.05, 1.0),
    st.floats(0.05, 5.0),
    st.lists(st.tuples(st.floats(0, 90), st.floats(0.1, 50)), min_size=1, max_size=8),
)
def test_a_hotter_plan_is_never_safer(td50, m, n, parts):
    dose, part = np.array(sorted(d for d, _ in parts)), np.array([v for _, v in parts])
    metric = f"NTCP_LKB(TD50={td50:.4f}Gy,m={m:.4f},n={n:.4f})"
    cool, hot = value(metric, dvh(dose, part)), value(metric, dvh(dose + 1.0, part))
    assert 0.0 <= cool <= hot + 1e-9
    assert hot <= 100.0


def test_the_band_spans_the_variants_of_the_structure():
    wider = dvh([20.0, 60.0], [60.0, 40.0])
    row = measured("NTCP_LKB(TD50=40Gy,m=0.2,n=1)", dvh([20.0, 60.0], [75.0, 25.0], variants=(wider,)))
    assert row.low == pytest.approx(row.value)
    assert row.high == pytest.approx(value("NTCP_LKB(TD50=40Gy,m=0.2,n=1)", wider))


@pytest.mark.parametrize(
    ("metric", "histogram", "options", "reason"),
    [
        ("NTCP_LKB(TD50=40Gy,m=0.2,n=1)", None, {}, Reason.NO_DOSE),
        ("NTCP_LKB(TD50=40Gy,m=0.2,n=1)", dvh([20.0], [10.0], volume_cc=20.0), {}, Reason.OUTSIDE_DOSE_GRID),
        ("TCP_Poisson(D50=50Gy,gamma50=2)", dvh([20.0], [10.0], volume_cc=20.0), {}, Reason.OUTSIDE_DOSE_GRID),
        ("NTCP_LKB(TD50=40Gy,m=0.2,n=1)", dvh([20.0], [0.0]), {}, Reason.EMPTY_STRUCTURE),
        ("Veff", TWO_STEPS, {"prescription": None}, Reason.NO_PRESCRIPTION),
        ("CI_Paddick(at=95%)", TWO_STEPS, {"prescription": None}, Reason.NO_PRESCRIPTION),
        ("CI_Paddick(at=20Gy)", TWO_STEPS, {"body": None}, Reason.NO_STRUCTURE),
        ("HI_Spread(hot=200cc,cold=98%)", TWO_STEPS, {}, Reason.VOLUME_TOO_SMALL),
        ("VRatio(at=20Gy,over=70Gy)", TWO_STEPS, {}, Reason.NO_VOLUME),
        ("VRange(from=30Gy,to=10Gy)", TWO_STEPS, {}, Reason.NOT_APPLICABLE),
    ],
)
def test_what_is_lacking_is_a_reason_and_no_number(metric, histogram, options, reason):
    row = measured(metric, histogram, **options)
    assert (row.value, row.reason_code) == (None, reason)
    assert row.reason


@pytest.mark.parametrize(
    "text",
    [
        "NTCP",
        "NTCP()",
        "NTCP(unknown)",
        "TCP(liver-rild-metastases)",
        "NTCP(liver-rild-metastases)[Gy]",
        "EQD2_3:NTCP(liver-rild-metastases)",
        "NTCP_LKB",
        "NTCP_LKB(TD50=45.8Gy,m=0.12)",
        "NTCP_LKB(TD50=45.8,m=0.12,n=1)",
        "NTCP_LKB(TD50=45.8cc,m=0.12,n=1)",
        "NTCP_LKB(TD50=45.8Gy,m=0,n=1)",
        "NTCP_LKB(TD50=45.8Gy,m=0.12,n=1,n=2)",
        "NTCP_LKB(TD50=45.8Gy,m=0.12,n=1,q=2)",
        "NTCP_LKB(TD50=45.8Gy,m=0.12,n=1,2)",
        "NTCP_LKB(TD50=45.8Gy,m=1e999,n=1)",
        "NTCP_LKB(TD50=45.8Gy m=0.12)",
        "HI_Spread(2,98)",
        "HI_Spread(hot=200%,cold=98%)",
        "HI(hot=2%,cold=98%)",
        "CI_Paddick(95)",
        "R50(50%)",
        "EQD2_3:CI_Paddick",
        "EQD2_3:Veff",
        "EQD2_3:TCP_LQ(alpha=0.3,ab=10Gy,density=1e7)",
        "EQD2_3:VRange(from=10%,to=20Gy)",
        "EQD2_3:HI_Spread(hot=2%,cold=98%)",
    ],
)
def test_what_is_not_said_in_full_is_refused_with_a_form_that_is_known(text):
    with pytest.raises(MetricSyntaxError) as caught:
        parse_metric(text)
    assert "position" in caught.value.where
    assert "Did you mean" in caught.value.remedy


@pytest.mark.parametrize(
    ("typed", "canonical"),
    [
        ("ntcp_lkb(45.8 Gy, .12, .97)[%]", "NTCP_LKB(TD50=45.8Gy,m=0.12,n=0.97)[%]"),
        ("HI_Spread(D=2%)", None),
        ("hi spread ( 2 % , 98 % )", "HI_Spread(hot=2%,cold=98%)"),
        ("HI_Spread(hot=2%,cold=98%,over=6000cGy)", "HI_Spread(hot=2%,cold=98%,over=60Gy)"),
        ("CI_Paddick(at=100%)", "CI_Paddick"),
        ("Paddick CI", "CI_Paddick"),
        ("CN", "CI_Paddick"),
        ("Volume of regret (50 Gy)", "Regret(at=50Gy)[cc]"),
        ("VolumeOfRegret(50Gy)", "Regret(at=50Gy)[cc]"),
        ("gEUD(a=8)", "gEUD8[Gy]"),
        ("D95%(Gy)", "D95%[Gy]"),
        ("V20Gy (cc)", "V20Gy[cc]"),
        ("V_20Gy", "V20Gy[%]"),
    ],
)
def test_what_users_type_is_read_where_it_is_plain(typed, canonical):
    if canonical is None:
        with pytest.raises(MetricSyntaxError):
            parse_metric(typed)
    else:
        assert parse_metric(typed).canonical == canonical


@pytest.mark.parametrize("row", indices(), ids=lambda row: row.name)
def test_every_index_reads_back_from_its_canonical_form(row):
    arguments = ",".join(f"{p.name}=1.5{p.units[0].value}" for p in row.parameters if p.default is None)
    metric = parse_metric(f"{row.name}({arguments})" if arguments else row.name)
    assert parse_metric(metric.canonical) == metric
    for spelling in row.spellings:
        assert parse_metric(f"{spelling}({arguments})" if arguments else spelling) == metric
