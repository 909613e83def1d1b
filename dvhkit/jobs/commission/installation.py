"""Which installation this is: version, machine, libraries, and a fingerprint of the program's own files."""

from __future__ import annotations

import hashlib
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path

_LIBRARIES = ("numpy", "numba", "llvmlite", "pydicom", "shapely", "pydantic", "ruamel.yaml", "rapidfuzz")
_SUFFIXES = (".py", ".yaml", ".csv", ".j2", ".css", ".js")


def machine() -> dict[str, str]:
    """Return what the numbers were computed on; no names of machine or user."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "processor": platform.machine(),
        "processors": str(os.cpu_count() or 1),
    }


def libraries() -> dict[str, str]:
    """Return the versions of what dvhkit computes with."""
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def build_sha256() -> str:
    """Return one SHA-256 over the names and contents of the program's own files: it changes when a line does."""
    root = Path(str(files("dvhkit")))
    digest = hashlib.sha256()
    for path in sorted(p for p in root.rglob("*") if p.suffix in _SUFFIXES and "__pycache__" not in p.parts):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
