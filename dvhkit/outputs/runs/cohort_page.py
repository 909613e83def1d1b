"""A cohort as one page of HTML: bands, pass rates, distributions, outliers, exclusions. Nothing is loaded from afar."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote

from dvhkit.outputs.language import Catalogue, say, speaking, spoken

if TYPE_CHECKING:
    from dvhkit.results.cohort import Cohort, DvhBand

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 340, 210, 38, 28
_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:0 auto;max-width:1180px;padding:1rem;color:#1c2430;background:#fff}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}table{border-collapse:collapse;font-size:.9rem}
td,th{padding:.2rem .7rem .2rem 0;text-align:left;border-bottom:1px solid #dde3ea}td.n{text-align:right;
font-variant-numeric:tabular-nums}figure{display:inline-block;margin:0 1rem 1rem 0}figcaption{font-weight:600}
.wide{overflow-x:auto}svg text{font-size:11px;fill:#44505e}
@media(prefers-color-scheme:dark){body{background:#14181e;color:#dfe6ee}td,th{border-color:#323b47}
svg text{fill:#a9b4c0}a{color:#8ab8f0}}
"""
_FILLS = ((0, 6, "#2b6cb0", 0.14), (1, 5, "#2b6cb0", 0.22), (2, 4, "#2b6cb0", 0.34))


def cohort_html(
    cohort: Cohort,
    *,
    case_id: str = "",
    drawn: Mapping[str, Sequence[tuple[float, float]]] | None = None,
    reference: Mapping[str, DvhBand] | None = None,
    links: Mapping[str, str] | None = None,
    language: str | Catalogue | None = None,
) -> str:
    """Return the page.

    Parameters
    ----------
    case_id, drawn
        A case, and by structure the points (dose, volume) of its DVH, drawn into the bands.
    reference
        By structure, a band of another cohort; its median and 10 and 90 % are drawn as dashed lines.
    links
        By case, where its report lies, relative to the page.
    """
    with speaking(language):
        body = [*_dvhs(cohort, case_id, drawn or {}, reference or {}), *_tables(cohort, links or {})]
        tag, title = spoken().language, escape(say("cohort.page_title"))
    csp = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        f'<!doctype html><html lang="{tag}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f'<meta http-equiv="Content-Security-Policy" content="{csp}"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )


def _dvhs(
    cohort: Cohort,
    case_id: str,
    drawn: Mapping[str, Sequence[tuple[float, float]]],
    reference: Mapping[str, DvhBand],
) -> Iterable[str]:
    figures = "".join(_figure(band, drawn.get(band.roi, ()), reference.get(band.roi)) for band in cohort.bands)
    legend = [say("cohort.legend")]
    legend += [say("cohort.legend_case", case=case_id)] if case_id else []
    legend += [say("cohort.legend_reference")] if reference else []
    yield f"<h1>{escape(say('cohort.title', n=cohort.n_cases))}</h1>"
    yield f"<p>{escape(say('cohort.excluded', n=len(cohort.excluded)))}</p>"
    yield f"<h2>{escape(say('cohort.dvhs'))}</h2><p>{escape(' '.join(legend))}</p>"
    yield figures or f"<p>{escape(say('cohort.too_few'))}</p>"


def _tables(cohort: Cohort, links: Mapping[str, str]) -> Iterable[str]:
    yield _section("rules", ("rule", "met", "judged", "met_pct", "interval", "open"), _rates(cohort))
    yield _section("outliers", ("case", "structure", "metric", "value", "median", "z"), _odd(cohort), links)
    yield _section("metrics", ("structure", "metric", "n", *_percentile_keys()), _spread(cohort))
    yield _section("no_result", ("case", "reason"), cohort.excluded, links)


def _percentile_keys() -> tuple[str, ...]:
    from dvhkit.results.cohort import PERCENTILES

    return tuple({0: "lowest", 50: "median", 100: "highest"}.get(p, f"{p} %") for p in PERCENTILES)


def _rates(cohort: Cohort) -> Iterable[Sequence[str | float]]:
    for r in sorted(cohort.pass_rates, key=lambda r: (r.n_met / r.n_judged if r.n_judged else 2.0, r.rule_id)):
        share = f"{100 * r.n_met / r.n_judged:.1f}" if r.n_judged else "–"
        yield (
            r.rule_id,
            r.n_met,
            r.n_judged,
            share,
            say("number.to", low=f"{100 * r.low:.1f}", high=f"{100 * r.high:.1f}"),
            r.n_open,
        )


def _odd(cohort: Cohort) -> Iterable[Sequence[str | float]]:
    for o in cohort.outliers:
        yield o.case_id, o.roi, o.metric, f"{o.value:.4g} {o.unit}", f"{o.median:.4g}", f"{o.robust_z:+.1f}"


def _spread(cohort: Cohort) -> Iterable[Sequence[str | float]]:
    for d in cohort.distributions:
        yield d.roi, d.metric, d.n, *(f"{value:.4g}" for value in d.values)


def _section(
    table: str,
    headings: Sequence[str],
    rows: Iterable[Sequence[str | float]],
    links: Mapping[str, str] | None = None,
) -> str:
    """Return a table by its key; with `links` the first cell of a row leads to the report of the case that it names."""
    near, title = links or {}, escape(say(f"cohort.{table}"))
    cells = "".join(f"<tr>{_linked(row[0], near)}{''.join(_cell(value) for value in row[1:])}</tr>" for row in rows)
    if not cells:
        return f"<h2>{title}</h2><p>{escape(say('cohort.none'))}</p>"
    # Percentiles are numbers in every language.
    heads = "".join(f"<th>{escape(h if h.endswith('%') else say(f'column.{h}'))}</th>" for h in headings)
    return f'<h2>{title}</h2><div class="wide"><table><tr>{heads}</tr>{cells}</table></div>'


def _linked(value: str | float, links: Mapping[str, str]) -> str:
    href = links.get(str(value))
    return _cell(value) if href is None else f'<td><a href="{escape(quote(href))}">{escape(str(value))}</a></td>'


def _cell(value: str | float) -> str:
    return f"<td>{escape(value)}</td>" if isinstance(value, str) else f'<td class="n">{value}</td>'


def _figure(band: DvhBand, drawn: Sequence[tuple[float, float]], reference: DvhBand | None) -> str:
    most = max(band.dose_gy[-1], drawn[-1][0] if drawn else 0.0, reference.dose_gy[-1] if reference else 0.0) or 1.0

    def points(doses: Sequence[float], volumes: Sequence[float]) -> list[str]:
        return [f"{_x(d, most):.1f},{_y(v):.1f}" for d, v in zip(doses, volumes, strict=True)]

    shapes = []
    for low, high, colour, opacity in _FILLS:
        outline = points(band.dose_gy, band.volume_pct[low]) + points(band.dose_gy, band.volume_pct[high])[::-1]
        shapes.append(f'<polygon points="{" ".join(outline)}" fill="{colour}" fill-opacity="{opacity}"/>')
    shapes.append(_line(points(band.dose_gy, band.volume_pct[3]), "#1a4f8b"))
    if reference is not None:
        shapes += [_line(points(reference.dose_gy, reference.volume_pct[k]), "#8a5a00", "4 3") for k in (1, 3, 5)]
    if drawn:
        shapes.append(_line(points(*map(list, zip(*drawn, strict=True))), "#c53030"))
    name = escape(band.roi)
    return (
        f'<figure><figcaption>{name} <small>n = {band.n}</small></figcaption><svg width="{_WIDTH}" height="{_HEIGHT}" '
        f'role="img" aria-label="{escape(say("cohort.bands_of", roi=band.roi))}">{_axes(most)}{"".join(shapes)}'
        "</svg></figure>"
    )


def _line(points: Sequence[str], colour: str, dashes: str = "") -> str:
    dash = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" stroke-width="1.6"{dash}/>'


def _axes(most_gy: float) -> str:
    right, base = _WIDTH - 8, _HEIGHT - _BOTTOM
    lines = [f'<path d="M{_LEFT} 8V{base}H{right}" fill="none" stroke="#8793a1"/>']
    lines += [f'<text x="{_LEFT - 5}" y="{_y(v) + 4:.0f}" text-anchor="end">{v}</text>' for v in (0, 50, 100)]
    lines += [
        f'<text x="{_x(d, most_gy):.0f}" y="{base + 14}" text-anchor="middle">{d:.3g}</text>'
        for d in (0.0, most_gy / 2, most_gy)
    ]
    lines.append(f'<text x="{right}" y="{_HEIGHT - 2}" text-anchor="end">{escape(say("cohort.axes"))}</text>')
    return "".join(lines)


def _x(dose_gy: float, most_gy: float) -> float:
    return _LEFT + dose_gy / most_gy * (_WIDTH - _LEFT - 14)


def _y(volume_pct: float) -> float:
    return 8 + (100 - volume_pct) / 100 * (_HEIGHT - _BOTTOM - 8)
