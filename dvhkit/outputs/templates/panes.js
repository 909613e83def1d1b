
// Three planes through one point, drawn on canvas.
function dvhkitPanes(scene) {
  const NAMES = ["sagittal", "coronal", "axial"], LETTERS = ["LR", "PA", "HF"];
  const { grid, cells } = scene;
  // Which axis of the image runs most along each of the patient's.
  const orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
  const fit = (order) => order.reduce((sum, axis, p) => sum + Math.abs(grid.axes[axis][p]), 0);
  const axisOf = orders.reduce((best, order) => (fit(order) > fit(best) + 1e-9 ? order : best));
  const sign = (p) => (grid.axes[axisOf[p]][p] < 0 ? -1 : 1);
  const letter = (axis, way) => {
    const v = grid.axes[axis].map((c) => c * way);
    return [0, 1, 2].filter((p) => Math.abs(v[p]) > 0.3).sort((a, b) => Math.abs(v[b]) - Math.abs(v[a])).map((p) => LETTERS[p][v[p] > 0 ? 0 : 1]).join("");
  };
  // Seen as radiology sees it: the patient's left on the right, anterior up, head up.
  const LOOKS = [{ right: [1, 1], down: [2, -1] }, { right: [0, 1], down: [2, -1] }, { right: [0, 1], down: [1, 1] }];
  const looks = LOOKS.map((look, p) => ({
    name: NAMES[p], axis: axisOf[p], forward: sign(p),
    right: { axis: axisOf[look.right[0]], way: look.right[1] * sign(look.right[0]) },
    down: { axis: axisOf[look.down[0]], way: look.down[1] * sign(look.down[0]) },
  }));
  const span = (axis) => {
    const last = cells[axis] - 1;
    return [scene.place(axis, 0) - scene.reach(axis, 0)[0], scene.place(axis, last) + scene.reach(axis, last)[1]];
  };

  const RAMP = [[0, 59, 90, 214], [0.3, 58, 150, 235], [0.5, 45, 200, 190], [0.7, 130, 215, 90], [0.9, 240, 220, 60], [0.95, 250, 165, 50], [1, 240, 85, 60], [1.1, 255, 80, 215], [9, 255, 80, 215]];
  function tint(share) {
    const i = Math.max(1, RAMP.findIndex((stop) => stop[0] >= share)), a = RAMP[i - 1], b = RAMP[i];
    const f = Math.min(1, Math.max(0, (share - a[0]) / (b[0] - a[0])));
    return [1, 2, 3].map((n) => Math.round(a[n] + (b[n] - a[n]) * f));
  }
  const css = (rgb) => "rgb(" + rgb.join(",") + ")";

  // Values sampled evenly along an axis: planes need not be even.
  const lattices = [0, 1, 2].map((axis) => {
    const n = cells[axis];
    if (axis < 2 || n < 2) return { n, start: scene.place(axis, 0), step: axis < 2 ? grid.spacing[axis] : 2, index: null };
    const gaps = grid.offsets.slice(1).map((w, i) => w - grid.offsets[i]);
    const step = [...gaps].sort((a, b) => a - b)[gaps.length >> 1], even = gaps.every((g) => Math.abs(g - step) < 0.01);
    if (even) return { n, start: grid.offsets[0], step, index: null };
    const count = Math.min(4096, Math.round((grid.offsets[n - 1] - grid.offsets[0]) / step) + 1);
    return { n: count, start: grid.offsets[0], step, index: Array.from({ length: count }, (_, i) => scene.nearest(2, grid.offsets[0] + i * step)) };
  });

  let grey = null, greyFor = "";
  function greys(window) {
    const key = window.join(",");
    if (key === greyFor) return grey;
    const [middle, width] = window, low = middle - width / 2;
    grey = Uint32Array.from(scene.values, (value) => {
      const g = Math.max(0, Math.min(255, Math.round((255 * (value - low)) / width)));
      return (255 << 24) | (g << 16) | (g << 8) | g;
    });
    greyFor = key;
    return grey;
  }

  const scratch = document.createElement("canvas");
  function picture(pane, index, window) {
    const { right, down, axis } = pane.look, across = lattices[right.axis], along = lattices[down.axis];
    scratch.width = across.n; scratch.height = along.n;
    const context = scratch.getContext("2d"), pixels = context.createImageData(across.n, along.n), out = new Uint32Array(pixels.data.buffer);
    const shade = greys(window), step = [1, grid.columns, 0], plane = axis === 2 ? scene.plane(index) : null;
    for (let y = 0, o = 0; y < along.n; y += 1) {
      for (let x = 0; x < across.n; x += 1, o += 1) {
        if (plane) { out[o] = shade[plane[x * step[right.axis] + y * step[down.axis]]]; continue; }
        const at = [0, 0, 0];
        at[axis] = index; at[right.axis] = x; at[down.axis] = y;
        const k = lattices[2].index ? lattices[2].index[at[2]] : at[2];
        out[o] = scene.hasPlane(k) ? shade[scene.plane(k)[at[1] * grid.columns + at[0]]] : 0xff202020;
      }
    }
    context.putImageData(pixels, 0, 0);
    return out;
  }
  // Browsers place enlarged pixels to a sixteenth of their size: too coarse beside a contour, so these are placed here.
  function enlarge(pane, source) {
    const { canvas, look, ratio } = pane, context = canvas.getContext("2d"), { width, height } = canvas;
    const pixels = context.createImageData(width, height), out = new Uint32Array(pixels.data.buffer).fill(0xff000000);
    const side = (n, which, part) => {
      const lattice = lattices[part.axis], at = new Int32Array(n), share = new Float32Array(n);
      for (let i = 0; i < n; i += 1) {
        const c = (((i + 0.5) / ratio - pane.size[which] / 2) / pane.scale + pane.middle[which]) * part.way, t = (c - lattice.start) / lattice.step;
        const low = Math.min(lattice.n - 1, Math.max(0, t));
        at[i] = t < -0.5 || t > lattice.n - 0.5 ? -1 : Math.min(Math.floor(low), Math.max(0, lattice.n - 2));
        share[i] = low - at[i];
      }
      return [at, share, lattice.n > 1 ? 1 : 0];
    };
    const [xs, fx, dx] = side(width, 0, look.right), [ys, fy, dy] = side(height, 1, look.down), row = lattices[look.right.axis].n;
    for (let y = 0, o = 0; y < height; y += 1) {
      for (let x = 0; x < width; x += 1, o += 1) {
        if (xs[x] < 0 || ys[y] < 0) continue;
        const p = ys[y] * row + xs[x], q = p + dy * row, f = fx[x], g = fy[y];
        const v = ((source[p] & 255) * (1 - f) + (source[p + dx] & 255) * f) * (1 - g) + ((source[q] & 255) * (1 - f) + (source[q + dx] & 255) * f) * g;
        out[o] = 0xff000000 | (Math.round(v) * 0x10101);
      }
    }
    context.putImageData(pixels, 0, 0);
  }

  function makePane(canvas, p) {
    return { canvas, look: looks[p], name: NAMES[p], zoom: 1, shift: [0, 0], size: [0, 0], scale: 1, middle: [0, 0] };
  }
  function layout(pane, ratio) {
    const box = pane.canvas.getBoundingClientRect();
    const width = Math.max(40, Math.round(box.width)), height = Math.max(40, Math.round(box.height));
    pane.size = [width, height]; pane.ratio = ratio;
    if (pane.canvas.width !== Math.round(width * ratio)) pane.canvas.width = Math.round(width * ratio);
    if (pane.canvas.height !== Math.round(height * ratio)) pane.canvas.height = Math.round(height * ratio);
    const [r0, r1] = span(pane.look.right.axis), [d0, d1] = span(pane.look.down.axis);
    const fits = pane.view ? Math.min(width, height) / pane.view.mm : Math.min(width / (r1 - r0), height / (d1 - d0));
    pane.scale = fits * pane.zoom;
    pane.middle = pane.view ? [pane.view.c[pane.look.right.axis] * pane.look.right.way, pane.view.c[pane.look.down.axis] * pane.look.down.way]
      : [((r0 + r1) / 2) * pane.look.right.way, ((d0 + d1) / 2) * pane.look.down.way];
    pane.middle = pane.middle.map((m, i) => m - pane.shift[i] / pane.scale);
  }
  const screen = (pane, c) => [
    pane.size[0] / 2 + (c[pane.look.right.axis] * pane.look.right.way - pane.middle[0]) * pane.scale,
    pane.size[1] / 2 + (c[pane.look.down.axis] * pane.look.down.way - pane.middle[1]) * pane.scale,
  ];
  function unscreen(pane, x, y, c) {
    const out = [...c];
    out[pane.look.right.axis] = ((x - pane.size[0] / 2) / pane.scale + pane.middle[0]) * pane.look.right.way;
    out[pane.look.down.axis] = ((y - pane.size[1] / 2) / pane.scale + pane.middle[1]) * pane.look.down.way;
    return out;
  }

  const STEP = 3;
  function doseLattice(pane, c, which) {
    const nx = Math.ceil(pane.size[0] / STEP) + 1, ny = Math.ceil(pane.size[1] / STEP) + 1;
    const sheet = (of) => scene.doseSheet(of, unscreen(pane, 0, 0, c), unscreen(pane, STEP, 0, c), unscreen(pane, 0, STEP, c), nx, ny);
    const out = sheet(which === 2 ? 1 : which);
    if (which === 2) sheet(0).forEach((gy, i) => { out[i] -= gy; });
    return { nx, ny, out };
  }
  function wash(context, pane, lattice, state) {
    const sheet = document.createElement("canvas");
    sheet.width = lattice.nx; sheet.height = lattice.ny;
    const inner = sheet.getContext("2d"), pixels = inner.createImageData(lattice.nx, lattice.ny), whole = state.whole;
    lattice.out.forEach((gy, i) => {
      const share = state.which === 2 ? Math.abs(gy) / whole * 5 : gy / whole;
      if (Number.isNaN(share) || share < 0.1) return;
      const rgb = state.which === 2 ? (gy > 0 ? [240, 110, 60] : [80, 150, 255]) : tint(share);
      pixels.data.set([...rgb, state.which === 2 ? Math.min(160, 60 + 100 * share) : 92], 4 * i);
    });
    inner.putImageData(pixels, 0, 0);
    context.imageSmoothingEnabled = true;
    context.drawImage(sheet, -STEP / 2, -STEP / 2, lattice.nx * STEP, lattice.ny * STEP);
  }
  // Marching squares; of the two ways through a saddle the one that its mean says.
  function isoline(context, lattice, level) {
    const { nx, ny, out } = lattice;
    context.beginPath();
    for (let y = 0; y < ny - 1; y += 1) {
      for (let x = 0; x < nx - 1; x += 1) {
        const o = y * nx + x, hits = (out[o] >= level) + (out[o + 1] >= level) + (out[o + nx + 1] >= level) + (out[o + nx] >= level);
        if (hits === 0 || hits === 4) continue;
        const v = [out[o], out[o + 1], out[o + nx + 1], out[o + nx]];
        if (v.some(Number.isNaN)) continue;
        const corner = [[x, y], [x + 1, y], [x + 1, y + 1], [x, y + 1]];
        const edge = (e) => { const n = (e + 1) % 4, f = (level - v[e]) / (v[n] - v[e]); return corner[e].map((a, i) => (a + (corner[n][i] - a) * f) * STEP); };
        let ends = [0, 1, 2, 3].filter((e) => (v[e] >= level) !== (v[(e + 1) % 4] >= level));
        if (ends.length === 4 && ((v[0] + v[1] + v[2] + v[3]) / 4 >= level) === (v[0] >= level)) ends = [0, 1, 2, 3]; else if (ends.length === 4) ends = [3, 0, 1, 2];
        for (let e = 0; e < ends.length; e += 2) { const a = edge(ends[e]), b = edge(ends[e + 1]); context.moveTo(a[0], a[1]); context.lineTo(b[0], b[1]); }
      }
    }
    context.stroke();
  }

  function contour(context, pane, roi, c, index) {
    const axis = pane.look.axis, at = scene.place(axis, index), [below, above] = scene.reach(axis, index);
    const point = (pairs) => { const q = [0, 0, 0]; pairs.forEach(([a, v]) => { q[a] = v; }); return screen(pane, q); };
    context.beginPath();
    let dashed = false;
    scene.sheets(roi).filter((s) => s.axis === axis).forEach((s) => {
      const own = s.at >= at - below && s.at < at + above;
      if (!own && !(s.low <= at && at < s.high)) return;
      dashed = dashed || !own;
      const [p, q] = scene.others(axis);
      [...s.rings, ...(own ? s.open : [])].forEach((ring, n) => {
        for (let i = 0; i < ring.length; i += 2) {
          const [x, y] = point([[p, ring[i]], [q, ring[i + 1]]]);
          if (ring.length === 2) { context.moveTo(x - 5, y); context.lineTo(x + 5, y); context.moveTo(x, y - 5); context.lineTo(x, y + 5); } else if (i) context.lineTo(x, y); else context.moveTo(x, y);
        }
        if (n < s.rings.length) context.closePath();
      });
    });
    [0, 1, 2].filter((a) => a !== axis).forEach((other) => {
      const stack = scene.sheets(roi).filter((s) => s.axis === other && s.rings.length), free = [0, 1, 2].find((a) => a !== axis && a !== other);
      const line = (w0, t0, w1, t1) => { const a = point([[other, w0], [free, t0]]), b = point([[other, w1], [free, t1]]); context.moveTo(a[0], a[1]); context.lineTo(b[0], b[1]); };
      let before = [], top = null;
      const close = (w, ends) => { for (let i = 0; i + 1 < ends.length; i += 2) line(w, ends[i], w, ends[i + 1]); };
      stack.forEach((s) => {
        const ends = scene.cuts(s, axis, at);
        if (top !== null && Math.abs(top - s.low) > 0.02) { close(top, before); before = []; }
        // Between two slabs runs what only one of them has.
        close(s.low, [...before, ...ends].sort((a, b) => a - b));
        ends.forEach((t) => line(s.low, t, s.high, t));
        before = ends; top = s.high;
      });
      if (top !== null) close(top, before);
    });
    context.setLineDash(dashed ? [4, 4] : []);
    // A dark rim: contours stand out from bone and from the dose wash alike.
    const ink = context.strokeStyle, width = context.lineWidth;
    context.strokeStyle = "rgba(0,0,0,.6)"; context.lineWidth = width + 1.8;
    context.stroke();
    context.strokeStyle = ink; context.lineWidth = width;
    context.stroke();
    context.setLineDash([]);
  }

  function draw(pane, state) {
    layout(pane, Math.min(3, window.devicePixelRatio || 1));
    const { look } = pane, index = scene.nearest(look.axis, state.c[look.axis]), at = [...state.c];
    at[look.axis] = scene.place(look.axis, index);
    const context = pane.canvas.getContext("2d"), ratio = pane.ratio;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = "#000";
    context.fillRect(0, 0, pane.size[0], pane.size[1]);
    if (scene.image) {
      const source = picture(pane, index, state.window), across = lattices[look.right.axis], along = lattices[look.down.axis];
      const fx = look.right.way * across.step * pane.scale, fy = look.down.way * along.step * pane.scale;
      if (Math.max(Math.abs(fx), Math.abs(fy)) > 1.2) enlarge(pane, source); else {
        const origin = [0, 0, 0];
        origin[look.right.axis] = across.start - across.step / 2; origin[look.down.axis] = along.start - along.step / 2;
        const [ox, oy] = screen(pane, origin);
        context.save();
        context.transform(fx, 0, 0, fy, ox, oy);
        context.imageSmoothingEnabled = true;
        context.drawImage(scratch, 0, 0);
        context.restore();
      }
    }
    if (scene.doses.length && (state.wash || state.lines || state.mark)) {
      const lattice = doseLattice(pane, at, state.which);
      if (state.wash) wash(context, pane, lattice, state);
      if (state.lines && state.which < 2) state.levels.filter((l) => l.shown).forEach((l) => { context.strokeStyle = css(tint(l.gy / state.whole)); context.lineWidth = Math.abs(l.gy / state.whole - 1) < 1e-6 ? 1.9 : 1.1; isoline(context, lattice, l.gy); });
      if (state.mark && state.which < 2) { context.strokeStyle = "#fff"; context.lineWidth = 2.2; isoline(context, lattice, state.mark); }
    }
    if (state.contours) {
      scene.rois.forEach((roi) => {
        if (!roi.shown && roi.name !== pane.roi) return;
        context.strokeStyle = roi.color; context.lineWidth = roi.name === pane.roi ? 2.4 : 1.4; context.lineJoin = "round";
        contour(context, pane, roi, at, index);
      });
    }
    const [x, y] = screen(pane, state.c);
    context.lineWidth = 1;
    if (pane.view) {
      [["#000", 4], ["#fff", 1.8]].forEach(([ink, width]) => { context.strokeStyle = ink; context.lineWidth = width; context.beginPath(); context.arc(x, y, 9, 0, 7); context.stroke(); });
    } else if (state.cross) {
      context.strokeStyle = "rgba(255,255,255,.55)";
      context.beginPath();
      [[0, y, x - 8, y], [x + 8, y, pane.size[0], y], [x, 0, x, y - 8], [x, y + 8, x, pane.size[1]]].forEach(([a, b, e, f]) => { context.moveTo(a, b); context.lineTo(e, f); });
      context.stroke();
    }
    const write = (text, a, b, align) => { context.textAlign = align; context.lineWidth = 3; context.strokeStyle = "#000"; context.strokeText(text, a, b); context.fillStyle = "#e8edf2"; context.fillText(text, a, b); };
    context.font = "600 12px system-ui, sans-serif"; context.textBaseline = "middle";
    const [w, h] = pane.size;
    write(letter(look.right.axis, -look.right.way), 6, h / 2, "left"); write(letter(look.right.axis, look.right.way), w - 6, h / 2, "right");
    write(letter(look.down.axis, -look.down.way), w / 2, 11, "center"); write(letter(look.down.axis, look.down.way), w / 2, h - 11, "center");
    context.font = "12px system-ui, sans-serif";
    const title = say("viewer.slice", { plane: say("viewer." + pane.name), n: index + 1, of: cells[look.axis] });
    // Where it would meet the letter of the upper side it stands below that.
    write(title, 7, 7 + context.measureText(title).width > w / 2 - 12 ? 27 : 12, "left");
    pane.index = index;
  }
  return { looks, makePane, layout, draw, screen, unscreen, tint, css, axisOf };
}
