"""The help of every command, read from the commands themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click
import typer.main
from rich.text import Text

from dvhkit.cli.app import app
from site_pages.text import cell, table


def pages() -> dict[str, str]:
    """Return path and Markdown of a page for each top-level command, and of their index."""
    root: Any = typer.main.get_command(app)
    root.load_all()
    made = {f"commands/{name}.md": _page(f"dvhkit {name}", command) for name, command in root.commands.items()}
    rows = []
    for name, command in root.commands.items():
        rows += [
            (f"[`{path}`]({name}.md#{path.replace(' ', '-')})", cell(_summary(leaf)))
            for path, leaf in _leaves(f"dvhkit {name}", command)
        ]
    made["commands/overview.md"] = (
        "# Commands\n\nEvery command has `--help`; these pages are made of it. Exit codes: **0** all rules met, **1** "
        "some rule failed or could not be judged, **2** unusable input, **3** a fault of ours.\n\n"
        + table(("command", "does"), rows)
    )
    return made


def _leaves(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    if below := getattr(command, "commands", None):
        for name, leaf in below.items():
            yield from _leaves(f"{path} {name}", leaf)
    else:
        yield path, command


def _page(path: str, command: click.Command) -> str:
    leaves = list(_leaves(path, command))
    top = f"# {path}\n\n" if len(leaves) > 1 or leaves[0][0] != path else ""
    return top + "\n".join(_section(leaf_path, leaf, "##" if top else "#") for leaf_path, leaf in leaves)


def _section(path: str, command: click.Command, level: str) -> str:
    context = click.Context(command, info_name=path)
    lines = [
        f"{level} {path}",
        "",
        _paragraphs(command.help or ""),
        "",
        "```text",
        *_usage(command, context),
        "```",
        "",
    ]
    rows = [_parameter(parameter) for parameter in command.params if not getattr(parameter, "hidden", False)]
    return "\n".join(lines) + "\n" + (table(("argument or option", "default", "meaning"), rows) if rows else "")


def _usage(command: click.Command, context: click.Context) -> list[str]:
    return [command.get_usage(context).replace("Usage: ", "")]


def _paragraphs(text: str) -> str:
    blocks = Text.from_markup(text.replace("\b", "")).plain.split("\n\n")
    return "\n\n".join(cell(block) for block in blocks)


def _summary(command: click.Command) -> str:
    return Text.from_markup((command.help or "").split("\n\n")[0]).plain


def _parameter(parameter: click.Parameter) -> tuple[str, str, str]:
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    if parameter.param_type_name == "argument":
        names = f"`{(parameter.metavar or parameter.name or '').upper()}`"
    default = parameter.default
    shown = "" if default is None or callable(default) or default in (False, (), [], "") else f"`{default}`"
    return names, shown, cell(Text.from_markup(getattr(parameter, "help", None) or "").plain)
