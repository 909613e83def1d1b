
"use strict";
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
  const lines = new Map();
  plot.querySelectorAll("polyline").forEach((line) => lines.set(line.dataset.curve, Array.from(line.points)));

  const readings = new Map();
  figure.querySelectorAll("button[data-readings]").forEach((button) => {
    readings.set(button.dataset.curve, button.dataset.readings ? button.dataset.readings.split(" ").map(Number) : null);
  });
  const step = Number(plot.dataset.step);

  // The nearest dose at which the curves were computed: what is shown there is no guess between two points.
  function show(pointed) {
    const index = Math.round((gy * (pointed - left)) / (right - left) / step), dose = index * step;
    const x = left + ((right - left) * dose) / gy;
    cursor.setAttribute("x1", x);
    cursor.setAttribute("x2", x);
    cursor.setAttribute("visibility", "visible");
    figure.classList.add("reading");
    cells.forEach((cell) => {
      const button = cell.closest("button");
      if (!button) {
        cell.textContent = "at " + dose.toFixed(Math.max(1, Math.ceil(-Math.log10(step) - 1e-9))) + " Gy";
        return;
      }
      const exact = readings.get(button.dataset.curve), y = heightAt(lines.get(button.dataset.curve), x);
      const drawn = y === null ? 0 : (100 * (bottom - y)) / (bottom - top);
      cell.textContent = exact ? (index < exact.length ? exact[index] : 0).toFixed(2) + " %" : drawn.toFixed(1) + " %";
    });
    return dose;
  }

  function hide() {
    figure.classList.remove("reading");
    cursor.setAttribute("visibility", "hidden");
    cells.forEach((cell, i) => { cell.textContent = volumes[i]; });
  }

  plot.addEventListener("pointermove", (event) => {
    const box = plot.getBoundingClientRect();
    const x = (event.clientX - box.left) * plot.viewBox.baseVal.width / box.width;
    if (x >= left && x <= right) show(x); else hide();
  });
  plot.addEventListener("pointerleave", hide);
  plot.addEventListener("click", (event) => {
    const box = plot.getBoundingClientRect();
    const x = ((event.clientX - box.left) * plot.viewBox.baseVal.width) / box.width;
    if (window.dvhkit && x >= left && x <= right) window.dvhkit.isodose(show(x));
  });

  function press(button, shown) {
    button.setAttribute("aria-pressed", String(shown));
    plot.querySelectorAll('[data-curve="' + button.dataset.curve + '"]').forEach((part) => part.classList.toggle("off", !shown));
  }
  const buttons = Array.from(figure.querySelectorAll("button[data-curve]"));
  buttons.forEach((button) => {
    button.disabled = false;
    button.addEventListener("click", () => press(button, button.getAttribute("aria-pressed") !== "true"));
  });
  figure.querySelectorAll("button[data-set]").forEach((button) => {
    button.disabled = false;
    button.addEventListener("click", () => buttons.forEach((one) => press(one, button.dataset.set === "all" || one.dataset.kind === button.dataset.set)));
  });
}

document.querySelectorAll("figure.dvh").forEach(wire);
