"""Patients in a store: told apart, never named. The hash is keyed, so that nobody can try all IDs of a hospital."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from dvhkit.errors import InputError

_VARIABLE = "DVHKIT_IDENTITY_KEY"


def pseudonym(patient_key: str, secret: bytes) -> str | None:
    """Return how a store calls a patient: the same for one key and one secret, and nothing else can be told of it."""
    return hmac.new(secret, patient_key.encode(), hashlib.sha256).hexdigest()[:16] if patient_key else None


def identity_secret() -> bytes:
    """Return this user's secret: of the variable DVHKIT_IDENTITY_KEY, or of a file that is made when first needed.

    Stores that were made with one secret call a patient by one name; give the secret to nobody who gets a store.
    """
    told = os.environ.get(_VARIABLE)
    if told:
        return told.encode()
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    path = Path(base) / "dvhkit" / "identity.key"
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(secrets.token_hex(32))
        return path.read_bytes().strip()
    except FileExistsError:
        return path.read_bytes().strip()
    except OSError as error:
        raise InputError(
            f"the key for pseudonyms can be neither read nor made ({error.strerror}).",
            path=path,
            remedy=f"Set {_VARIABLE} to a secret text.",
        ) from error
