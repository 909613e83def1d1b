"""The `dvhkit` command: gathers the commands and turns errors into exit codes.

Exit codes: 0 all rules met; 1 some rule failed or could not be judged; 2 unusable input; 3 a fault of ours.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any, NoReturn

import typer

from dvhkit.cli.lazy import Entry, PlainGroup, lazy_group
from dvhkit.cli.streams import EXIT_FAULT, EXIT_UNUSABLE, STDOUT, never_fail_on_letters, print_no_more
from dvhkit.errors import DvhkitError, EngineError

# name: where it lies, the line that lists it (its own first line: a test holds that), under which heading.
_ONE, _MANY, _DRAWN, _TARGETS, _RULES, _CLINIC = (
    "One plan", "Many plans", "Contours", "Targets and margins", "Protocols and names", "Services and installation",
)  # fmt: skip
_COMMANDS = {
    "audit": Entry(
        "dvhkit.cli.one_plan.audit:audit", "Hold one plan, or every plan under some folders, against a protocol.", _ONE
    ),
    "dvh": Entry(
        "dvhkit.cli.one_plan.dvh:dvh", "Compute DVHs and metrics of one plan, or of every plan in a folder.", _ONE
    ),
    "inspect": Entry("dvhkit.cli.one_plan.inspect:inspect", "Say what is there, how it links, and what is odd.", _ONE),
    "check-dvh": Entry(
        "dvhkit.cli.one_plan.check_dvh:check_dvh",
        "Compare the planning system's DVHs with ours: they agree, a convention explains them, or nothing does.",
        _ONE,
    ),
    "sum": Entry(
        "dvhkit.cli.one_plan.sum:sum_",
        "Measure the dose of several plans together, on the structures of the first.",
        _ONE,
    ),
    "compare": Entry(
        "dvhkit.cli.many_plans.compare:compare",
        "Hold two plans of one patient against one protocol, and show them side by side.",
        _ONE,
    ),
    "export": Entry(
        "dvhkit.cli.one_plan.export:export",
        "Export structures as masks, and the dose, as NIfTI, NRRD or MetaImage with their place in the patient.",
        _ONE,
    ),
    "plot": Entry("dvhkit.cli.plot:plot_app", "Figures as PNG, SVG or PDF (needs the extra 'plot').", _ONE),
    "verify": Entry(
        "dvhkit.cli.one_plan.verify:verify",
        "Tell whether a report, its signatures and its data are as they were.",
        _ONE,
    ),
    "sign": Entry(
        "dvhkit.cli.one_plan.verify:sign",
        "Put a signature into a report that is as it was made; trials ask for two.",
        _ONE,
    ),
    "query": Entry("dvhkit.cli.many_plans.query:query", "Ask the store of a run in SQL (DuckDB).", _MANY),
    "table": Entry(
        "dvhkit.cli.many_plans.query:table",
        "Write a run as one table: a row a case and rule, and one for each case that could not be judged.",
        _MANY,
    ),
    "diff": Entry(
        "dvhkit.cli.many_plans.diff:diff",
        "Say what differs between two runs of `dvhkit audit`, each change with its cause.",
        _MANY,
    ),
    "cohort": Entry(
        "dvhkit.cli.many_plans.cohort:cohort",
        "Show DVH bands, metrics, pass rates, outliers and excluded cases of a run.",
        _MANY,
    ),
    "index": Entry(
        "dvhkit.cli.many_plans.index:index",
        "Write the pages of a run anew: its index (cases by rules, to sort, filter and search) and what stands "
        "beside it.",
        _MANY,
    ),
    "margin": Entry(
        "dvhkit.cli.targets.margin:margin_app",
        "Grow and shrink structures, make rings and walls; check margins that were drawn.",
        _TARGETS,
    ),
    "target": Entry("dvhkit.cli.targets.target:target_app", "Make targets by recipe or by expression.", _TARGETS),
    "ctv": Entry("dvhkit.cli.vertebra.ctv:ctv_app", "Clinical target volumes by rule.", _TARGETS),
    "contours": Entry("dvhkit.cli.drawn.contours:contours_app", "Compare, check and agree on contours.", _DRAWN),
    "lesions": Entry("dvhkit.cli.drawn.lesions:lesions_app", "Measure lesions, and judge response over time.", _DRAWN),
    "import": Entry(
        "dvhkit.cli.clinic.import_masks:import_",
        "Turn masks into contours on the slices of their image, and write them as RTSTRUCT.",
        _DRAWN,
    ),
    "protocol": Entry("dvhkit.cli.rules.protocol:protocol_app", "List, show and check protocols.", _RULES),
    "names": Entry(
        "dvhkit.cli.rules.names:names_app",
        "Show what the structures of a plan are called in TG-263: dvhkit names PATH; teach a clinic's spellings.",
        _RULES,
    ),
    "listen": Entry(
        "dvhkit.cli.clinic.listen:listen",
        "Receive plan sets over DICOM, and audit each when it is complete or quiet.",
        _CLINIC,
    ),
    "send": Entry("dvhkit.cli.clinic.send:send", "Send DICOM files to an archive or planning system.", _CLINIC),
    "fetch": Entry("dvhkit.cli.clinic.send:fetch", "Fetch a study over DICOMweb.", _CLINIC),
    "deidentify": Entry(
        "dvhkit.cli.clinic.deidentify:deidentify",
        "Write copies of DICOM objects without identity (PS3.15, table E.1-1).",
        _CLINIC,
    ),
    "commission": Entry(
        "dvhkit.cli.commission:commission",
        "Test this installation on phantoms whose answers are known, and write a record to be signed off.",
        _CLINIC,
    ),
    "phantom": Entry("dvhkit.cli.phantom:phantom_app", "DICOM sets whose answers are known.", _CLINIC),
}

app = typer.Typer(
    name="dvhkit",
    cls=lazy_group(_COMMANDS, PlainGroup),
    help="DICOM-RT dose-volume analysis and protocol audit.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},  # every command takes it over
)


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
        code = app(with_standard_output(sys.argv[1:]), standalone_mode=False)
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
        from dvhkit.extras import missing_extra

        if (missing := missing_extra(error)) is not None:
            _stop(str(missing), EXIT_UNUSABLE)
        if os.environ.get("DVHKIT_DEBUG"):
            raise
        _stop(
            f"A fault of ours: {type(error).__name__}: {error}. "
            "Please report it with the output of the same command run with DVHKIT_DEBUG=1.",
            EXIT_FAULT,
        )
    # Without its standalone mode typer returns the code of `typer.Exit`, or whatever the command returned.
    sys.exit(code if isinstance(code, int) else 0)


def with_standard_output(words: Sequence[str]) -> list[str]:
    """Return the words of a command line with ``-`` after each ``--json`` and ``--md`` that names no file."""
    made: list[str] = []
    for n, word in enumerate(words):
        made.append(word)
        is_last = n + 1 == len(words) or words[n + 1].startswith("--")
        if word in ("--json", "--md") and is_last and "--" not in words[:n]:
            made.append(STDOUT)
    return made


def _stop_usage(error: Any) -> NoReturn:  # noqa: ANN401 -- typer's class has changed its home between versions
    """Say in one line what is wrong with the words of the command, and where its help is."""
    message = error.format_message().strip().replace(": Value error, ", ": ")
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError" or not message:  # no words: help, which rich has printed already
        typer.echo(message)
        sys.exit(EXIT_UNUSABLE)
    hint = f" Try: {context.command_path} --help" if context is not None else ""
    _stop(message[:1].lower() + message[1:].rstrip(".") + "." + hint, EXIT_UNUSABLE)


def _stop(message: str, code: int) -> NoReturn:
    from dvhkit.outputs.text import clean

    print(f"dvhkit: {clean(message)}", file=sys.stderr)  # noqa: T201
    sys.exit(code)
