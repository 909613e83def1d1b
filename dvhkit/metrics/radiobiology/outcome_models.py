"""Outcome models with the parameters that were published for them: each with its source and how far it was checked.

For research only. A rule that uses one whose parameters nobody compared with the source never passes or fails a plan.
The verification codes are those of protocols.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeModel:
    """A fitted model.

    Attributes
    ----------
    id
        How metrics name it: ``NTCP(liver-rild-metastases)``.
    formula
        The metric with its parameters that it stands for, its conversion of dose included.
    endpoint
        What it is the probability of.
    source, status
        Citation, and how far the numbers were checked against it: P, T, S2 (verified); S1, C, X, B (not).
    """

    id: str
    formula: str
    endpoint: str
    source: str
    status: str

    @property
    def note(self) -> str:
        """What to print beside a value."""
        return f"{self.formula}: {self.endpoint} ({self.source}; status {self.status}); research only"


_MODELS = (
    OutcomeModel(
        id="liver-rild-metastases",
        formula="EQD2_3:NTCP_LKB(TD50=45.8Gy,m=0.12,n=0.97)",
        endpoint="radiation-induced liver disease, livers with metastases",
        source="Dawson 2002, IJROBP 53:810",
        status="S1",
    ),
    OutcomeModel(
        id="liver-rild-primary",
        formula="EQD2_3:NTCP_LKB(TD50=39.8Gy,m=0.12,n=0.97)",
        endpoint="radiation-induced liver disease, primary liver cancer; one copy prints TD50 38.8 Gy",
        source="Dawson 2002, IJROBP 53:810",
        status="X",
    ),
    OutcomeModel(
        id="lung-pneumonitis-lkb",
        formula="NTCP_LKB(TD50=31.4Gy,m=0.45,n=1)",
        endpoint="symptomatic pneumonitis, conventional fractionation",
        source="Marks 2010 (QUANTEC, lung), IJROBP 76(3 Suppl):S70",
        status="S1",
    ),
    OutcomeModel(
        id="lung-pneumonitis-logit",
        formula="NTCP_LogitMean(b0=-3.87,b1=0.126)",
        endpoint="symptomatic pneumonitis by mean lung dose, conventional fractionation",
        source="Marks 2010 (QUANTEC, lung), IJROBP 76(3 Suppl):S70",
        status="B",
    ),
    OutcomeModel(
        id="rectum-bleeding",
        formula="EQD2_3:NTCP_LKB(TD50=76.9Gy,m=0.13,n=0.09)",
        endpoint="late rectal toxicity of grade 2 or worse, or bleeding; EQD2 stands in one copy only",
        source="Michalski 2010 (QUANTEC, rectum), IJROBP 76(3 Suppl):S123",
        status="S1",
    ),
)


def outcome_models() -> tuple[OutcomeModel, ...]:
    """Return the shipped models."""
    return _MODELS


def find_model(text: str) -> OutcomeModel | None:
    """Return the model of that ID, whatever its case, or None."""
    folded = text.strip().casefold()
    return next((model for model in _MODELS if model.id == folded), None)
