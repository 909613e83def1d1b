"""What `dvh` and `sum` share: the dose and its DVHs filed back as RTDOSE."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Optional

import typer

from dvhkit.cli.streams import note_console

if TYPE_CHECKING:
    from dvhkit.jobs.numbers import CaseNumbers, Region

RtdoseOutOption = Annotated[
    Optional[Path],  # noqa: UP045 -- typer reads it
    typer.Option("--rtdose-out", metavar="FILE", help="Write dose and DVHs as a new RTDOSE."),
]
BitsOption = Annotated[Literal["16", "32"], typer.Option("--bits", help="With --rtdose-out: bits of each voxel.")]


def file_dose(
    numbers: CaseNumbers, regions: Sequence[Region], out: Path, *, bits: Literal["16", "32"], resampled: bool = False
) -> None:
    """Write the RTDOSE, and say so."""
    from dvhkit.jobs.clinic.rtdose_out import write_case_dose

    write_case_dose(numbers, regions, out, bits=16 if bits == "16" else 32, resampled=resampled)
    note_console().print(f"wrote {out}", markup=False, soft_wrap=True)
