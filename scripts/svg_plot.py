"""Plain line and strip plots as SVG text, for documents that must not need a plotting library."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from html import escape

COLOURS = ("#1b6ca8", "#d1495b", "#3a8f5c", "#8c6bb1", "#e08e2b", "#5b5f66")
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP, _RIGHT = 720, 380, 66, 46, 34, 16


def _ticks(low: float, high: float) -> list[float]:
    span = high - low
    step = next(s * 10**e for e in range(-6, 7) for s in (1, 2, 5) if span / (s * 10**e) <= 7)
    first = int(low / step) - 1
    return [round(n * step, 9) for n in range(first, first + 20) if low - 1e-9 <= n * step <= high + 1e-9]


def _frame(title: str, x_label: str, y_label: str) -> list[str]:
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        f'font-size="12" fill="#333"><rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        f'<text x="{_LEFT}" y="20" font-size="14" font-weight="bold">{escape(title)}</text>',
        f'<text x="{middle}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(x_label)}</text>',
        f'<text transform="translate(16 {_HEIGHT / 2}) rotate(-90)" text-anchor="middle">{escape(y_label)}</text>',
    ]


def lines(
    title: str,
    x_label: str,
    y_label: str,
    series: Sequence[tuple[str, Sequence[float], Sequence[float]]],
) -> str:
    """Return a plot of (label, x, y) series."""
    xs = [x for _, values, _ in series for x in values]
    ys = [y for _, _, values in series for y in values]
    x_lo, x_hi, y_lo, y_hi = min(xs), max(xs), min([*ys, 0.0]), max([*ys, 0.0])
    pad = 0.06 * (y_hi - y_lo or 1.0)
    y_lo, y_hi = y_lo - pad, y_hi + pad

    def px(x: float) -> float:
        return _LEFT + (x - x_lo) / (x_hi - x_lo or 1) * (_WIDTH - _LEFT - _RIGHT)

    def py(y: float) -> float:
        return _HEIGHT - _BOTTOM - (y - y_lo) / (y_hi - y_lo or 1) * (_HEIGHT - _BOTTOM - _TOP)

    out = _frame(title, x_label, y_label)
    out += _grid(_ticks(x_lo, x_hi), _ticks(y_lo, y_hi), px, py)
    for n, (_, x, y) in enumerate(series):
        colour = COLOURS[n % len(COLOURS)]
        path = " ".join(f"{px(a):.1f},{py(b):.1f}" for a, b in zip(x, y, strict=True))
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
    return "\n".join([*out, *_legend([label for label, _, _ in series]), "</svg>\n"])


def _legend(labels: Sequence[str]) -> list[str]:
    """Name the colours beside the title, where no point lies."""
    out, x = [], float(_WIDTH - _RIGHT)
    for n, label in reversed(list(enumerate(labels))):
        colour = COLOURS[n % len(COLOURS)]
        out.append(f'<text x="{x:.0f}" y="20" text-anchor="end" fill="{colour}">● {escape(label)}</text>')
        x -= 7.0 * len(label) + 26
    return out


def strips(title: str, y_label: str, groups: Sequence[tuple[str, Sequence[tuple[str, Sequence[float]]]]]) -> str:
    """Return clouds of values side by side: groups of (label, values), one colour for each label."""
    every = [v for _, parts in groups for _, values in parts for v in values]
    y_lo, y_hi = min([*every, 0.0]), max([*every, 0.0])
    pad = 0.06 * (y_hi - y_lo or 1.0)
    y_lo, y_hi = y_lo - pad, y_hi + pad
    width = (_WIDTH - _LEFT - _RIGHT) / len(groups)

    def py(y: float) -> float:
        return _HEIGHT - _BOTTOM - (y - y_lo) / (y_hi - y_lo or 1) * (_HEIGHT - _BOTTOM - _TOP)

    out = _frame(title, "", y_label) + _grid([], _ticks(y_lo, y_hi), lambda x: x, py)
    for g, (name, parts) in enumerate(groups):
        x0 = _LEFT + g * width
        lines_of = textwrap.wrap(name, max(6, int(width / 6.6)), break_long_words=False)
        for n, line in enumerate(lines_of):
            y = _HEIGHT - 30 + 13 * n
            out.append(f'<text x="{x0 + width / 2:.0f}" y="{y}" text-anchor="middle">{escape(line)}</text>')
        for n, (_, values) in enumerate(parts):
            colour = COLOURS[n % len(COLOURS)]
            middle = x0 + width * (n + 1) / (len(parts) + 1)
            for i, value in enumerate(values):
                dx = ((i * 7919) % 101 / 101 - 0.5) * width / (len(parts) + 2)
                out.append(
                    f'<circle cx="{middle + dx:.1f}" cy="{py(value):.1f}" r="2" fill="{colour}" fill-opacity="0.55"/>'
                )
    return "\n".join([*out, *_legend([label for label, _ in groups[0][1]]), "</svg>\n"])


def _grid(x_ticks, y_ticks, px, py) -> list[str]:  # noqa: ANN001 -- two lists and two functions of a number
    out = []
    for y in y_ticks:
        heavy = "#888" if y == 0 else "#e3e3e3"
        out.append(f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{py(y):.1f}" y2="{py(y):.1f}" stroke="{heavy}"/>')
        out.append(f'<text x="{_LEFT - 6}" y="{py(y) + 4:.1f}" text-anchor="end">{y:g}</text>')
    for x in x_ticks:
        out.append(f'<text x="{px(x):.1f}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">{x:g}</text>')
    return out
