"""Seeded damage to DICOM files, and the question what the readers make of it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from dvhkit.errors import DvhkitError
from dvhkit.readers.archive.index import FileEntry, read_entry
from dvhkit.readers.archive.roles import Role
from dvhkit.readers.files.dicom_file import quiet_pydicom
from dvhkit.readers.hounsfield import read_hu
from dvhkit.readers.image_series import build_series
from dvhkit.readers.registration import read_rigid_map
from dvhkit.readers.rtdose import read_dose
from dvhkit.readers.rtplan import read_plan
from dvhkit.readers.rtstruct import read_structures

Mutation = Callable[[bytearray, random.Random], None]

# What damage likes to hit: lengths, delimiters, sequence items, numbers in text.
_EXTREME_LENGTHS = (0, 1, 7, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)
_WORDS = (
    b"nan",
    b"inf",
    b"-",
    b"1e999",
    b"1e-400",
    b"\\\\\\",
    b"    ",
    b"\x00\x00\x00\x00",
    b"9" * 16,
    b"../..",
    b"\x1b[2J",
)
_TAGS = (
    b"\xfe\xff\x00\xe0",
    b"\xfe\xff\x0d\xe0",
    b"\xfe\xff\xdd\xe0",
    b"\xe0\x7f\x10\x00",
    b"\x06\x30\x39\x00",
    b"\x28\x00\x10\x00",
    b"\x28\x00\x08\x00",
    b"\x04\x30\x0c\x00",
    b"\x08\x00\x05\x00",
    b"\x02\x00\x10\x00",
)


def cut(data: bytearray, rng: random.Random) -> None:
    """End the file early."""
    del data[rng.randrange(len(data)) :]


def flip_bits(data: bytearray, rng: random.Random) -> None:
    """Flip up to 16 bits anywhere."""
    for _ in range(rng.randint(1, 16)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def flip_header_bits(data: bytearray, rng: random.Random) -> None:
    """Flip bits where the lengths and tags are dense."""
    for _ in range(rng.randint(1, 8)):
        data[rng.randrange(min(len(data), 1500))] ^= 1 << rng.randrange(8)


def absurd_length(data: bytearray, rng: random.Random) -> None:
    """Write an extreme 16- or 32-bit number over four bytes, often right behind a tag."""
    place = rng.randrange(max(1, len(data) - 8))
    if rng.random() < 0.7:
        found = data.find(rng.choice(_TAGS), place)
        place = found + rng.choice((4, 6, 8)) if found >= 0 else place
    data[place : place + 4] = rng.choice(_EXTREME_LENGTHS).to_bytes(4, "little")


def wrong_word(data: bytearray, rng: random.Random) -> None:
    """Write a word that is no number, or too large a one, over some bytes."""
    word = rng.choice(_WORDS)
    place = rng.randrange(max(1, len(data) - len(word)))
    if rng.random() < 0.6:
        found = data.find(b"\\", place)
        place = found + 1 if found >= 0 else place
    data[place : place + len(word)] = word


def drop_bytes(data: bytearray, rng: random.Random) -> None:
    """Take a piece out."""
    place = rng.randrange(len(data))
    del data[place : place + rng.choice((1, 2, 3, 8, 100, 5000))]


def repeat_bytes(data: bytearray, rng: random.Random) -> None:
    """Put a piece in twice, or many times."""
    place = rng.randrange(len(data))
    piece = bytes(data[place : place + rng.choice((1, 8, 64, 600))])
    data[place:place] = piece * rng.choice((1, 1, 2, 50))


def swap_tags(data: bytearray, rng: random.Random) -> None:
    """Turn one tag into another."""
    old, new = rng.sample(_TAGS, 2)
    place = data.find(old, rng.randrange(len(data)))
    if place >= 0:
        data[place : place + 4] = new


def nest_deeply(data: bytearray, rng: random.Random) -> None:
    """Open a thousand items that nothing closes."""
    place = data.find(b"\xfe\xff\x00\xe0", rng.randrange(len(data)))
    place = max(place, 0)
    data[place:place] = (b"\x06\x30\x39\x00\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff") * 1000


MUTATIONS: tuple[Mutation, ...] = (
    cut,
    flip_bits,
    flip_header_bits,
    absurd_length,
    wrong_word,
    drop_bytes,
    repeat_bytes,
    swap_tags,
    nest_deeply,
)


def mutants(originals: dict[str, bytes], count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield (what was done, damaged file), `count` of them, the same for the same seed."""
    rng = random.Random(seed)
    names = sorted(originals)
    for number in range(count):
        name = names[number % len(names)]
        mutation = MUTATIONS[(number // len(names)) % len(MUTATIONS)]
        data = bytearray(originals[name])
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            if data:
                mutation(data, rng)
        yield f"{number}: {name}, {mutation.__name__}", bytes(data)


def read_anything(path: Path) -> str:
    """Read a file as whatever it claims to be; return how it ended. Anything but a `DvhkitError` is raised."""
    try:
        with quiet_pydicom():
            entry = read_entry(path)
            return "not DICOM" if entry is None else _read(entry)
    except DvhkitError as error:
        return _refusal(error)


def _refusal(error: DvhkitError) -> str:
    assert error.path is not None, f"no path in: {error}"
    assert "\x1b" not in str(error), "a terminal escape in a message"
    return "refused"


def _read(entry: FileEntry) -> str:
    path = entry.path
    match entry.role:
        case Role.RTSTRUCT:
            structures, _ = read_structures(path)
            assert all(np.isfinite(c.points_mm).all() for s in structures for c in s.contours)
        case Role.RTPLAN:
            plan, _ = read_plan(path)
            assert all(np.isfinite(p.dose_gy) for p in plan.prescriptions)
        case Role.RTDOSE:
            dose, _ = read_dose(path)
            assert np.isfinite(dose.values_gy).all()
        case Role.IMAGE:
            image, _ = build_series((entry,))
            assert np.isfinite(read_hu(image)).all()
        case Role.REG:
            frames = entry.registration().frame_uids
            if len(frames) > 1:
                read_rigid_map(path, source=frames[1], target=frames[0])
        case _:
            return "other"
    return "read"
