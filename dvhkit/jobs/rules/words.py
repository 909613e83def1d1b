"""What the words of a command line mean, before a plan is read; loads no engine and no protocol."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dvhkit.engine.options import PROFILES
from dvhkit.findings import require_code
from dvhkit.metrics.expression import DEFAULT_METRICS, Metric, parse_metric
from dvhkit.results.audit import Acceptance

__all__ = ["PROFILE_NAMES", "Metric", "acceptances", "metrics_of"]

PROFILE_NAMES = tuple(PROFILES)


def metrics_of(texts: Iterable[str] | None) -> list[Metric]:
    """Return the metrics that texts such as ``D95%[Gy]`` name; the usual ones where none is named."""
    return [parse_metric(text) for text in (texts or DEFAULT_METRICS)]


def acceptances(codes: Iterable[str] | None, site: Path | None = None) -> tuple[Acceptance, ...]:
    """Return what the command line and a site file vouch for; the command line comes first."""
    given = tuple(Acceptance(code=require_code(code), by="--accept") for code in codes or ())
    if site is None:
        return given
    from dvhkit.protocols.files.site import load_site

    return (*given, *load_site(site))
