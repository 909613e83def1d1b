"""Options that several commands share."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Optional

import typer

from dvhkit.cli.streams import reading_progress
from dvhkit.errors import InputError
from dvhkit.jobs.rules.words import PROFILE_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dvhkit.archive.work_list import DicomIndex, WorkList
    from dvhkit.jobs.read import DoseNeed
    from dvhkit.model.case import Case

CasePath = Annotated[Optional[Path], typer.Argument(help="Folder (or one file in it) with the plan's DICOM files.")]  # noqa: UP045 -- typer reads it
RtstructOption = Annotated[Optional[Path], typer.Option("--rtstruct", help="Use this RTSTRUCT file.")]  # noqa: UP045
RtdoseOption = Annotated[Optional[Path], typer.Option("--rtdose", help="Use this RTDOSE file.")]  # noqa: UP045
RtplanOption = Annotated[Optional[Path], typer.Option("--rtplan", help="Use this RTPLAN file.")]  # noqa: UP045
ImageOption = Annotated[Optional[Path], typer.Option("--image", help="Use the image series in this folder.")]  # noqa: UP045
RegistrationOption = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--registration", help="Join the frames of dose and structures by this registration (REG) file."),
]
RegistrationsOption = Annotated[
    Optional[list[Path]],  # noqa: UP045
    typer.Option("--registration", help="Join the frames by this registration (REG) file; repeatable, for a chain."),
]
SameFrameOption = Annotated[
    bool,
    typer.Option("--same-frame", help="Vouch that dose and structures share a frame although their UIDs differ."),
]
MaskOption = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(
        "--mask",
        metavar="NAME=FILE",
        help="Take a mask (NIfTI, NRRD, MetaImage, DICOM SEG) as a structure on the image: GTV=gtv.nii.gz, or "
        "LIVER=labels.nii.gz#5 for one label; FILE or FOLDER alone takes all; repeatable.",
    ),
]
SegOption = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(
        "--seg", help="Take the segments of this DICOM SEG as structures; one in the folder where no RTSTRUCT is."
    ),
]
# As in a context file: nobody prescribes more, and cGy for Gy is caught.
_MOST_PRESCRIBED_GY = 300.0


_WITH_UNIT = re.compile(r"\s*([-+]?[\d.,]+(?:e[-+]?\d+)?)\s*(c?Gy)\s*", re.IGNORECASE)


def _prescribed_gy(text: str | float) -> float:
    """Return a prescribed dose in Gy; refuse zero, less, infinite, not a number, or more than anybody prescribes."""
    unit = _WITH_UNIT.fullmatch(str(text))
    written = (unit[1] if unit else str(text)).replace(",", ".")
    try:
        rx_gy = float(written)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no dose: give the number of Gy, such as 50.") from None
    if unit:
        gray = rx_gy / 100 if unit[2].lower() == "cgy" else rx_gy
        raise typer.BadParameter(f"the dose is given without its unit, in Gy: --rx {gray:g}.")
    if 0.0 < rx_gy / 100 <= _MOST_PRESCRIBED_GY < rx_gy < math.inf:
        raise typer.BadParameter(
            f"nobody prescribes {rx_gy:g} Gy; cGy? Then say --rx {rx_gy / 100:g} (at most {_MOST_PRESCRIBED_GY:g} Gy)."
        )
    if not 0.0 < rx_gy <= _MOST_PRESCRIBED_GY:
        raise typer.BadParameter(f"a prescribed dose is more than 0 and at most {_MOST_PRESCRIBED_GY:g} Gy.")
    return rx_gy


RxOption = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option(
        "--rx",
        metavar="GY",
        parser=_prescribed_gy,
        help="Prescribed total dose in Gy; overrides the plan's.",
    ),
]
FractionsOption = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option("--fractions", min=1, help="Number of fractions; overrides the plan's."),
]
NoBandOption = Annotated[
    bool,
    typer.Option("--no-band", help="Values alone, without how far they may be off: less than half the time."),
]
EngineOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--engine",
        metavar="PROFILE",
        help=f"How the engine fills in between and beyond slices: {', '.join(PROFILE_NAMES)}.",
    ),
]
UncoveredOption = Annotated[
    Literal["refuse", "exclude"],
    typer.Option(
        "--uncovered",
        help="Where over 1 % of a structure lies outside the dose grid: give no value (refuse), "
        "or that of the part inside (exclude).",
    ),
]

AcceptOption = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(
        "--accept",
        metavar="CODE",
        help="Vouch for findings of this code: numbers that they withhold are judged all the same; repeatable.",
    ),
]
SiteOption = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(
        "--site",
        metavar="FILE",
        envvar="DVHKIT_SITE",
        help="What a clinic vouches for once and for all, with reasons (YAML).",
    ),
]


JobsOption = Annotated[
    str, typer.Option("--jobs", metavar="N|auto", help="Worker processes for many plans; auto: as suits the machine.")
]
ParquetOption = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--parquet", metavar="FILE", help="Write the same rows as Parquet."),
]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Folder that `dvhkit audit --out` wrote.")]
PlainJsonOption = Annotated[str | None, typer.Option("--json", metavar="FILE|-")]
DoneJsonOption = Annotated[str | None, typer.Option("--json", metavar="FILE|-", help="Write what was done as JSON.")]
PageOption = Annotated[
    Path | None, typer.Option("--report", metavar="FILE", help="Write a page of HTML with all tables.")
]
ResultsJsonOption = Annotated[str | None, typer.Option("--json", metavar="FILE|-", help="Write the results as JSON.")]
ContextOption = Annotated[
    Path | None, typer.Option("--context", metavar="FILE", help="Clinical context (YAML) that rules depend on.")
]
CaseInBandsOption = Annotated[
    str | None, typer.Option("--case", metavar="ID", help="Draw the DVHs of this case into the bands.")
]
AliasesOption = Annotated[
    Path | None,
    typer.Option("--aliases", metavar="FILE", help="The clinic's own spellings of structure names (YAML)."),
]
LanguageOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--language", metavar="TAG", envvar="DVHKIT_LANGUAGE", help="Language of the pages: en, de."),
]
PdfOption = Annotated[bool, typer.Option("--pdf", help="Print report.html to report.pdf, too.")]
UnlikeFractionsOption = Annotated[
    bool, typer.Option("--unlike-fractions", help="Add physical doses although the doses per fraction differ.")
]


def write_pages_in(language: str | None) -> None:
    """Write pages in a language that was asked for."""
    if language:
        from dvhkit.outputs.language import write_pages_in

        write_pages_in(language)


def worker_count(jobs: str) -> int | None:
    """Return a number of worker processes; None for as many as suit the machine."""
    if jobs != "auto" and not (jobs.isdecimal() and 1 <= int(jobs) <= 1024):
        raise InputError(f"--jobs is a number of processes or auto, not {jobs[:40]!r}.", remedy="Give --jobs 2.")
    return None if jobs == "auto" else int(jobs)


@dataclass(frozen=True, slots=True)
class LookedAt:
    """What lies at a path: its headers, and the plans where there are several."""

    index: DicomIndex | None = None
    plans: WorkList | None = None

    def refuse(self, *options: tuple[str, object]) -> None:
        """Raise `InputError` where an option is given that many plans have no use for."""
        for name, value in options:
            if value:
                count = len(self.plans.cases) if self.plans is not None else 0
                raise InputError(f"{name} is for one plan; {count} are here.", remedy="Name the folder of one plan.")


def look_at(path: Path | None, *, named: Iterable[object] = ()) -> LookedAt:
    """Look at what lies in a folder, each header once; nothing where files are named, or one file is."""
    if path is None or any(named) or path.is_file():
        return LookedAt()
    from dvhkit.archive.work_list import list_plans, scan

    with reading_progress() as progress:
        index = scan(path, progress=progress)
    return LookedAt(index, list_plans(index))


def open_case(
    path: Path | None,
    *,
    rtstruct: Path | None,
    rtdose: Path | None,
    rtplan: Path | None = None,
    image: Path | None,
    registration: Path | None = None,
    same_frame: bool = False,
    masks: list[str] | None = None,
    seg: Path | None = None,
    rx_gy: float | None = None,
    fractions: int | None = None,
    dose: DoseNeed = "not needed",
    index: DicomIndex | None = None,
) -> Case:
    """Read the one case that the arguments name, with the user's prescription where one is given."""
    from dvhkit.jobs.prescription import with_user_prescription
    from dvhkit.jobs.read import read_case

    if path is None and rtstruct is None:
        raise InputError("nothing to read.", remedy="Name a folder, or at least --rtstruct FILE (and --rtdose FILE).")
    with reading_progress() as progress:
        case = read_case(
            path,
            rtstruct=rtstruct,
            rtdose=rtdose,
            rtplan=rtplan,
            image=image,
            registration=registration,
            same_frame=same_frame,
            masks=masks or (),
            seg=seg,
            dose=dose,
            progress=progress,
            index=index,
        )
    return with_user_prescription(case, rx_gy=rx_gy, fractions=fractions)
