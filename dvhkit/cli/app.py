"""The `dvhkit` command: gathers the commands and turns errors into exit codes.

Exit codes: 0 all rules met; 1 some rule failed or could not be judged; 2 unusable input; 3 a fault of ours.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any, NoReturn

import typer

from dvhkit.cli.clinic.deidentify import deidentify
from dvhkit.cli.clinic.import_masks import import_
from dvhkit.cli.clinic.listen import listen
from dvhkit.cli.clinic.send import fetch, send
from dvhkit.cli.commission import commission
from dvhkit.cli.drawn.approve import approvals, approve
from dvhkit.cli.drawn.consensus import consensus
from dvhkit.cli.drawn.contours import contours_app
from dvhkit.cli.drawn.lesions import lesions_app
from dvhkit.cli.many_plans.cohort import cohort
from dvhkit.cli.many_plans.compare import compare
from dvhkit.cli.many_plans.diff import diff
from dvhkit.cli.many_plans.index import index
from dvhkit.cli.many_plans.query import query, table
from dvhkit.cli.one_plan.audit import audit
from dvhkit.cli.one_plan.check_dvh import check_dvh
from dvhkit.cli.one_plan.dvh import dvh
from dvhkit.cli.one_plan.export import export
from dvhkit.cli.one_plan.inspect import inspect
from dvhkit.cli.one_plan.sum import sum_
from dvhkit.cli.one_plan.verify import sign, verify
from dvhkit.cli.phantom import phantom_app
from dvhkit.cli.plot import plot_app
from dvhkit.cli.rules.names import names_app
from dvhkit.cli.rules.protocol import protocol_app
from dvhkit.cli.streams import EXIT_FAULT, EXIT_UNUSABLE, never_fail_on_letters, print_no_more
from dvhkit.cli.targets.margin import margin_app
from dvhkit.cli.targets.target import target_app
from dvhkit.cli.vertebra.ctv import ctv_app
from dvhkit.errors import DvhkitError, EngineError

app = typer.Typer(
    name="dvhkit",
    help="DICOM-RT dose-volume analysis and protocol audit.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},  # every command takes it over
)
app.command()(audit)
app.command()(query)
app.command()(table)
app.command()(diff)
app.command()(cohort)
app.command()(compare)
app.command()(index)
app.command()(dvh)
app.command()(inspect)
app.command()(export)
app.command("sum")(sum_)
app.command()(verify)
app.command()(sign)
app.command("check-dvh")(check_dvh)
app.command("import")(import_)
app.command()(listen)
app.command()(send)
app.command()(fetch)
app.command()(deidentify)
app.command()(commission)
app.add_typer(phantom_app)
app.add_typer(names_app)
app.add_typer(protocol_app)
app.add_typer(margin_app)
app.add_typer(target_app)
app.add_typer(ctv_app)
app.add_typer(plot_app)
for verb in (consensus, approve, approvals):
    contours_app.command()(verb)
app.add_typer(contours_app)
app.add_typer(lesions_app)


def _print_version(wanted: bool) -> None:
    if wanted:
        from dvhkit import __version__

        typer.echo(f"dvhkit {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """DICOM-RT dose-volume analysis and protocol audit."""


def main() -> NoReturn:
    """Run the command line; every error ends in one line and an exit code, never in a traceback."""
    never_fail_on_letters()
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()
    except EngineError as error:
        _stop(f"A fault of ours, not of your data: {error}", EXIT_FAULT)
    except DvhkitError as error:
        _stop(str(error), EXIT_UNUSABLE)
    except BrokenPipeError:
        # The reader of our pipe has left (`dvhkit protocol list | head`): nothing more to say, and nothing is wrong.
        print_no_more()
        sys.exit(0)
    except Exception as error:  # the last door: a user must never see a traceback
        if hasattr(error, "format_message"):
            _stop_usage(error)
        if os.environ.get("DVHKIT_DEBUG"):
            raise
        _stop(
            f"A fault of ours: {type(error).__name__}: {error}. "
            "Please report it with the output of the same command run with DVHKIT_DEBUG=1.",
            EXIT_FAULT,
        )
    # Without its standalone mode typer returns the code of `typer.Exit`, or whatever the command returned.
    sys.exit(code if isinstance(code, int) else 0)


def _stop_usage(error: Any) -> NoReturn:  # noqa: ANN401 -- typer's class has changed its home between versions
    """Say in one line what is wrong with the words of the command, and where its help is."""
    message = error.format_message().strip().replace(": Value error, ", ": ")
    context = getattr(error, "ctx", None)
    if not message:  # called without any words: the help has been printed
        sys.exit(EXIT_UNUSABLE)
    hint = f" Try: {context.command_path} --help" if context is not None else ""
    _stop(message[:1].lower() + message[1:].rstrip(".") + "." + hint, EXIT_UNUSABLE)


def _stop(message: str, code: int) -> NoReturn:
    from dvhkit.outputs.text import clean

    print(f"dvhkit: {clean(message)}", file=sys.stderr)  # noqa: T201
    sys.exit(code)
