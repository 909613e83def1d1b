"""A made-up but believable liver SBRT audit, drawn from by the tests of all outputs."""

from __future__ import annotations

import math
from dataclasses import replace

from dvhkit.findings import Finding, Level
from dvhkit.results.audit import AuditRecord, Curve, InputFile, MetricResult, Provenance, RuleResult, Verdict


def sigmoid_curve(roi: str, kind: str, colour: tuple[int, int, int] | None, volume_cc: float, *bends: float) -> Curve:
    """A cumulative curve of (dose of the bend, width, share) triples that add up to 100 %."""
    triples = list(zip(bends[0::3], bends[1::3], bends[2::3], strict=True))
    doses = tuple(round(0.1 * i, 1) for i in range(int((max(b for b, _, _ in triples) + 14) * 10)))

    def volume_pct(dose: float) -> float:
        return 100 * sum(share / (1 + math.exp((dose - bend) / width)) for bend, width, share in triples)

    top = volume_pct(0.0)
    volumes = [100 * volume_pct(d) / top for d in doses]
    last = next((i for i, v in enumerate(volumes) if v < 0.01), len(doses) - 1) + 1
    return Curve(
        roi=roi,
        roi_type=kind,
        color_rgb=colour,
        volume_cc=volume_cc,
        dose_gy=doses[:last],
        volume_pct=(*volumes[: last - 1], 0.0),
    )


CURVES = (
    sigmoid_curve("BODY", "EXTERNAL", (0, 255, 0), 21873.4, 0.6, 0.35, 0.86, 6.0, 3.0, 0.13, 20.0, 8.0, 0.01),
    sigmoid_curve("GTV", "GTV", (255, 0, 0), 14.21, 63.5, 0.5, 1.0),
    sigmoid_curve("CTV", "CTV", (255, 128, 0), 24.07, 62.3, 0.6, 1.0),
    sigmoid_curve("PTV", "PTV", (255, 255, 0), 48.66, 60.4, 1.1, 0.9, 56.0, 1.4, 0.1),
    sigmoid_curve("Liver", "ORGAN", (160, 82, 45), 1523.8, 3.0, 1.8, 0.7, 17.0, 6.0, 0.25, 56.0, 4.0, 0.05),
    sigmoid_curve("Liver-GTV", "ORGAN", (205, 133, 63), 1509.6, 3.0, 1.8, 0.71, 16.0, 6.0, 0.26, 55.0, 4.0, 0.03),
    sigmoid_curve("Kidney_L", "ORGAN", (0, 0, 255), 171.2, 1.1, 0.5, 1.0),
    sigmoid_curve("Kidney_R", "ORGAN", (0, 255, 255), 164.9, 4.6, 1.7, 0.9, 10.0, 2.0, 0.1),
    sigmoid_curve("SpinalCord", "ORGAN", (255, 255, 255), 39.4, 5.4, 2.6, 0.8, 10.5, 0.9, 0.2),
    sigmoid_curve("Stomach", "ORGAN", (255, 0, 255), 241.0, 4.0, 2.0, 0.8, 15.0, 3.4, 0.2),
    sigmoid_curve("Duodenum", "ORGAN", (0, 128, 128), 78.3, 9.0, 3.0, 0.7, 23.0, 3.0, 0.3),
    sigmoid_curve("Rib_08_R", "ORGAN", None, 11.7, 18.0, 6.0, 0.6, 38.0, 4.0, 0.4),
)

RULES = (
    RuleResult(
        rule_id="ct-slice-spacing", title="Planning CT slices at most 3 mm apart", roi="",
        quantity="image.slice_spacing", goal="<= 3 mm", variation="", value=2.5, unit="mm", margin=0.5,
        verdict=Verdict.PASS, source="Wang 2025, Immobilization, localization, imaging", status="P", priority=2,
    ),
    RuleResult(
        rule_id="ct-pixel", title="Planning CT pixels at most 1 x 1 mm", roi="", quantity="image.pixel_spacing",
        goal="<= 1 mm", variation="", value=0.9765625, unit="mm", margin=0.0234375, verdict=Verdict.PASS,
        source="Wang 2025, Immobilization, localization, imaging", status="P", priority=2,
    ),
    RuleResult(
        rule_id="ptv-coverage", title="PTV: 95 % of the volume receives the prescribed dose", roi="PTV",
        quantity="D95%[Gy]", goal=">= 60 Gy", variation=">= 57 Gy", value=57.412, unit="Gy", low=57.02, high=57.81,
        margin=-2.588, verdict=Verdict.VARIATION, reason="Below the goal, inside the allowed variation.",
        source="Wang 2025, Dose prescription", status="P", note="60 Gy in 10 fractions to PTV (RTPLAN)",
    ),
    RuleResult(
        rule_id="bed", title="Biologically effective dose of the prescription", roi="PTV", quantity="BED10",
        goal=">= 60 Gy", variation="", value=96.0, unit="Gy", margin=36.0, verdict=Verdict.PASS,
        source="Wang 2025, Dose prescription", status="P", note="α/β = 10 Gy",
    ),
    RuleResult(
        rule_id="liver-spared-volume", title="Liver minus GTV: at least 700 cc receive at most 15 Gy",
        roi="Liver-GTV", quantity="DC700cc[Gy]", goal="<= 15 Gy", variation="", value=3.214, unit="Gy",
        margin=11.786, verdict=Verdict.PASS, source="Wang 2025, Organs at risk", status="P",
        note="applies: liver_metastasis is set in the context",
    ),
    RuleResult(
        rule_id="duodenum-max", title="Duodenum: near-maximum dose", roi="Duodenum", quantity="D0.03cc[Gy]",
        goal="<= 30 Gy", variation="", value=33.4871, unit="Gy", margin=-3.4871, verdict=Verdict.FAIL,
        source="Local limit of the demo protocol", status="B",
    ),
    RuleResult(
        rule_id="cord-max", title="Spinal cord: near-maximum dose", roi="SpinalCord", quantity="D0.03cc[Gy]",
        goal="<= 28 Gy", variation="", value=14.92, unit="Gy", margin=13.08, verdict=Verdict.PASS,
        source="AAPM TG-101, Table III", status="S2",
    ),
    RuleResult(
        rule_id="kidneys-v12", title="Right kidney: volume that receives 12 Gy", roi="Kidney_R",
        quantity="V12Gy[%]", goal="<= 25 %", variation="<= 33 %", value=2.718, unit="%", margin=22.282,
        verdict=Verdict.PASS, source="AAPM TG-101, Table III", status="S2", priority=2,
    ),
    RuleResult(
        rule_id="ptv-margin", title="PTV: 2 to 5 mm around the CTV", roi="PTV", quantity="margin",
        goal="2..5 mm", variation="", value=None, unit="mm", verdict=Verdict.NOT_EVALUABLE,
        reason_code="not-yet-evaluable", reason="This version of dvhkit does not measure margins yet.",
        source="Wang 2025, Treatment volumes", status="P", priority=2,
    ),
    RuleResult(
        rule_id="bowel-v45", title="Bowel: volume that receives 45 Gy", roi="Bowel", quantity="V45Gy[cc]",
        goal="<= 195 cc", variation="", value=None, unit="cc", verdict=Verdict.NOT_APPLICABLE,
        reason_code="no-structure", reason="The plan has no structure that matches Bowel, and the rule is optional.",
        source="QUANTEC (Marks 2010), Table 1", status="T", priority=3,
    ),
)  # fmt: skip

METRICS = (
    MetricResult(roi="PTV", metric="Volume[cc]", unit="cc", value=48.6612),
    MetricResult(roi="PTV", metric="D98%[Gy]", unit="Gy", value=54.871, low=54.5, high=55.2),
    MetricResult(roi="PTV", metric="Mean[Gy]", unit="Gy", value=60.0213),
    MetricResult(roi="PTV", metric="V100%[%]", unit="%", value=71.44, note="100 % is 60 Gy (RTPLAN)"),
    MetricResult(roi="Lens_L", metric="Volume[cc]", unit="cc", value=0.03214),
    MetricResult(
        roi="Lens_L", metric="D2cc[Gy]", unit="Gy", value=None, reason_code="volume-too-small",
        reason="Lens_L has 0.03214 cc with dose, less than the 2 cc asked for.",
    ),
)  # fmt: skip

FINDINGS = (
    Finding(
        level=Level.WARNING, code="crossing-contour",
        message="A contour of Stomach crosses itself at z = -112.5 mm; the even-odd rule decides what is inside.",
        where="Stomach",
    ),
    Finding(
        level=Level.INFO, code="dose-grid-coarse",
        message="The dose grid has 2.5 mm voxels; the smallest structure judged is 11.7 cc.", where="RTDOSE",
    ),
    Finding(
        level=Level.SERIOUS, code="outside-dose-grid",
        message="0.4 % of BODY lies outside the dose grid and has no dose; metrics of BODY leave it out.", where="BODY",
    ),
)  # fmt: skip

PROVENANCE = Provenance(
    dvhkit_version="0.1.0",
    created_utc="2026-11-21T21:40:12Z",
    engine="reference",
    protocol_sha256="9c56cc51b374c3ba189210d5b6d4bf57790d351c96c47c02190ecf1e430635ab",
    libraries={"numpy": "2.3.4", "numba": "0.62.1", "pydicom": "3.0.1", "shapely": "2.1.2"},
    inputs=(
        InputFile(role="RTDOSE", path="liver_sbrt/rtdose.dcm", sha256="1f" * 32),
        InputFile(role="RTPLAN", path="liver_sbrt/rtplan.dcm", sha256="2e" * 32),
        InputFile(role="RTSTRUCT", path="liver_sbrt/rtstruct.dcm", sha256="3d" * 32),
        *(InputFile(role="CT", path=f"liver_sbrt/ct_{i:03d}.dcm", sha256=f"{i:064x}") for i in range(64)),
    ),
)

LIVER = AuditRecord(
    case="liver_sbrt",
    protocol_id="oligoprogressive-liver-2025",
    protocol_version="1",
    protocol_title="Oligoprogressive disease, liver SBRT",
    prescription="60 Gy in 10 fractions to PTV (RTPLAN)",
    context={"site": "liver", "liver_metastasis": True, "prior_radiotherapy": False},
    rules=RULES,
    metrics=METRICS,
    findings=FINDINGS,
    curves=CURVES,
    provenance=PROVENANCE,
)

BROKEN = AuditRecord(
    case="lost_dose",
    protocol_id=LIVER.protocol_id,
    protocol_version="1",
    protocol_title=LIVER.protocol_title,
    error="lost_dose: The folder holds structures but no dose. Add the RTDOSE file, or name it with --rtdose.",
)

GOOD = replace(LIVER, case="lung_07", rules=tuple(r for r in RULES if r.verdict is Verdict.PASS), findings=())

HOSTILE_NAMES = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "\x1b[31mPTV\x1b[0m\x1b]8;;http://evil.example\x07click\x1b]8;;\x07",
    "PTV\u202egnp.exe\u2066",
    "[bold red]PTV[/bold red] [link=http://evil.example]x[/link]",
    "=cmd|' /C calc'!A0",
    "W" * 10_000,
    "P" + "\u0301" * 500,
    "line\nbreak\r\nand\ttab\x00",
    "</style><style>*{display:none}</style>",
    "lone \udc80 surrogate",
    "{{ 7*7 }}{% raw %}",
    "כבד ימין",
)
