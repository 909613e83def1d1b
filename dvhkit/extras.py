"""Packages that an audit does not need: where one is missing, the user is told which extra brings it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dvhkit.errors import InputError


@contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Import a package inside this: where it is missing, `InputError` names the extra of dvhkit that brings it.

    A package that is there but cannot be loaded (a slim container lacks a library of the system) is told, too.

    >>> with needs_extra("masks"):
    ...     import SimpleITK
    """
    try:
        yield
    except ModuleNotFoundError as missing:
        raise InputError(
            f"this needs the package {missing.name}, which is not installed.",
            remedy=f"Say: pip install 'dvhkit[{extra}]' (in a copy of the source: pip install '.[{extra}]').",
        ) from missing
    except ImportError as broken:
        raise InputError(
            f"a package of the extra {extra} is installed, but cannot be loaded here: {broken}",
            remedy="Install the library of the system that it names.",
        ) from broken
