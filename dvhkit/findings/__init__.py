"""What is odd about the data: a finding travels with the case into every report, and says what it withholds."""

from dvhkit.findings.finding import Finding, Level, Withholds
from dvhkit.findings.table import KINDS, Kind, require_code, withholding, withholds

__all__ = ["KINDS", "Finding", "Kind", "Level", "Withholds", "require_code", "withholding", "withholds"]
