"""What is odd about the data: a finding travels with the case into every report, and says what it withholds."""

from dvhkit.findings.finding import Finding, Level, Withholds
from dvhkit.findings.table import DOUBTFUL, KINDS, Kind, in_doubt, require_code, withholding, withholds

__all__ = [
    "DOUBTFUL",
    "KINDS",
    "Finding",
    "Kind",
    "Level",
    "Withholds",
    "in_doubt",
    "require_code",
    "withholding",
    "withholds",
]
