
document.documentElement.classList.add("scripted");

// Volume in % at the plot's abscissa x, read off the drawn line.
function heightAt(points, x) {
  if (x < points[0].x) return points[0].y;
  for (let i = 1; i < points.length; i += 1) {
    const a = points[i - 1], b = points[i];
    if (x <= b.x) return b.x === a.x ? a.y : a.y + (b.y - a.y) * (x - a.x) / (b.x - a.x);
  }
  return null;
}

function wire(figure) {
  const plot = figure.querySelector("svg[data-gy]");
  const cursor = plot.querySelector(".cursor");
  const cells = Array.from(figure.querySelectorAll(".vol"));
  const volumes = cells.map((cell) => cell.textContent);
  const edge = (name) => Number(plot.dataset[name]);
  const left = edge("left"), right = edge("right"), top = edge("top"), bottom = edge("bottom"), gy = edge("gy");
  const buttons = Array.from(figure.querySelectorAll("button[data-curve]"));
  const cc = new Map(buttons.map((button) => [button.dataset.curve, Number(button.dataset.cc)]));
  const lines = new Map();
  plot.querySelectorAll("polyline").forEach((line) => lines.set(line.dataset.curve, Array.from(line.points)));

  const readings = new Map();
  buttons.forEach((button) => {
    readings.set(button.dataset.curve, button.dataset.readings ? button.dataset.readings.split(" ").map(Number) : null);
  });
  const step = Number(plot.dataset.step);
  const decimals = (size) => Math.max(0, Math.ceil(-Math.log10(size) - 1e-9));

  // What part of doses and volumes is shown; volumes in percent, or in cc.
  const view = { gy: [0, gy], volume: [0, 100], absolute: false };
  const across = (dose) => left + ((right - left) * (dose - view.gy[0])) / (view.gy[1] - view.gy[0]);
  const up = (volume) => bottom - ((bottom - top) * (volume - view.volume[0])) / (view.volume[1] - view.volume[0]);
  const doseAt = (x) => view.gy[0] + ((view.gy[1] - view.gy[0]) * (x - left)) / (right - left);
  const volumeAt = (y) => view.volume[0] + ((view.volume[1] - view.volume[0]) * (bottom - y)) / (bottom - top);
  const part = (curve) => (view.absolute ? cc.get(curve) / 100 : 1);

  // Each drawn thing with its places as dose and percent, so that any part of the plot can be drawn from them.
  const plain = (points) => Array.from(points).map((p) => [(gy * (p.x - left)) / (right - left), (100 * (bottom - p.y)) / (bottom - top)]);
  const drawn = Array.from(plot.querySelectorAll("polyline, polygon.band-area")).map((shape) => [shape, plain(shape.points)]);
  const markers = Array.from(plot.querySelectorAll("polygon.marker")).map((shape) => {
    const corners = Array.from(shape.points).map((p) => [p.x, p.y]), foot = [(corners[0][0] + corners[1][0]) / 2, (corners[0][1] + corners[1][1]) / 2];
    return [shape, plain([{ x: foot[0], y: foot[1] }])[0], foot];
  });
  const tag = (name, given, text) => {
    const e = document.createElementNS(plot.namespaceURI, name);
    Object.entries(given).forEach(([key, value]) => e.setAttribute(key, String(value)));
    if (text !== undefined) e.textContent = text;
    return e;
  };
  function ticks(low, high) {
    const raw = (high - low) / 10, size = 10 ** Math.floor(Math.log10(raw)), by = [1, 2, 2.5, 5, 10].map((f) => f * size).find((s) => s >= raw * (1 - 1e-9));
    const found = [];
    for (let n = Math.ceil(low / by - 1e-9); n * by <= high + 1e-9 * by; n += 1) found.push([n * by, (n * by).toFixed(decimals(by / (by / size === 2.5 ? 10 : 1)))]);
    return found.map(([at, text]) => [at, text.includes(".") ? text.replace(/\.?0+$/, "") : text]);
  }
  function redraw() {
    const whole = !view.absolute && view.gy[0] === 0 && view.gy[1] === gy && view.volume[0] === 0 && view.volume[1] === 100;
    drawn.forEach(([shape, points]) => { const k = part(shape.dataset.curve); shape.setAttribute("points", points.map(([d, v]) => across(d).toFixed(2) + "," + up(v * k).toFixed(2)).join(" ")); });
    markers.forEach(([shape, [dose, volume], foot]) => shape.setAttribute("transform", "translate(" + (across(dose) - foot[0]) + " " + (up(volume * part(shape.dataset.curve)) - foot[1]) + ")"));
    const grid = plot.querySelector(".grid"), texts = plot.querySelector(".ticks"), xs = ticks(...view.gy), ys = ticks(...view.volume);
    grid.replaceChildren(...xs.map(([d]) => tag("line", { x1: across(d), x2: across(d), y1: top, y2: bottom })), ...ys.map(([v]) => tag("line", { x1: left, x2: right, y1: up(v), y2: up(v) })));
    texts.replaceChildren(...xs.map(([d, text]) => tag("text", { x: across(d), y: bottom + 18, "text-anchor": "middle" }, text)), ...ys.map(([v, text]) => tag("text", { x: left - 9, y: up(v) + 4, "text-anchor": "end" }, text)));
    plot.querySelector(".labels").classList.toggle("off", !whole);
    plot.querySelector(".volume-name").textContent = say(view.absolute ? "dvh.volume_cc" : "dvh.volume_pct");
  }
  function wholeVolume() {
    const seen = buttons.filter((button) => button.getAttribute("aria-pressed") === "true").map((button) => cc.get(button.dataset.curve));
    return [0, view.absolute ? Math.max(...seen, 1e-3) * 1.02 : 100];
  }
  function zoom(doses, volumes) {
    view.gy = [Math.max(0, doses[0]), Math.min(gy, doses[1])];
    view.volume = [Math.max(0, volumes[0]), Math.min(wholeVolume()[1], volumes[1])];
    redraw();
  }
  const wholePlot = () => zoom([0, gy], wholeVolume());

  let reading = null;
  // The nearest dose at which the curves were computed: what is shown there is no guess between two points.
  function show(pointed) {
    const index = Math.max(0, Math.round(doseAt(pointed) / step)), dose = index * step, x = across(dose);
    const flat = left + ((right - left) * dose) / gy;
    cursor.setAttribute("x1", x);
    cursor.setAttribute("x2", x);
    cursor.setAttribute("visibility", x < left - 1 || x > right + 1 ? "hidden" : "visible");
    figure.classList.add("reading");
    cells.forEach((cell) => {
      const button = cell.closest("button");
      if (!button) {
        cell.textContent = say("dvh.at", { dose: dose.toFixed(Math.max(1, decimals(step))) });
        return;
      }
      const exact = readings.get(button.dataset.curve), y = heightAt(lines.get(button.dataset.curve), flat);
      const pct = exact ? (index < exact.length ? exact[index] : 0) : y === null ? 0 : (100 * (bottom - y)) / (bottom - top);
      const volume = pct * part(button.dataset.curve);
      cell.textContent = view.absolute ? (volume >= 100 ? volume.toFixed(1) : volume.toPrecision(3)) + " cc" : pct.toFixed(exact ? 2 : 1) + " %";
    });
    reading = dose;
    return dose;
  }

  function hide() {
    reading = null;
    figure.classList.remove("reading");
    cursor.setAttribute("visibility", "hidden");
    cells.forEach((cell, i) => { cell.textContent = volumes[i]; });
  }

  const inPlot = (event) => {
    const box = plot.getBoundingClientRect(), scale = plot.viewBox.baseVal.width / box.width;
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  };
  const within = ([x, y]) => [Math.min(right, Math.max(left, x)), Math.min(bottom, Math.max(top, y))];
  const frame = tag("rect", { class: "frame", visibility: "hidden" });
  plot.append(frame);
  let from = null;
  plot.addEventListener("pointerdown", (event) => { const at = inPlot(event); if (event.button === 0 && event.pointerType !== "touch" && at[0] >= left && at[0] <= right) { from = within(at); event.preventDefault(); } });
  plot.addEventListener("pointermove", (event) => {
    const at = inPlot(event);
    if (at[0] >= left && at[0] <= right) show(at[0]); else hide();
    if (!from) return;
    const to = within(at), [x, y] = [0, 1].map((i) => Math.min(from[i], to[i])), [width, height] = [0, 1].map((i) => Math.abs(from[i] - to[i]));
    Object.entries({ x, y, width, height, visibility: "visible" }).forEach(([key, value]) => frame.setAttribute(key, String(value)));
  });
  plot.addEventListener("pointerleave", () => { hide(); from = null; frame.setAttribute("visibility", "hidden"); });
  plot.addEventListener("pointerup", (event) => {
    const at = inPlot(event), to = within(at), start = from;
    from = null;
    frame.setAttribute("visibility", "hidden");
    if (!start) return;
    const [wide, high] = [0, 1].map((i) => Math.abs(start[i] - to[i]));
    if (wide > 8 && high > 8) zoom([doseAt(Math.min(start[0], to[0])), doseAt(Math.max(start[0], to[0]))], [volumeAt(Math.max(start[1], to[1])), volumeAt(Math.min(start[1], to[1]))]);
    else if (wide > 8) zoom([doseAt(Math.min(start[0], to[0])), doseAt(Math.max(start[0], to[0]))], view.volume);
  });
  plot.addEventListener("dblclick", wholePlot);
  plot.addEventListener("click", (event) => {
    const [x] = inPlot(event);
    if (window.dvhkit && x >= left && x <= right && frame.getAttribute("visibility") === "hidden") window.dvhkit.isodose(reading === null ? show(x) : reading);
  });
  // What a pointer does, by keys: arrows move along the doses, with Shift by ten steps; Enter shows the isodose.
  plot.setAttribute("tabindex", "0");
  plot.addEventListener("keydown", (event) => {
    const ways = { ArrowLeft: -1, ArrowRight: 1 }, from = reading === null ? (view.gy[0] + view.gy[1]) / 2 : reading;
    if (event.key in ways) show(across(Math.min(view.gy[1], Math.max(view.gy[0], from + ways[event.key] * step * (event.shiftKey ? 10 : 1)))));
    else if (event.key === "Enter" && reading !== null && window.dvhkit) window.dvhkit.isodose(reading);
    else if (event.key === "Escape") hide();
    else return;
    event.preventDefault();
  });
  plot.addEventListener("blur", hide);
  const about = (factor) => ([low, high]) => { const middle = (low + high) / 2, half = ((high - low) / 2) * factor; return [middle - half, middle + half]; };
  const acts = {
    in: () => zoom(about(0.5)(view.gy), view.volume), out: () => zoom(about(2)(view.gy), view.volume), whole: wholePlot,
    absolute: (button) => { view.absolute = !view.absolute; button.setAttribute("aria-pressed", String(view.absolute)); zoom(view.gy, wholeVolume()); },
  };
  figure.querySelectorAll("button[data-axis]").forEach((button) => {
    button.disabled = false;
    button.addEventListener("click", () => acts[button.dataset.axis](button));
  });
  window.addEventListener("beforeprint", wholePlot);

  function press(button, shown) {
    button.setAttribute("aria-pressed", String(shown));
    plot.querySelectorAll('[data-curve="' + button.dataset.curve + '"]').forEach((part) => part.classList.toggle("off", !shown));
  }
  buttons.forEach((button) => {
    button.disabled = false;
    button.addEventListener("click", () => press(button, button.getAttribute("aria-pressed") !== "true"));
  });
  figure.querySelectorAll("button[data-set]").forEach((button) => {
    button.disabled = false;
    button.addEventListener("click", () => {
      buttons.forEach((one) => press(one, button.dataset.set === "all" || one.dataset.kind === button.dataset.set));
      if (view.absolute) zoom(view.gy, wholeVolume());
    });
  });
}

document.querySelectorAll("figure.dvh").forEach(wire);
