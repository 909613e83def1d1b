"""The slice viewer in a real browser: what it reads out, where it jumps, where its contours lie."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from made_up_records import HOSTILE_NAMES, LIVER
from scenes import AXES, CUBE, cube_scene

from dvhkit.engine.dose_sum import dose_at
from dvhkit.findings import Finding, Level
from dvhkit.outputs.report.case_report import html_report, viewer_script
from dvhkit.results.audit import MarginMap, Verdict
from dvhkit.results.scene import Scene, Spot

# The pages of these tests show the patient and no more, which opens faster.
BARE = replace(LIVER, rules=LIVER.rules[5:6], curves=(), metrics=(), findings=(), margin_maps=(), provenance=None)


def opened(open_page: Any, scene: Scene, record: Any = BARE) -> Any:
    return open_page(html_report([record], scene=scene))


def go_to(page: Any, point: Any, plane: str = "axial") -> Any:
    return page.ask("([point, plane]) => dvhkit.goTo(point, plane)", [list(map(float, point)), plane])


def test_the_viewers_script_is_small() -> None:
    assert len(viewer_script().encode()) < 40_000


@pytest.mark.parametrize("position", AXES)
def test_readout_is_the_images_value_the_trilinear_dose_and_the_structures(open_page: Any, position: str) -> None:
    scene = cube_scene(position)
    assert scene.values is not None
    assert scene.dose is not None
    grid = scene.grid
    page = opened(open_page, scene)
    size = np.array([55 * 1.25, 39 * 1.5, 17 * 2.5])
    cube = [((a - 0.5) * s, (b - 0.5) * s) for (a, b), s in zip(CUBE, (1.25, 1.5, 2.5), strict=True)]
    alongs = np.random.default_rng(3).uniform(0, 1, (20, 3)) * size
    alongs[::4] = np.random.default_rng(4).uniform([c[0] for c in cube], [c[1] for c in cube], (5, 3))
    points = grid.origin_mm + alongs @ grid.axes
    reads = page.ask("(all) => all.map((point) => dvhkit.goTo(point))", points.tolist())
    met = set()
    for along, point, read in zip(alongs, points, reads, strict=True):
        i, j, k = (round(float(a)) for a in along / [1.25, 1.5, 2.5])
        assert (read["x"], read["y"], read["z"]) == pytest.approx(tuple(point))
        assert read["hu"] == scene.values[k, j, i]
        # The names follow the patient, the numbers the image.
        assert read["slices"] == {"axial": k, "coronal": j, "sagittal": i}
        expected = float(dose_at(scene.dose, point)[0])
        assert read["dose_gy"] == (None if np.isnan(expected) else pytest.approx(expected, abs=1e-9))
        inside = all(low < a < high for a, (low, high) in zip(along, cube, strict=True))
        assert read["structures"] == (["Cube"] if inside else [])
        met |= {("inside", inside), ("dose", not np.isnan(expected))}
    assert {("inside", True), ("inside", False), ("dose", True)} <= met
    for plane in ("axial", "sagittal", "coronal"):
        read = go_to(page, points[0], plane)
        assert (read["plane"], read["slice"]) == (plane, reads[0]["slices"][plane])
    assert page.complaints == []


_LINES = """([point, plane]) => {
  dvhkit.goTo(point, plane);
  const c = document.querySelector(`canvas[data-plane="${plane}"]`), x = c.getContext("2d");
  const [left, top] = dvhkit.project(point, plane).map(Math.floor);
  return [x.getImageData(0, top, c.width, 1).data, x.getImageData(left, 0, 1, c.height).data].map((a) => Array.from(a));
}"""


@pytest.mark.parametrize("position", ["HFS", "FFS", "prone", "oblique"])
def test_contours_lie_on_the_edge_of_what_they_surround(open_page: Any, position: str) -> None:
    scene = cube_scene(position)
    scene = replace(scene, values=np.where(scene.values == 1500.0, 1500.0, -1000.0), dose=None, levels_gy=())
    page = opened(open_page, scene)
    along = [(a + b - 1) / 2 * s for (a, b), s in zip(CUBE, (1.25, 1.5, 2.5), strict=True)]
    point = (scene.grid.origin_mm + np.array(along) @ scene.grid.axes).tolist()
    page.ask("() => dvhkit.ready")
    page.page.locator(".switches input").last.uncheck()  # the crosshair
    planes = ("axial", "sagittal", "coronal")
    inked = {plane: page.ask(_LINES, [point, plane]) for plane in planes}
    page.page.locator(".switches input").first.uncheck()  # the contours: without a dose they come first
    for plane in planes:
        bare = page.ask(_LINES, [point, plane])
        for with_contour, without in zip(inked[plane], bare, strict=True):
            rgba = np.array(with_contour, dtype=float).reshape(-1, 4)
            grey = np.array(without, dtype=float).reshape(-1, 4)[:, 1]
            ink = (rgba[:, 0] + rgba[:, 2]) / 2 - rgba[:, 1]  # magenta, where the rest is grey
            drawn = np.flatnonzero(ink > 20)
            bright = _run_about(grey > 127.5, int(drawn.mean()))  # letters at the border are bright, too
            edges = _edge(grey, bright[0]), len(grey) - _edge(grey[::-1], len(grey) - 1 - bright[-1])
            halves = drawn[drawn < drawn.mean()], drawn[drawn > drawn.mean()]
            lines = [float(np.average(half + 0.5, weights=ink[half])) for half in halves]
            assert lines == pytest.approx(edges, abs=0.5)


def _run_about(is_bright: np.ndarray, at: int) -> tuple[int, int]:
    """Return the first and the last index of the run of bright pixels that holds `at`."""
    dark = np.flatnonzero(~is_bright)
    return int(dark[dark < at].max(initial=-1)) + 1, int(dark[dark > at].min(initial=len(is_bright))) - 1


def _edge(line: np.ndarray, at: int) -> float:
    """Where a line of grey crosses its half height, in pixels from its beginning; pixel n reaches from n to n + 1."""
    low, high = line[at - 1], line[at]
    return at + 0.5 - float((high - 127.5) / max(high - low, 1e-9))


def test_wheel_and_keys_scroll_and_buttons_jump(open_page: Any) -> None:
    scene = cube_scene("HFS")
    spot = Spot(rule=0, roi="Cube", quantity="Max[Gy]", kind="hottest", point_mm=(3.0, 40.0, 120.0), dose_gy=61.0)
    one = opened(open_page, replace(scene, spots=(spot,)))
    page = one.page
    read = lambda: page.evaluate("() => dvhkit.readout()")  # noqa: E731
    before = go_to(one, scene.grid.origin_mm + np.array([30.0, 20.0, 20.0]))
    pane = page.locator('canvas[data-plane="axial"]')
    pane.focus()
    page.keyboard.press("ArrowUp")
    assert read()["slice"] == before["slice"] + 1
    pane.hover()
    page.mouse.wheel(0, 100)
    page.wait_for_timeout(50)
    assert read()["slice"] == before["slice"]
    page.locator("[data-goto]").first.click()
    assert [read()[c] for c in "xyz"] == [3.0, 40.0, 120.0]
    page.locator(".rois button").first.click()
    assert read()["structures"] == ["Cube"]
    page.locator(".rois button").nth(1).click()
    assert scene.dose is not None
    assert read()["dose_gy"] > 0.8 * float(scene.dose.values_gy.max())
    page.set_viewport_size({"width": 430, "height": 900})
    page.wait_for_timeout(200)
    drawn, shown = page.evaluate(
        """() => { const still = document.querySelector("canvas[data-spot]"), box = still.getBoundingClientRect();
                   return [still.width / still.height, box.width / box.height]; }"""
    )
    assert drawn == pytest.approx(shown, rel=0.02), "a picture is not stretched where the window changes"
    assert one.complaints == []


def test_a_picture_tells_each_rule_that_its_place_decides_and_the_isodoses(open_page: Any) -> None:
    scene = cube_scene("HFS")
    at = tuple(float(c) for c in scene.grid.origin_mm + np.array([31.0, 23.0, 20.0]))
    first = replace(LIVER.rules[5], roi="Cube", title="first", low=None, high=None)
    rules = (first, replace(first, title="second", goal="<= 7 Gy", value=8.5, low=8.25, high=8.75, unit="Gy"))
    spots = tuple(
        Spot(rule=n, roi="Cube", quantity=r.quantity, kind="hottest place", point_mm=at, dose_gy=8.5)
        for n, r in enumerate(rules)
    )
    one = opened(open_page, replace(scene, spots=spots), replace(BARE, rules=rules))
    assert one.page.locator(".shot").count() == 1
    told = one.page.locator(".shot figcaption").inner_text()
    assert all(word in told for word in ("first", "second", "8.50 Gy (8.25 to 8.75), goal ≤ 7 Gy"))
    key = one.page.locator(".level-key").inner_text()
    assert all(word in key for word in ("50.0 Gy · 100 %", "25.0 Gy · 50 %"))
    assert one.complaints == []


def test_hostile_names_stay_texts(open_page: Any) -> None:
    names = (*HOSTILE_NAMES[:6], "<img src=x onerror=alert(1)>", "</script><script>alert(1)</script>")
    scene = cube_scene("HFS")
    scene = replace(scene, structures=tuple(replace(scene.structures[0], name=name) for name in names))
    page = opened(open_page, scene)
    assert page.page.locator(".rois li").count() == len(names)
    assert page.page.locator("img").count() == 0
    assert page.page.locator("script").count() == 4
    assert page.complaints == []


def test_nothing_sticks_out_of_the_page(open_page: Any) -> None:
    page = opened(open_page, cube_scene("HFS"))
    for width in (1280, 800, 420):
        page.page.set_viewport_size({"width": width, "height": 800})
        assert page.ask("() => document.documentElement.scrollWidth") <= width


def test_without_image_or_dose_contours_are_drawn_and_the_page_says_what_is_missing(open_page: Any) -> None:
    scene = replace(cube_scene("HFS"), values=None, dose=None, levels_gy=(), remarks=("No dose belongs to it.",))
    page = opened(open_page, scene)
    read = go_to(page, scene.grid.origin_mm + np.array([30.0, 22.0, 20.0]))
    assert (read["hu"], read["dose_gy"], read["structures"]) == (None, None, ["Cube"])
    assert "No dose belongs to it." in page.page.locator(".remarks-list").inner_text()
    assert page.complaints == []


@pytest.mark.parametrize("position", ["HFS", "FFS"])
def test_a_cell_of_a_margin_map_leads_to_its_place_on_the_surface(open_page: Any, position: str) -> None:
    scene = cube_scene(position)
    points = np.concatenate([c.points_mm for c in scene.structures[0].contours])
    low, high = points.min(axis=0), points.max(axis=0)
    middle = (low + high) / 2
    heights = (float(middle[2]) - 2.5, float(middle[2]), float(middle[2]) + 2.5)
    lacking = ((0.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0), (0.0, 2.0, 0.0, 0.0))
    drawn = MarginMap(title="t", limit="l", caption="c", height_mm=heights, margin_mm=((1.0,) * 4,) * 3,
                      lacking_mm=lacking, inner="Cube")  # fmt: skip
    one = opened(open_page, scene, replace(BARE, margin_maps=(drawn,)))
    one.page.locator("figure.map .jump").click()  # the middles of four columns: 45, 135, 225 and 315 degrees
    read = one.ask("() => dvhkit.readout()")
    assert read["x"] < middle[0] < high[0]
    assert read["y"] > middle[1]
    on_side = (read["x"] - low[0], high[1] - read["y"])
    assert min(map(abs, on_side)) < 0.02
    assert middle[0] - read["x"] == pytest.approx(read["y"] - middle[1], abs=0.02), "135 degrees"
    levels = sorted({float(c.points_mm[0][2]) for c in scene.structures[0].contours}, key=lambda z: abs(z - heights[2]))
    assert min(abs(read["z"] - z) for z in levels[:2]) < 0.02
    one.ask(
        """() => {
          const figure = document.querySelector("figure.map"), svg = figure.querySelector("svg");
          const box = svg.getBoundingClientRect(), k = box.width / svg.viewBox.baseVal.width;
          const [left, top, wide, high] = figure.dataset.cells.split(" ").map((n) => k * n);
          const at = { clientX: box.left + left + 3.5 * wide, clientY: box.top + top + 1.5 * high, bubbles: true };
          svg.dispatchEvent(new MouseEvent("click", at));
        }"""
    )
    read = one.ask("() => dvhkit.readout()")
    assert (read["x"] > middle[0], read["y"] < middle[1]) == (True, True), "315 degrees: left and anterior"
    assert one.complaints == []


def test_places_that_reasons_and_findings_tell_are_a_click_away(open_page: Any) -> None:
    scene = cube_scene("FFS")
    middle = scene.grid.origin_mm + np.array([31.0, 23.0, 20.0]) @ scene.grid.axes
    x, y, z = (round(float(c), 1) for c in middle)
    short = replace(LIVER.rules[5], reason=f"1.2 % fall short, worst at x {x:g}, y {y:g}, z {z:g}", unit="mm")
    high = scene.structures[0].contours[-1].points_mm[0][2]
    odd = Finding(level=Level.WARNING, code="crossing-contour", message=f"Crosses itself at z = {high:.1f} mm.",
                  where="Cube", rois=("Cube",))  # fmt: skip
    one = opened(open_page, scene, replace(BARE, rules=(short,), findings=(odd,)))
    jumps = one.page.locator(".jump:visible")
    assert jumps.count() == 2
    jumps.nth(0).click()
    read = one.ask("() => dvhkit.readout()")
    assert [read[c] for c in "xyz"] == [x, y, z]
    jumps.nth(1).click()
    assert one.ask("() => dvhkit.readout().z") == pytest.approx(high, abs=0.06)
    assert one.complaints == []


def test_each_rule_on_a_drawn_structure_leads_to_the_place_that_its_limit_guards(open_page: Any) -> None:
    given = replace(LIVER.rules[5], roi="Cube", reason="", unit="Gy")
    at = (-12.5, 35.0, 120.0)
    rules = (
        replace(given, title="met, lower", quantity="D95%[Gy]", goal=">= 1 Gy", verdict=Verdict.PASS),
        replace(given, title="met, upper", quantity="Max[Gy]", goal="<= 99 Gy", verdict=Verdict.PASS),
        replace(given, title="failed", quantity="Max[Gy]", goal="<= 1 Gy", verdict=Verdict.FAIL),
        replace(given, title="not here", roi="Elsewhere", quantity="Max[Gy]", verdict=Verdict.PASS),
    )
    spot = Spot(rule=2, roi="Cube", quantity="Max[Gy]", kind="hottest place", point_mm=at, dose_gy=50.0)
    one = opened(open_page, replace(cube_scene("prone"), spots=(spot,)), replace(BARE, rules=rules))
    links = {
        row.locator("summary").inner_text(): row.locator(".jump") for row in one.page.locator(".verdicts tbody").all()
    }
    assert [links[name].is_visible() for name in ("met, lower", "met, upper", "failed", "not here")] == [True] * 3 + [
        False
    ]
    read = lambda: [one.ask("() => dvhkit.readout()")[c] for c in "xyz"]  # noqa: E731
    links["failed"].click()
    assert read() == list(at)
    for name, button in (
        ("met, lower", "Go to its coldest point: Cube"),
        ("met, upper", "Go to its hottest point: Cube"),
    ):
        links[name].click()
        jumped = read()
        one.page.get_by_label(button).click()
        assert jumped == read(), name
    assert one.complaints == []


def test_a_page_too_small_for_all_values_is_exact_in_structures_and_tells_its_bound_elsewhere(
    open_page: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dvhkit.outputs.report.viewer.bundle.MOST_PAGE_BYTES", 0)
    monkeypatch.setattr("dvhkit.outputs.report.viewer.bundle._LEAST_IMAGE_BYTES", 26_000)
    scene = cube_scene("oblique")
    values = np.random.default_rng(8).integers(-200, 200, scene.grid.shape_zyx).astype(np.float32)
    page = opened(open_page, replace(scene, values=values))
    # Each look draws the page anew: few in the whole image, and some where a structure is.
    cube = np.array(list(np.ndindex(2, 3, 3))) + [low for low, _ in CUBE[::-1]]
    indices = np.vstack([np.array(list(np.ndindex(6, 4, 4))) * [3, 11, 15], cube])
    points = scene.grid.origin_mm + (indices[:, ::-1] * [1.25, 1.5, 2.5]) @ scene.grid.axes
    reads = page.ask("(all) => all.map((point) => dvhkit.goTo(point))", points.tolist())
    off = [abs(read["hu"] - values[tuple(index)]) for index, read in zip(indices, reads, strict=True)]
    assert all(error <= read["hu_error"] for error, read in zip(off, reads, strict=True))
    inside = [read["hu_error"] for read in reads if read["structures"]]
    assert len(inside) >= 8
    assert set(inside) == {0}
    assert 1 < max(off) <= max(read["hu_error"] for read in reads) < 30
    assert "They are exact in all structures" in page.page.locator(".remarks-list").inner_text()
