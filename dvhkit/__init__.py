"""DICOM-RT dose-volume analysis and protocol audit.

::

    case = dvhkit.read_case("plans/case7")
    dvhkit.evaluate_metric(case, "PTV", "D95%[Gy]").value
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from dvhkit.archive.cohort import cohort_of, curve_table
    from dvhkit.archive.diff import diff_runs
    from dvhkit.archive.figures import plot_cohort, plot_run_diff
    from dvhkit.archive.metric_table import metric_table
    from dvhkit.archive.storage.query import query
    from dvhkit.errors import DvhkitError
    from dvhkit.jobs.audit import audit_case, compute_dvh, evaluate_metric
    from dvhkit.jobs.contours.check import check_contours
    from dvhkit.jobs.contours.compare import compare_structures
    from dvhkit.jobs.contours.lesions import measure_lesions
    from dvhkit.jobs.pictures.figures import plot_dose_difference, plot_dvh, plot_margin, plot_slice
    from dvhkit.jobs.read import read_case, read_files
    from dvhkit.jobs.second_check.check_dvh import check_dvh
    from dvhkit.jobs.targets.verbs import ctv_vertebra, derive, grow, margin_check, shrink
    from dvhkit.protocols.files.load import list_protocols, load_protocol
    from dvhkit.readers.case import inventory
    from dvhkit.readers.linking.choose import find_cases
    from dvhkit.results.audit import to_frame
    from dvhkit.targets.achieved.check import achieved_margin

# Loaded when first used, and the version looked up: `import dvhkit` and `dvhkit --help` stay quick.
_HOMES = {
    "DvhkitError": "dvhkit.errors",
    "achieved_margin": "dvhkit.targets.achieved.check",
    "audit_case": "dvhkit.jobs.audit",
    "check_contours": "dvhkit.jobs.contours.check",
    "check_dvh": "dvhkit.jobs.second_check.check_dvh",
    "cohort_of": "dvhkit.archive.cohort",
    "compare_structures": "dvhkit.jobs.contours.compare",
    "compute_dvh": "dvhkit.jobs.audit",
    "ctv_vertebra": "dvhkit.jobs.targets.verbs",
    "curve_table": "dvhkit.archive.cohort",
    "derive": "dvhkit.jobs.targets.verbs",
    "diff_runs": "dvhkit.archive.diff",
    "evaluate_metric": "dvhkit.jobs.audit",
    "find_cases": "dvhkit.readers.linking.choose",
    "grow": "dvhkit.jobs.targets.verbs",
    "inventory": "dvhkit.readers.case",
    "list_protocols": "dvhkit.protocols.files.load",
    "load_protocol": "dvhkit.protocols.files.load",
    "margin_check": "dvhkit.jobs.targets.verbs",
    "measure_lesions": "dvhkit.jobs.contours.lesions",
    "metric_table": "dvhkit.archive.metric_table",
    "plot_cohort": "dvhkit.archive.figures",
    "plot_dose_difference": "dvhkit.jobs.pictures.figures",
    "plot_dvh": "dvhkit.jobs.pictures.figures",
    "plot_margin": "dvhkit.jobs.pictures.figures",
    "plot_run_diff": "dvhkit.archive.figures",
    "plot_slice": "dvhkit.jobs.pictures.figures",
    "query": "dvhkit.archive.storage.query",
    "read_case": "dvhkit.jobs.read",
    "read_files": "dvhkit.jobs.read",
    "shrink": "dvhkit.jobs.targets.verbs",
    "to_frame": "dvhkit.results.audit",
}

__all__ = [
    "DvhkitError",
    "__version__",
    "achieved_margin",
    "audit_case",
    "check_contours",
    "check_dvh",
    "cohort_of",
    "compare_structures",
    "compute_dvh",
    "ctv_vertebra",
    "curve_table",
    "derive",
    "diff_runs",
    "evaluate_metric",
    "find_cases",
    "grow",
    "inventory",
    "list_protocols",
    "load_protocol",
    "margin_check",
    "measure_lesions",
    "metric_table",
    "plot_cohort",
    "plot_dose_difference",
    "plot_dvh",
    "plot_margin",
    "plot_run_diff",
    "plot_slice",
    "query",
    "read_case",
    "read_files",
    "shrink",
    "to_frame",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 -- any public name
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("dvhkit")
    elif name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module 'dvhkit' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
