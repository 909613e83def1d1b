
// The slice viewer: three linked planes, structures, isodoses, jumps. Scripts ask window.dvhkit.
(() => {
  const root = document.querySelector(".viewer"), facts = document.getElementById("scene-facts");
  if (!root || !facts) return;
  const scene = dvhkitScene(JSON.parse(facts.textContent), dvhkitUnpack.bytes(document.getElementById("scene-arrays").textContent));
  const panes = dvhkitPanes(scene), { image, rois } = scene, data = scene.facts;
  const find = (name) => root.querySelector("." + name);
  const make = (tag, text, name) => { const e = document.createElement(tag); if (text !== undefined) e.textContent = text; if (name) e.className = name; return e; };
  const top = () => scene.doses.length ? data.rx || Math.max(...data.levels, 1) : 1;

  const centre = [0, 1, 2].map((axis) => (scene.place(axis, 0) + scene.place(axis, scene.cells[axis] - 1)) / 2);
  const state = {
    c: centre, point: scene.toPatient(centre), plane: "axial", window: [40, 400], wash: scene.doses.length > 0, lines: true, contours: true, cross: true,
    which: 0, whole: top(), mark: 0, levels: data.levels.map((gy) => ({ gy, shown: true })),
  };
  const PRESETS = [[say("window.soft"), 40, 400], [say("window.lung"), -500, 1500], [say("window.bone"), 400, 1800], [say("window.brain"), 40, 90], [say("window.whole"), 500, 3000]];
  if (image && image.unit !== "HU") {
    let low = Infinity, high = -Infinity;
    const middle = scene.plane(scene.cells[2] >> 1);
    middle.forEach((level) => { low = Math.min(low, scene.values[level]); high = Math.max(high, scene.values[level]); });
    PRESETS.splice(0, 5, [say("window.whole"), (low + high) / 2, Math.max(1, high - low)], [say("window.bright"), low + (high - low) * 0.25, Math.max(1, (high - low) / 2)]);
    state.window = PRESETS[0].slice(1);
  }
  const views = [...root.querySelectorAll("canvas.pane")].map((canvas) => panes.makePane(canvas, ["sagittal", "coronal", "axial"].indexOf(canvas.dataset.plane)));
  const stills = [...document.querySelectorAll("canvas[data-spot]")].map((canvas) => {
    const spot = data.spots[Number(canvas.dataset.spot)], pane = panes.makePane(canvas, 2);
    pane.roi = spot.roi; pane.c = scene.toFrame(spot.at); pane.view = { mm: 190, c: pane.c };
    return pane;
  });

  let queued = false;
  function refresh() { if (!queued) { queued = true; requestAnimationFrame(() => { queued = false; paint(); }); } }
  function paint() {
    views.forEach((pane) => { panes.draw(pane, state); pane.canvas.setAttribute("aria-label", say("viewer.slice_name", { plane: say("viewer." + pane.name), n: pane.index + 1 })); pane.canvas.classList.toggle("active", pane.name === state.plane); });
    tell(state.c, state.point);
  }
  function paintStills() { stills.forEach((pane) => panes.draw(pane, { ...state, c: pane.c, cross: false, mark: 0, wash: true, lines: true, contours: true, which: 0, window: image && image.unit === "HU" ? [40, 400] : state.window })); }

  const near = (value, digits) => value.toFixed(digits).replace(/^-(0(\.0*)?)$/, "$1").replace("-", "−");
  function measure(c) {
    const gy = state.which === 2 ? scene.doseAt(c, 1) - scene.doseAt(c, 0) : scene.doseAt(c, state.which);
    return { pixel: scene.pixel(c), gy: Number.isNaN(gy) ? null : gy, names: rois.filter((roi) => scene.holds(roi, c)).map((roi) => roi.name) };
  }
  function tell(c, point) {
    const { pixel, gy, names } = measure(c), about = pixel && pixel.error ? " ± " + pixel.error : "";
    const parts = [[say("viewer.place"), say("viewer.mm", { point: point.map((v) => near(v, 1)).join(", ") })], [image ? image.unit || image.modality : say("viewer.image"), pixel ? near(pixel.value, Number.isInteger(pixel.value) ? 0 : 2) + about : "–"],
      [say("viewer.dose"), gy === null ? say("viewer.none_here") : say(data.rx ? "viewer.gy_pct" : "viewer.gy", { dose: near(gy, 2), pct: near((100 * gy) / data.rx, 1) })], [say("viewer.structures"), names.join(", ") || say("viewer.none")]];
    find("readout").replaceChildren(...parts.map(([word, text]) => { const box = make("div"); box.append(make("dt", word), make("dd", text)); return box; }));
  }

  function goTo(point, plane) {
    state.point = point.map(Number);
    state.c = scene.toFrame(state.point);
    if (["axial", "sagittal", "coronal"].includes(plane)) state.plane = plane;
    views.forEach((pane) => { panes.layout(pane, 1); const [x, y] = panes.screen(pane, state.c); if (x < 0 || y < 0 || x > pane.size[0] || y > pane.size[1]) pane.shift = [0, 0]; });
    paint();
    return readout();
  }
  function moveTo(c) { state.c = c; state.point = scene.toPatient(c); refresh(); }
  function readout() {
    const { pixel, gy, names } = measure(state.c), slices = {};
    panes.looks.forEach((look) => { slices[look.name] = scene.nearest(look.axis, state.c[look.axis]); });
    return {
      x: state.point[0], y: state.point[1], z: state.point[2], plane: state.plane, slice: slices[state.plane], hu: pixel ? pixel.value : null,
      dose_gy: gy, structures: names, slices, hu_error: pixel ? pixel.error : null,
    };
  }
  function step(pane, count) {
    const { axis, forward } = pane.look, c = [...state.c];
    const index = Math.min(scene.cells[axis] - 1, Math.max(0, scene.nearest(axis, c[axis]) + count * forward));
    c[axis] = scene.place(axis, index);
    state.plane = pane.name;
    moveTo(c);
  }
  function nudge(pane, right, down) {
    const c = [...state.c];
    [[pane.look.right, right], [pane.look.down, down]].forEach(([side, count]) => {
      if (count) c[side.axis] = scene.place(side.axis, Math.min(scene.cells[side.axis] - 1, Math.max(0, scene.nearest(side.axis, c[side.axis]) + count * side.way)));
    });
    moveTo(c);
  }
  function isodose(gy) { state.mark = gy > 0 ? gy : 0; find("marked").textContent = state.mark ? say("viewer.white_line", { dose: near(gy, 2) }) : ""; paint(); }

  views.forEach((pane) => {
    const { canvas } = pane;
    let drag = null;
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      if (event.ctrlKey) { pane.zoom = Math.min(20, Math.max(1, pane.zoom * Math.exp(-event.deltaY / 300))); if (pane.zoom === 1) pane.shift = [0, 0]; refresh(); } else if (event.deltaY) step(pane, event.deltaY < 0 ? 1 : -1);
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); drag = event.shiftKey || event.button ? "pan" : event.altKey ? "window" : "cross"; state.plane = pane.name; if (drag === "cross") moveTo(panes.unscreen(pane, event.offsetX, event.offsetY, state.c)); });
    canvas.addEventListener("pointermove", (event) => {
      if (drag === "pan") { pane.shift = [pane.shift[0] + event.movementX, pane.shift[1] + event.movementY]; refresh(); } else if (drag === "window") { setWindow(state.window[0] + event.movementY * 2, Math.max(1, state.window[1] + event.movementX * 2)); } else {
        const c = [...state.c]; c[pane.look.axis] = scene.place(pane.look.axis, scene.nearest(pane.look.axis, c[pane.look.axis]));
        const at = panes.unscreen(pane, event.offsetX, event.offsetY, drag ? state.c : c);
        if (drag) moveTo(at); else tell(at, scene.toPatient(at));
      }
    });
    canvas.addEventListener("pointerup", () => { drag = null; });
    canvas.addEventListener("pointerleave", () => { if (!drag) tell(state.c, state.point); });
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("dblclick", () => { pane.zoom = 1; pane.shift = [0, 0]; refresh(); });
    canvas.addEventListener("keydown", (event) => {
      const keys = {
        ArrowUp: () => step(pane, 1), ArrowDown: () => step(pane, -1), PageUp: () => step(pane, 10), PageDown: () => step(pane, -10),
        Home: () => step(pane, 1e5), End: () => step(pane, -1e5), ArrowLeft: () => nudge(pane, -1, 0), ArrowRight: () => nudge(pane, 1, 0),
        "+": () => { pane.zoom = Math.min(20, pane.zoom * 1.25); refresh(); }, "-": () => { pane.zoom = Math.max(1, pane.zoom / 1.25); refresh(); },
        0: () => { pane.zoom = 1; pane.shift = [0, 0]; refresh(); }, d: () => toggle("wash"), i: () => toggle("lines"), c: () => toggle("contours"), x: () => toggle("cross"), b: () => otherDose(),
      };
      if (event.shiftKey && event.key.startsWith("Arrow")) { nudge(pane, 0, event.key === "ArrowUp" ? -1 : event.key === "ArrowDown" ? 1 : 0); event.preventDefault(); return; }
      const preset = PRESETS[Number(event.key) - 1];
      if (keys[event.key]) keys[event.key](); else if (preset) setWindow(preset[1], preset[2]); else return;
      event.preventDefault();
    });
    canvas.addEventListener("focus", () => { state.plane = pane.name; });
  });

  function setWindow(middle, width) {
    state.window = [middle, width];
    find("window").value = String(PRESETS.findIndex((p) => p[1] === middle && p[2] === width));
    refresh();
  }
  const boxes = {};
  function otherDose() { const which = root.querySelector(".which"); if (which) { state.which = state.which === 1 ? 0 : 1; which.value = String(state.which); refresh(); } }
  function keyOf(ink) {
    const key = document.createElementNS("http://www.w3.org/2000/svg", "svg"), line = document.createElementNS("http://www.w3.org/2000/svg", "line");
    key.setAttribute("viewBox", "0 0 16 10"); key.setAttribute("class", "swatch"); key.setAttribute("aria-hidden", "true");
    Object.entries({ x1: 0, x2: 16, y1: 5, y2: 5, stroke: ink, "stroke-width": 4 }).forEach(([k, v]) => line.setAttribute(k, v));
    key.append(line);
    return key;
  }
  const levelText = (gy) => near(gy, 1) + " Gy" + (data.rx ? " · " + near((100 * gy) / data.rx, 0) + " %" : ""), levelInk = (gy) => panes.css(panes.tint(gy / state.whole));
  function toggle(name) { state[name] = !state[name]; if (boxes[name]) boxes[name].checked = state[name]; refresh(); }
  function check(parent, text, on, change, swatch) {
    const label = make("label"), box = make("input");
    box.type = "checkbox"; box.checked = on;
    box.addEventListener("change", () => { change(box.checked); refresh(); });
    label.append(box);
    if (swatch) label.append(keyOf(swatch));
    label.append(make("bdi", text));
    parent.append(label);
    return box;
  }
  const bar = find("switches");
  if (image) {
    const select = make("select", undefined, "window");
    select.setAttribute("aria-label", say("viewer.window"));
    PRESETS.forEach(([name], i) => { const option = make("option", name); option.value = String(i); select.append(option); });
    select.addEventListener("change", () => { const p = PRESETS[Number(select.value)]; if (p) setWindow(p[1], p[2]); });
    bar.append(select);
  } else bar.append(make("span", "", "window"));
  if (scene.doses.length) {
    boxes.wash = check(bar, say("viewer.wash"), state.wash, (on) => { state.wash = on; });
    boxes.lines = check(bar, say("viewer.isodoses"), state.lines, (on) => { state.lines = on; });
  }
  boxes.contours = check(bar, say("viewer.contours"), state.contours, (on) => { state.contours = on; });
  boxes.cross = check(bar, say("viewer.crosshair"), state.cross, (on) => { state.cross = on; });
  if (scene.doses.length > 1) {
    const which = make("select", undefined, "which");
    which.setAttribute("aria-label", say("viewer.which"));
    [data.labels[0] || say("viewer.plan_a"), data.labels[1] || say("viewer.plan_b"), say("viewer.difference")].forEach((name, i) => { const option = make("option", name); option.value = String(i); which.append(option); });
    which.title = say("viewer.which_key");
    which.addEventListener("change", () => { state.which = Number(which.value); refresh(); });
    bar.append(which);
  }
  const levels = find("levels");
  levels.parentNode.hidden = !scene.doses.length;
  state.levels.forEach((level) => check(levels, levelText(level.gy), true, (on) => { level.shown = on; }, levelInk(level.gy)));
  document.querySelectorAll(".level-key").forEach((key) => state.levels.forEach(({ gy }) => { const one = make("span"); one.append(keyOf(levelInk(gy)), levelText(gy)); key.append(one); }));

  function middleOf(roi) {
    const all = scene.sheets(roi).filter((s) => s.rings.length);
    if (!all.length) return null;
    const s = all[all.length >> 1], [p, q] = scene.others(s.axis), ring = s.rings.reduce((a, b) => (b.length > a.length ? b : a));
    const c = [0, 0, 0], ends = scene.cuts(s, q, ring.filter((_, i) => i % 2).reduce((a, b) => a + b, 0) / (ring.length / 2));
    c[s.axis] = s.at;
    c[q] = ring.filter((_, i) => i % 2).reduce((a, b) => a + b, 0) / (ring.length / 2);
    c[p] = ends.length > 1 ? (ends[0] + ends[1]) / 2 : ring[0];
    return c;
  }
  const list = find("rois");
  rois.forEach((roi) => {
    const row = make("li");
    const box = check(row, roi.name, roi.shown, (on) => { roi.shown = on; }, roi.color);
    roi.box = box;
    const jump = (word, title, target) => {
      const button = make("button", word);
      button.type = "button"; button.title = title;
      button.setAttribute("aria-label", say("viewer.go_to", { where: title, roi: roi.name }));
      button.addEventListener("click", () => { const c = target(); if (c) { roi.shown = true; box.checked = true; goTo(scene.toPatient(c)); } });
      row.append(button);
    };
    jump("◎", say("viewer.to_middle"), () => middleOf(roi));
    if (scene.doses.length) {
      jump("▲", say("viewer.to_hottest"), () => { const e = scene.extreme(roi, false); return e && e.c; });
      jump("▼", say("viewer.to_coldest"), () => { const e = scene.extreme(roi, true); return e && e.c; });
    }
    list.append(row);
  });
  root.querySelectorAll("[data-group]").forEach((button) => button.addEventListener("click", () => {
    rois.forEach((roi) => { roi.shown = button.dataset.group === "all" || (button.dataset.group !== "none" && roi.group === button.dataset.group); roi.box.checked = roi.shown; });
    refresh();
  }));
  function jumpTo(point) {
    if (!point) return;
    goTo(point, "axial");
    root.scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth", block: "start" });
  }
  // The hottest or coldest place of a structure, else its middle; where a height is told, that of its outline there.
  function placeOf(name, z, end) {
    const roi = rois.find((one) => one.name === name), c = roi && ((end && scene.extreme(roi, end === "coldest")) || { c: middleOf(roi) }).c;
    if (!c || z === "") return c && scene.toPatient(c);
    const level = scene.sheets(roi).map((s) => { const o = [...c]; o[s.axis] = s.at; return { s, p: scene.toPatient(o) }; }).sort((a, b) => Math.abs(a.p[2] - z) - Math.abs(b.p[2] - z))[0];
    const ring = level.s.rings[0] || level.s.open[0], [p, q] = scene.others(level.s.axis), o = [0, 0, 0];
    o[level.s.axis] = level.s.at; o[p] = ring[0]; o[q] = ring[1];
    return scene.toPatient(o);
  }
  document.querySelectorAll("[data-goto]").forEach((button) => { button.hidden = false; button.addEventListener("click", () => jumpTo(button.dataset.goto.split(",").map(Number))); });
  document.querySelectorAll("[data-roi]").forEach((button) => {
    button.hidden = !rois.some((one) => one.name === button.dataset.roi);
    button.addEventListener("click", () => jumpTo(placeOf(button.dataset.roi, button.dataset.z, button.dataset.end)));
  });

  // The place on a structure's surface at a height, seen from its middle there: 0 is the patient's left, 90 posterior.
  function surfaceAt(roi, z, degrees) {
    const level = scene.sheets(roi).filter((s) => s.axis === 2 && s.rings.length).map((s) => {
      const rings = s.rings.map((ring) => Array.from({ length: ring.length / 2 }, (_, i) => scene.toPatient([ring[2 * i], ring[2 * i + 1], s.at])));
      return { rings, off: Math.abs(rings[0][0][2] - z) };
    }).sort((a, b) => a.off - b.off)[0];
    if (!level) return placeOf(roi.name, z);
    const sides = level.rings.flatMap((ring) => ring.map((p, i) => [p, ring[(i + 1) % ring.length]]));
    const middle = [0, 0];
    let length = 0;
    sides.forEach(([a, b]) => { const l = Math.hypot(b[0] - a[0], b[1] - a[1]); length += l; middle[0] += (l * (a[0] + b[0])) / 2; middle[1] += (l * (a[1] + b[1])) / 2; });
    const [x, y] = middle.map((sum) => sum / length), way = (degrees * Math.PI) / 180, [ex, ey] = [Math.cos(way), Math.sin(way)];
    let best = null;
    sides.forEach(([a, b]) => {
      const off = (p) => (p[1] - y) * ex - (p[0] - x) * ey, along = (p) => (p[0] - x) * ex + (p[1] - y) * ey, u = off(a), v = off(b);
      if ((u > 0) === (v > 0)) return;
      const t = u / (u - v), far = along(a) + t * (along(b) - along(a));
      if (far > 0 && (!best || far > best.far)) best = { far, p: a.map((c, i) => c + t * (b[i] - c)) };
    });
    return best ? best.p : placeOf(roi.name, z);
  }
  document.querySelectorAll("figure[data-surface]").forEach((figure) => {
    const roi = rois.find((one) => one.name === figure.dataset.surface), svg = figure.querySelector("svg");
    if (!roi) return;
    const [left, top, wide, high, rows, columns] = figure.dataset.cells.split(" ").map(Number), heights = figure.dataset.heights.split(" ").map(Number);
    figure.classList.add("linked");
    figure.querySelectorAll("[data-cell]").forEach((button) => { button.hidden = false; button.addEventListener("click", () => jumpTo(surfaceAt(roi, ...button.dataset.cell.split(",").map(Number)))); });
    svg.addEventListener("click", (event) => {
      const box = svg.getBoundingClientRect(), scale = svg.viewBox.baseVal.width / box.width;
      const column = Math.floor(((event.clientX - box.left) * scale - left) / wide), row = rows - 1 - Math.floor(((event.clientY - box.top) * scale - top) / high);
      if (column >= 0 && column < columns && row >= 0 && row < rows) jumpTo(surfaceAt(roi, heights[row], ((column + 0.5) * 360) / columns));
    });
  });

  const start = data.spots[0] ? scene.toFrame(data.spots[0].at) : (rois.filter((r) => r.group === "target").map(middleOf).find(Boolean) || rois.map(middleOf).find(Boolean));
  if (start) { state.c = start; state.point = scene.toPatient(start); }
  root.hidden = false;
  const ready = new Promise((resolve) => {
    let k = 0;
    const work = () => {
      const until = performance.now() + 24;
      while (image && k < scene.cells[2] && performance.now() < until) { scene.plane(k); k += 1; }
      if (image && k < scene.cells[2]) { setTimeout(work, 0); return; }
      paint(); resolve(true);
    };
    setTimeout(work, 0);
  });
  const project = (point, plane = state.plane) => { const pane = views.find((v) => v.name === plane); panes.layout(pane, pane.ratio || 1); return panes.screen(pane, scene.toFrame(point)); };
  window.dvhkit = { goTo, readout, project, isodose, ready };
  paint(); paintStills();
  new ResizeObserver(refresh).observe(root);
  // A canvas that is given another width keeps its pixels and shows them stretched until it is drawn anew.
  if (stills.length) new ResizeObserver(() => requestAnimationFrame(paintStills)).observe(stills[0].canvas);
  window.addEventListener("beforeprint", () => { paint(); paintStills(); });
})();
