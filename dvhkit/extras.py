"""Packages that an audit does not need: where one is missing, the user is told which extra brings it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dvhkit.errors import InputError

# By the name that is imported.
_BROUGHT_BY = {
    **dict.fromkeys(("pyarrow", "duckdb", "openpyxl", "fsspec"), "archive"),
    **dict.fromkeys(("SimpleITK", "rt_utils", "nibabel"), "masks"),
    **dict.fromkeys(("pynetdicom", "dicomweb_client"), "net"),
    "dicomanonymizer": "deid",
    "distributed": "dask",
    "highdicom": "sr",
    "matplotlib": "plot",
    "pandas": "tables",
    "weasyprint": "pdf",
}


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
        raise _missing(str(missing.name), extra) from missing
    except ImportError as broken:
        raise InputError(
            f"a package of the extra {extra} is installed, but cannot be loaded here: {broken}",
            remedy="Install the library of the system that it names.",
        ) from broken


def missing_extra(error: BaseException) -> InputError | None:
    """Return what to tell of a package that was not found, where one of our extras brings it."""
    name = (getattr(error, "name", None) or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    return _missing(name, _BROUGHT_BY[name]) if name in _BROUGHT_BY else None


def _missing(name: str, extra: str) -> InputError:
    return InputError(
        f"this needs the package {name}, which is not installed.",
        remedy=f"Say: pip install 'dvhkit[{extra}]' (in a copy of the source: pip install '.[{extra}]').",
    )
