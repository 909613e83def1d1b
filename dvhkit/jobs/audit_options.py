"""What an audit is held against, and how; apart from the audit, so that whoever hands out cases loads no engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dvhkit.protocols.files.load import Protocol
from dvhkit.protocols.files.waivers import Waiver
from dvhkit.results.audit import Acceptance
from dvhkit.results.contours.grades import Approval

if TYPE_CHECKING:
    from dvhkit.jobs.numbers import Uncovered
    from dvhkit.model.tps_dvh import TpsExport


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditOptions:
    """What a case is held against, and how: the same for every case of a batch.

    Attributes
    ----------
    context
        The clinical context that rules depend on, by key; see `dvhkit protocol show ID` for the keys. A prescription
        in it overrides the plan's.
    rx_gy, fractions
        The prescription by hand, which overrides both.
    eqd2_alpha_beta_gy
        Where a limit is for conventional fractions and the plan has others, measure in EQD2 with this alpha/beta in Gy
        (a rule's own comes first); otherwise such a limit does not apply.
    accept_effective
        Hold limits against a dose that is biologically effective (DoseType EFFECTIVE) and not that of an ion plan;
        otherwise such rules are not evaluable.
    accept
        Codes of findings that somebody vouches for: they then withhold nothing, and the record says so.
    identify
        Put the patient's name and ID into the record's `identity`; otherwise they stay out.
    waivers, approvals
        What a physician waived, and what was approved of the contours.
    tps
        Text exports of the planning system (`dvhkit.readers.tps_text.read.read_tps_export`), to be held against ours
        beside the DVHs that the RTDOSE stores.
    """

    protocol: Protocol
    context: Mapping[str, object] = field(default_factory=dict)
    rx_gy: float | None = None
    fractions: int | None = None
    engine: str | None = None
    uncovered: Uncovered = "refuse"
    eqd2_alpha_beta_gy: float | None = None
    accept_effective: bool = False
    accept: Sequence[Acceptance | str] = ()
    identify: bool = False
    waivers: tuple[Waiver, ...] = ()
    approvals: tuple[tuple[Approval, ...], ...] = ()
    tps: Sequence[TpsExport] = ()
