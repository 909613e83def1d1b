"""What a page carries is what went in: exact where it fits, within a stated bound where it does not."""

from __future__ import annotations

import zlib

import numpy as np

from dvhkit.outputs.report.viewer.codec import LETTERS, letters, pack_counts, pack_image


def unletter(text: str) -> bytes:
    digits = np.array([LETTERS.index(c) for c in text.encode()], dtype=np.int64).reshape(-1, 5)
    return (digits @ 85 ** np.arange(4, -1, -1)).astype(">u4").tobytes()


def unplane(chunk: bytes, shape: tuple[int, int], *, wide: bool) -> np.ndarray:
    raw = np.frombuffer(zlib.decompress(chunk, -15), dtype=np.uint8).astype(int)
    if wide:
        folded = raw[: raw.size // 2] + 256 * raw[raw.size // 2 :]
        raw = np.where(folded % 2, -(folded + 1) // 2, folded // 2)
    differs, out = raw.reshape(shape), np.zeros(shape, dtype=int)
    for y, x in np.ndindex(shape):
        left, up = (out[y, x - 1] if x else 0), (out[y - 1, x] if y else 0)
        foretold = sorted((left, up, left + up - (out[y - 1, x - 1] if x and y else 0)))[1]
        out[y, x] = (differs[y, x] + foretold) % (65536 if wide else 256)
    return out


def test_letters_carry_any_bytes_and_mean_nothing_to_html() -> None:
    data = np.random.default_rng(1).integers(0, 256, 4001).astype(np.uint8).tobytes()
    text = letters(data)
    assert unletter(text)[: len(data)] == data
    assert not set(text) & set('<&\\"\n') - {'"'}


def test_an_image_that_fits_is_exact() -> None:
    values = np.random.default_rng(2).integers(-1024, 3072, (3, 7, 9)).astype(np.float32)
    packed, _ = pack_image(values, most_bytes=100_000)
    assert packed.errors == (0.0,)
    got = np.stack([unplane(chunk, (7, 9), wide=packed.is_wide) for chunk in packed.chunks]) + packed.first
    assert np.array_equal(got, values)


def test_an_image_that_does_not_fit_is_within_its_bound() -> None:
    random = np.random.default_rng(2)
    values = np.rint(random.normal(30, 60, (8, 32, 40))).astype(np.float32)
    values[:, :8] = -1000 + np.rint(random.normal(0, 20, (8, 8, 40)))
    packed, _ = pack_image(values, most_bytes=5000)
    assert packed.size < 5300
    levels = np.stack([unplane(chunk, (32, 40), wide=packed.is_wide) for chunk in packed.chunks])
    shown, bound = np.array(packed.values)[levels], np.array(packed.errors)[levels]
    assert 0 < bound.min() <= 64
    assert np.all(np.abs(shown - values) <= bound)


def test_values_that_are_no_whole_numbers_are_within_their_bound() -> None:
    values = np.random.default_rng(4).uniform(0, 31.7, (2, 6, 5)).astype(np.float32)
    packed, _ = pack_image(values, most_bytes=100_000)
    levels = np.stack([unplane(chunk, (6, 5), wide=True) for chunk in packed.chunks])
    # Half a step, and the rounding of the single precision that the values came in.
    assert np.abs(packed.first + levels * packed.step - values).max() <= packed.errors[0] * (1 + 1e-6) + 2e-6


def test_doses_counts_are_exact() -> None:
    counts = np.random.default_rng(5).integers(0, 2**29, (3, 4, 5)).astype(float)
    raw = np.frombuffer(zlib.decompress(pack_counts(counts), -15), dtype=np.uint8).reshape(4, 3, 4, 5).astype(np.int64)
    folded = sum(raw[place] << (8 * place) for place in range(4))
    differs = np.where(folded % 2, -(folded + 1) // 2, folded // 2)
    assert np.array_equal(np.cumsum(differs, axis=-1), counts)


def test_squares_that_are_asked_for_are_exact_though_the_image_is_not() -> None:
    random = np.random.default_rng(6)
    values = np.rint(random.normal(30, 60, (3, 30, 43))).astype(np.float32)
    values[:, :, :9] = -1024 + np.rint(random.uniform(0, 200, (3, 30, 9)))
    first, second = np.zeros((2, 3, 4, 6), dtype=bool)
    first[1, 0, :2] = first[2, 3, 5] = True  # the last one reaches beyond the image
    second[:] = True
    packed, held = pack_image(values, most_bytes=3000, exactly=[first, second])
    assert (held, [count for count, _ in packed.exact]) == (1, [0, 2, 1])
    for plane, (chunk, (count, exact)) in enumerate(zip(packed.chunks, packed.exact, strict=True)):
        shown = np.array(packed.lows)[unplane(chunk, (30, 43), wide=packed.is_wide)]
        raw = np.frombuffer(zlib.decompress(exact, -15), dtype=np.uint8) if count else np.zeros(3, dtype=np.uint8)
        assert np.array_equal(np.unpackbits(raw[:3]).astype(bool), first[plane].ravel())
        squares = iter(raw[3:].reshape(-1, 8, 8))
        for row, column in np.argwhere(first[plane]):
            there = np.s_[8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
            inside = values[plane][there]
            assert np.array_equal(shown[there] + next(squares)[: inside.shape[0], : inside.shape[1]], inside)


def test_an_image_that_fits_needs_no_exact_squares() -> None:
    values = np.random.default_rng(2).integers(-1024, 3072, (1, 7, 9)).astype(np.float32)
    packed, held = pack_image(values, most_bytes=100_000, exactly=[np.ones((1, 1, 2), dtype=bool)])
    assert (packed.errors, packed.lows, packed.exact, held) == ((0.0,), (), (), 1)
