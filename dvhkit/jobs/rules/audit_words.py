"""What an audit is held against, from the words and files of a command line; loads no engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from dvhkit.jobs.audit_options import AuditOptions
from dvhkit.jobs.rules.words import acceptances
from dvhkit.jobs.second_check.matching import read_exports
from dvhkit.protocols.files.context import load_context
from dvhkit.protocols.files.load import Protocol, load_protocol
from dvhkit.protocols.files.waivers import load_waivers
from dvhkit.protocols.naming.aliases import load_aliases, with_aliases
from dvhkit.results.contours.grades import Approval

NO_PROTOCOL = "none"
LoadProtocol = Callable[[str], Protocol]


def protocol_loader(aliases: Path | None = None, *, verified_only: bool = False) -> LoadProtocol:
    """Return what loads a protocol by ID or file, with a clinic's spellings; ``none`` asks for nothing."""
    known = load_aliases(aliases) if aliases else None

    def load(name: str) -> Protocol:
        if name == NO_PROTOCOL:
            return no_protocol()
        loaded = load_protocol(name).verified_only() if verified_only else load_protocol(name)
        return with_aliases(loaded, known) if known else loaded

    return load


def no_protocol() -> Protocol:
    """Return what asks for nothing: numbers alone are told, or each case has a protocol of its own."""
    return Protocol(id=NO_PROTOCOL, version="", title="No protocol", rules=())


def audit_options(
    protocol: Protocol | None,
    *,
    context: Path | None = None,
    waivers: Path | None = None,
    approvals: Sequence[Path] | None = None,
    tps: Sequence[Path] | None = None,
    site: Path | None = None,
    accept: Iterable[str] | None = None,
    **values: Any,  # noqa: ANN401 -- as `AuditOptions` has them
) -> AuditOptions:
    """Return the options of an audit from the files that a command line names; waivers are of rules of `protocol`.

    Raises
    ------
    InputError
        If a file cannot be used: with file, line where there is one, reason.
    """
    return AuditOptions(
        protocol=protocol or no_protocol(),
        context=load_context(context) if context else {},
        accept=acceptances(accept, site),
        waivers=load_waivers(waivers, protocol) if waivers and protocol else (),
        approvals=_approvals(approvals or ()),
        tps=read_exports(tps or ()),
        **values,
    )


def _approvals(paths: Sequence[Path]) -> tuple[tuple[Approval, ...], ...]:
    """Return what was approved; loads what compares contours only where a record is named."""
    if not paths:
        return ()
    from dvhkit.jobs.contours.approvals import read_record

    return tuple(read_record(path) for path in paths)
