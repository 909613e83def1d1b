
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

  function show(x) {
    cursor.setAttribute("x1", x);
    cursor.setAttribute("x2", x);
    cursor.setAttribute("visibility", "visible");
    figure.classList.add("reading");
    cells.forEach((cell) => {
      const button = cell.closest("button");
      if (!button) {
        cell.textContent = "at " + (gy * (x - left) / (right - left)).toFixed(1) + " Gy";
        return;
      }
      const y = heightAt(lines.get(button.dataset.curve), x);
      const volume = y === null ? 0 : 100 * (bottom - y) / (bottom - top);
      cell.textContent = volume.toFixed(1) + " %";
    });
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

  figure.querySelectorAll("button").forEach((button) => {
    button.disabled = false;
    button.addEventListener("click", () => {
      const shown = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(shown));
      plot.querySelectorAll('[data-curve="' + button.dataset.curve + '"]').forEach((part) => part.classList.toggle("off", !shown));
    });
  });
}

document.querySelectorAll("figure.dvh").forEach(wire);
