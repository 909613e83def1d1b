"""`dvhkit listen`: receive plan sets and audit them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from dvhkit.errors import InputError


def listen(
    out: Annotated[Path, typer.Option("--out", metavar="SPOOL", help="Folder for what is received; made if missing.")],
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="TCP port; 0 takes a free one.")] = 11112,
    ae: Annotated[str, typer.Option("--ae", help="Our AE title.")] = "DVHKIT",
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; 0.0.0.0 lets other machines in.")
    ] = "127.0.0.1",
    protocol: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--protocol", metavar="ID|FILE", help="What plans are held against; none: numbers only."),
    ] = None,
    plans: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--plans", metavar="FILE", help="As of `dvhkit audit --plans`; case: a study UID."),
    ] = None,
    quiet_time: Annotated[
        float, typer.Option("--quiet-time", min=0.0, help="Audit an incomplete study after so many seconds.")
    ] = 30.0,
    allow: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--allow", metavar="AE", help="Take objects from this AE title only; repeatable."),
    ] = None,
    max_object_mb: Annotated[int, typer.Option("--max-object-mb", min=1, help="Refuse larger objects.")] = 4096,
    min_free_mb: Annotated[int, typer.Option("--min-free-mb", min=0, help="Refuse objects when less is free.")] = 1024,
    tls_cert: Annotated[Optional[Path], typer.Option("--tls-cert", help="Certificate: listen with TLS.")] = None,  # noqa: UP045
    tls_key: Annotated[Optional[Path], typer.Option("--tls-key", help="Its key.")] = None,  # noqa: UP045
    tls_ca: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--tls-ca", help="Take callers with a certificate of this authority only."),
    ] = None,
) -> None:
    """Receive plan sets over DICOM, and audit each when it is complete or quiet.

    All audits go into one run, SPOOL/run. Prints one JSON line a plan set; ends cleanly on SIGTERM. What was
    acknowledged lies on the disk, and a restart audits what is left. Other machines are let in with --host; without
    --allow or TLS anybody who reaches the port may store.

    [dim]Example:[/dim]  dvhkit listen --out spool --protocol oligoprogressive-liver-2025
    """
    import signal
    import threading

    from dvhkit.cli.streams import note_console
    from dvhkit.services.receiver import Listening, Receiver
    from dvhkit.services.spool import Limits, Spool
    from dvhkit.services.watch import Watch

    if protocol and plans:
        raise InputError("--protocol and --plans say the same thing twice.", remedy="Give one of them.")
    _require_usable(protocol, plans)
    spool = Spool(out, Limits(object_bytes=max_object_mb << 20, free_bytes=min_free_mb << 20))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    watch = Watch(spool, quiet_s=quiet_time, told=_print_line, protocol=protocol, plans=plans)
    receiver = Receiver(
        spool,
        Listening(
            host=host,
            port=port,
            ae_title=ae,
            allowed=tuple(allow or ()),
            tls_certificate=tls_cert,
            tls_key=tls_key,
            tls_ca=tls_ca,
        ),
        watch.arrived,
    )
    note_console().print(f"listening on {host}:{receiver.port} as {ae}", markup=False)
    try:
        watch.run(stop)
    finally:
        receiver.stop()


def _require_usable(protocol: str | None, plans: Path | None) -> None:
    """Refuse at once what every audit would stumble over."""
    if protocol is not None and protocol != "none":
        from dvhkit.protocols.files.load import load_protocol

        load_protocol(protocol)
    if plans is not None:
        from dvhkit.archive.plans_csv import read_plans

        read_plans(plans)


def _print_line(record: dict[str, Any]) -> None:
    import json
    import sys

    sys.stdout.write(json.dumps(record, ensure_ascii=True) + "\n")
    sys.stdout.flush()
