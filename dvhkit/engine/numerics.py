"""The version of the numbers: stored results of another version are computed anew, and a difference has a cause."""

from __future__ import annotations

# Raise it whenever a change can alter any volume, dose or band, however little; never for anything else.
# `tests/archive/test_numerics_version.py` holds it against golden values and says how to record them anew.
NUMERICS_VERSION = 10
