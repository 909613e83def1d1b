"""Groups of commands that are listed from a table and loaded when they are called."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from collections.abc import Iterator


_WIDEST = 110  # letters a line of help; longer ones read badly


class Entry(NamedTuple):
    """Where a command lies (``module:name``, a function or a `typer.Typer`), and the line that lists it."""

    home: str
    help: str
    heading: str = "Commands"


class LazyGroup(TyperGroup):
    """A group whose commands stand in `table`: help and completion read the table, a call loads that one module."""

    table: Mapping[str, Entry] = {}

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 -- as typer has them
        super().__init__(**options)
        self._listing = False
        for name, entry in self.table.items():
            self.commands.setdefault(name, TyperCommand(name, help=entry.help))  # stands for the command in lists

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401 -- click's classes moved between versions
        """Return the command; loaded, unless commands are only being listed."""
        if cmd_name in self.table and not self._listing:
            self.commands[cmd_name] = load(cmd_name, self.table[cmd_name])
        return super().get_command(ctx, cmd_name)

    def load_all(self) -> None:
        """Load every command, for who walks through `commands`: the pages of the documentation."""
        for name, entry in self.table.items():
            self.commands[name] = load(name, entry)
        for command in self.commands.values():
            if isinstance(command, LazyGroup):
                command.load_all()

    @contextmanager
    def _only_listed(self) -> Iterator[None]:
        self._listing = True
        try:
            yield
        finally:
            self._listing = False

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401
        """Write the help, with the commands as the table has them."""
        with self._only_listed():
            super().format_help(ctx, formatter)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:  # noqa: ANN401
        """Return what may follow, with the commands as the table has them."""
        with self._only_listed():
            return super().shell_complete(ctx, incomplete)


class PlainGroup(LazyGroup):
    """A lazy group whose help is set without rich, whose import takes longer than all the rest of it."""

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401
        """Write usage, what it is, the commands under their headings, and the options."""
        formatter.width = max(50, min(shutil.get_terminal_size().columns, _WIDEST))
        formatter.write_usage(ctx.command_path, " ".join(self.collect_usage_pieces(ctx)), prefix=_bold("Usage: "))
        formatter.write(f"\n{self.help}\n")
        width = max(map(len, self.table))
        for heading in dict.fromkeys(entry.heading for entry in self.table.values()):
            rows = [(name, entry.help) for name, entry in self.table.items() if entry.heading == heading]
            _write_section(formatter, heading, [(name.ljust(width), line) for name, line in rows])
        _write_section(formatter, "Options", [r for p in self.get_params(ctx) if (r := p.get_help_record(ctx))])
        formatter.write(f"\nHelp of a command: {ctx.command_path} COMMAND --help\n")


def lazy_group(table: Mapping[str, Entry], base: type[LazyGroup] = LazyGroup) -> type[LazyGroup]:
    """Return the class of a group that lists `table`, for ``typer.Typer(cls=…)``."""
    return type(base.__name__, (base,), {"table": table})


def load(name: str, entry: Entry) -> Any:  # noqa: ANN401
    """Import a command and return it as click has it."""
    module, _, attribute = entry.home.partition(":")
    found = getattr(import_module(module), attribute)
    if isinstance(found, typer.Typer):
        return typer.main.get_group(found)
    single = typer.Typer(add_completion=False, rich_markup_mode="rich")
    single.command(name)(found)
    return typer.main.get_command(single)


def _write_section(formatter: Any, heading: str, rows: list[tuple[str, str]]) -> None:  # noqa: ANN401
    formatter.write(f"\n{_bold(heading)}\n")
    with formatter.indentation():
        formatter.write_dl(rows)


def _bold(text: str) -> str:
    return typer.style(text, bold=True)
