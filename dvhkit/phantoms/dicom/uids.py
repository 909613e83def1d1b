"""UIDs that follow from content: the same phantom gets the same UIDs in every run, on every machine.

Each is ``2.25.`` and a name-based UUID (PS3.5 annex B.2). Seeds form a chain, image → structures → plan → dose, so that
two plans on the same image and structures share those, as re-plans do.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

import numpy as np

from dvhkit.phantoms.sets.phantom_set import PhantomSet

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:dvhkit:phantoms")


def content_uid(*parts: str) -> str:
    """Return the UID that belongs to these words."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, '|'.join(parts)).int}"


def digest(value: Any) -> str:  # noqa: ANN401 -- hashes any record
    """Return a SHA-256 over a record, its nested records and its arrays."""
    h = hashlib.sha256()
    _feed(h, value)
    return h.hexdigest()


def _feed(h: Any, value: Any) -> None:  # noqa: ANN401
    if is_dataclass(value) and not isinstance(value, type):
        h.update(type(value).__name__.encode())
        for f in fields(value):
            held = getattr(value, f.name)
            # What has its default says nothing: an option that is added later leaves old UIDs as they were.
            if f.default is MISSING or isinstance(held, np.ndarray) or held != f.default:
                h.update(f"|{f.name}=".encode())
                _feed(h, held)
    elif isinstance(value, np.ndarray):
        # Little-endian bytes, so that the hash does not depend on the machine.
        little = np.ascontiguousarray(value, dtype=value.dtype.newbyteorder("<"))
        h.update(f"{value.dtype.kind}{value.shape}".encode())
        h.update(little.tobytes())
    elif isinstance(value, tuple | list):
        h.update(f"({len(value)}".encode())
        for item in value:
            _feed(h, item)
    else:
        h.update(f"{type(value).__name__}:{value!r};".encode())


class SetUids:
    """The UIDs of one phantom set."""

    def __init__(self, phantom: PhantomSet) -> None:
        label = f"{phantom.label}|{phantom.patient_id}"
        self._image = digest((label, phantom.image))
        self._structures = digest((self._image, phantom.contour_decimals, phantom.structures))
        self._plan = digest((self._structures, phantom.plan))
        self._doses = tuple(digest((self._plan, n, dose)) for n, dose in enumerate(phantom.doses))
        self.study = content_uid("study", label)
        self.frame_of_reference = content_uid("frame", self._image)
        self.image_series = content_uid("image-series", self._image)
        self.structure_series = content_uid("structure-series", self._structures)
        self.structure_set = content_uid("structure-set", self._structures)
        self.plan_series = content_uid("plan-series", self._plan)
        self.plan = content_uid("plan", self._plan)

    def image(self, plane: int) -> str:
        """UID of the slice at plane index `plane`."""
        return content_uid("image", self._image, str(plane))

    def dose(self, n: int) -> str:
        """UID of the n-th dose."""
        return content_uid("dose", self._doses[n])

    def dose_series(self, n: int) -> str:
        """Series UID of the n-th dose."""
        return content_uid("dose-series", self._doses[n])
