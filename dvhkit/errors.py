"""Every error that dvhkit raises on purpose.

::

    DvhkitError                     what went wrong, where, and what the user can do
    ├── InputError                  what was handed in cannot be used            (exit code 2)
    │   ├── DicomReadError          a DICOM file cannot be used: path, tag, reason, remedy
    │   ├── LinkError               files do not belong together, or too many do
    │   ├── UnknownStructureError   no structure of that name
    │   ├── MetricSyntaxError       a metric expression that the grammar does not know
    │   ├── ProtocolError           a protocol file that cannot be used: file, line, reason
    │   └── GeometryError           contours or a grid that have no meaning in space
    ├── NotEvaluable                a metric has no value here: becomes a verdict, never a crash
    ├── OutputError                 a result cannot be written
    └── EngineError                 an invariant broke: a fault of ours          (exit code 3)

Bad data that can still be used is no error but a `dvhkit.findings.Finding`.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path


class DvhkitError(Exception):
    """Root of all errors raised on purpose.

    Parameters
    ----------
    message
        What is wrong, in one sentence.
    path
        The file or folder concerned.
    where
        The place inside it: a tag such as ``PixelSpacing (0028,0030)``, or ``line 12``.
    remedy
        What the user can do about it.
    """

    def __init__(
        self,
        message: str,
        *,
        path: Path | str | None = None,
        where: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.message = message
        self.path = None if path is None else str(path)
        self.where = where
        self.remedy = remedy
        super().__init__(message)

    def __str__(self) -> str:
        place = ", ".join(part for part in (self.path, self.where) if part)
        text = f"{place}: {self.message}" if place else self.message
        return f"{text} {self.remedy}" if self.remedy else text

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        """Survive pickling, so that a worker process can hand its error to its parent."""
        return _rebuild, (type(self), self.message, self.__dict__.copy())


def _rebuild(cls: type[DvhkitError], message: str, state: dict[str, object]) -> DvhkitError:
    error = cls.__new__(cls)
    Exception.__init__(error, message)
    error.__dict__.update(state)
    return error


class InputError(DvhkitError):
    """What was handed in cannot be used."""


class DicomReadError(InputError):
    """A DICOM file cannot be used."""


class LinkError(InputError):
    """Files do not belong together, or more than one choice is open."""


class UnknownStructureError(InputError):
    """No structure of that name is in the structure set."""


class MetricSyntaxError(InputError):
    """A metric expression that the grammar does not know."""


class ProtocolError(InputError):
    """A protocol file that cannot be used."""


class GeometryError(InputError):
    """Contours or a grid that have no meaning in space."""


class Reason(StrEnum):
    """Why a metric or a rule has no value."""

    NO_DOSE = "no-dose"
    NO_STRUCTURE = "no-structure"
    AMBIGUOUS_STRUCTURE = "ambiguous-structure"
    EMPTY_STRUCTURE = "empty-structure"
    NO_VOLUME = "no-volume"
    VOLUME_TOO_SMALL = "volume-too-small"
    OUTSIDE_DOSE_GRID = "outside-dose-grid"
    NO_PRESCRIPTION = "no-prescription"
    AMBIGUOUS_PRESCRIPTION = "ambiguous-prescription"
    NO_FRACTIONS = "no-fractions"
    NO_IMAGE = "no-image"
    NO_PLAN = "no-plan"
    NO_CONTEXT = "no-context"
    NOT_APPLICABLE = "not-applicable"
    EFFECTIVE_DOSE = "effective-dose"
    NOT_IMPLEMENTED = "not-yet-evaluable"
    UNVERIFIED = "unverified-limit"
    WITHHELD = "withheld"


class NotEvaluable(DvhkitError):  # noqa: N818 -- it names a state of the data, not a mistake
    """A metric has no value here, and says why."""

    def __init__(self, message: str, *, reason: Reason) -> None:
        super().__init__(message)
        self.reason = reason


class OutputError(DvhkitError):
    """A result cannot be written."""


class EngineError(DvhkitError):
    """An invariant of the engine broke: a fault of ours."""
