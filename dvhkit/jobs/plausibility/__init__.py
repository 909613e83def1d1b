"""Whether the dose of a case can be that of its plan: by prescription, by place, and by what the planner stored."""

from dvhkit.jobs.plausibility.prescribed import dose_findings

__all__ = ["dose_findings"]
