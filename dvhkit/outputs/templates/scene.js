
// A patient's image, dose and contours in one frame: u along columns, v along rows, w along the image's normal, in mm.
function dvhkitScene(facts, source) {
  const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
  const grid = facts.grid, rows = grid.rows, columns = grid.columns, image = facts.image;
  const cells = [columns, rows, grid.offsets.length];
  const place = (axis, index) => (axis === 2 ? grid.offsets[index] : index * grid.spacing[axis]);

  function toFrame(point, of = grid) {
    const from = point.map((c, i) => c - of.origin[i]);
    return of.axes.map((axis) => dot(from, axis));
  }
  const toPatient = (c) => [0, 1, 2].map((i) => grid.origin[i] + c[0] * grid.axes[0][i] + c[1] * grid.axes[1][i] + c[2] * grid.axes[2][i]);

  function nearest(axis, c) {
    if (axis < 2) return Math.min(cells[axis] - 1, Math.max(0, Math.round(c / grid.spacing[axis])));
    let best = 0;
    grid.offsets.forEach((at, i) => { if (Math.abs(at - c) < Math.abs(grid.offsets[best] - c)) best = i; });
    return best;
  }
  // How far a slice reaches below and above its middle.
  function reach(axis, index) {
    if (axis < 2) return [grid.spacing[axis] / 2, grid.spacing[axis] / 2];
    const at = grid.offsets, n = at.length;
    if (n < 2) return [1, 1];
    const below = index > 0 ? (at[index] - at[index - 1]) / 2 : (at[1] - at[0]) / 2;
    return [below, index < n - 1 ? (at[index + 1] - at[index]) / 2 : (at[n - 1] - at[n - 2]) / 2];
  }

  // Pixels: a plane is unpacked when it is first asked for.
  const planes = [];
  const levelCount = image ? (image.wide ? 65536 : 256) : 0;
  const values = new Float32Array(levelCount);
  for (let n = 0; n < levelCount; n += 1) values[n] = image.values.length ? image.values[Math.min(n, image.values.length - 1)] : image.first + n * image.step;
  const hasPlane = (k) => planes[k] !== undefined;
  function plane(k) {
    if (!planes[k]) planes[k] = dvhkitUnpack.plane(source, image.chunks[k][0], rows, columns, image.wide);
    return planes[k];
  }
  const squares = [];
  function exactly(k, x, y) {
    if (!image.exact.length) return -1;
    if (!squares[k]) squares[k] = dvhkitUnpack.squares(source, ...image.exact[k], rows, columns);
    return squares[k](x, y);
  }
  function pixel(c) {
    if (!image) return null;
    const index = [0, 1, 2].map((axis) => nearest(axis, c[axis]));
    for (let axis = 0; axis < 3; axis += 1) {
      const [below, above] = reach(axis, index[axis]), off = c[axis] - place(axis, index[axis]);
      if (off < -below - 1e-6 || off > above + 1e-6) return null;
    }
    const level = plane(index[2])[index[1] * columns + index[0]], above = exactly(index[2], index[0], index[1]);
    if (above >= 0) return { value: image.lows[level] + above, error: 0 };
    return { value: values[level], error: image.errors[Math.min(level, image.errors.length - 1)] };
  }

  // Dose: trilinear between voxel centres; the half voxel outside the outermost centres takes their dose.
  const doses = facts.doses.map((d) => ({ ...d, values: null }));
  function doseValues(d) {
    if (!d.values) {
      d.values = dvhkitUnpack.counts(source, d.chunk[0], d.offsets.length * d.rows, d.columns);
      for (let i = 0; i < d.values.length; i += 1) d.values[i] = (d.values[i] + d.low) * d.step;
    }
    return d.values;
  }
  function along(d, w) {
    const { offsets } = d;
    const n = offsets.length;
    if (n === 1) return Math.abs(w - offsets[0]) <= (d.spacing[0] + d.spacing[1]) / 4 + 1e-6 ? 0 : NaN;
    if (w < offsets[0] - (offsets[1] - offsets[0]) / 2 - 1e-6 || w > offsets[n - 1] + (offsets[n - 1] - offsets[n - 2]) / 2 + 1e-6) return NaN;
    if (w <= offsets[0]) return 0;
    if (w >= offsets[n - 1]) return n - 1;
    let low = 0, high = n - 1;
    while (high - low > 1) { const mid = (low + high) >> 1; if (offsets[mid] <= w) low = mid; else high = mid; }
    return low + (w - offsets[low]) / (offsets[high] - offsets[low]);
  }
  function doseAt(c, of = 0) { return doseOf(doses[of], toPatient(c)); }
  function doseOf(d, point) {
    if (!d) return NaN;
    const g = toFrame(point, d);
    return trilinear(d, doseValues(d), g[0] / d.spacing[0], g[1] / d.spacing[1], g[2]);
  }
  function trilinear(d, v, x, y, w) {
    const nx = d.columns, ny = d.rows, nz = d.offsets.length;
    if (!(x >= -0.5 - 1e-6 && x <= nx - 0.5 + 1e-6 && y >= -0.5 - 1e-6 && y <= ny - 0.5 + 1e-6)) return NaN;
    const z = along(d, w);
    if (z !== z) return NaN;
    x = Math.min(nx - 1, Math.max(0, x)); y = Math.min(ny - 1, Math.max(0, y));
    const i = Math.min(Math.floor(x), Math.max(nx - 2, 0)), j = Math.min(Math.floor(y), Math.max(ny - 2, 0)), k = Math.min(Math.floor(z), Math.max(nz - 2, 0));
    const fx = x - i, fy = y - j, fz = z - k, dx = nx > 1 ? 1 : 0, dy = ny > 1 ? nx : 0, dz = nz > 1 ? nx * ny : 0;
    const o = (k * ny + j) * nx + i, p = o + dz;
    const low = (v[o] * (1 - fx) + v[o + dx] * fx) * (1 - fy) + (v[o + dy] * (1 - fx) + v[o + dy + dx] * fx) * fy;
    const high = (v[p] * (1 - fx) + v[p + dx] * fx) * (1 - fy) + (v[p + dy] * (1 - fx) + v[p + dy + dx] * fx) * fy;
    return low * (1 - fz) + high * fz;
  }
  // The dose on a lattice of points: its place in the dose grid grows evenly along either side.
  function doseSheet(of, corner, right, down, nx, ny) {
    const d = doses[of], v = doseValues(d), [a, b, e] = [corner, right, down].map((c) => toFrame(toPatient(c), d));
    const by = b.map((c, i) => c - a[i]), on = e.map((c, i) => c - a[i]), out = new Float32Array(nx * ny), [sx, sy] = d.spacing;
    for (let y = 0, o = 0; y < ny; y += 1) {
      for (let x = 0; x < nx; x += 1, o += 1) {
        out[o] = trilinear(d, v, (a[0] + x * by[0] + y * on[0]) / sx, (a[1] + x * by[1] + y * on[1]) / sy, a[2] + x * by[2] + y * on[2]);
      }
    }
    return out;
  }

  // Contours: by structure, sheets of rings, each sheet a slab from half way to its neighbours.
  const rois = facts.rois.map((r, index) => ({ ...r, index, shown: r.group !== "outline" || facts.rois.length < 3, sheets: null }));
  function sheets(roi) {
    if (roi.sheets) return roi.sheets;
    const raw = roi.chunk[2] ? dvhkitUnpack.inflate(source, roi.chunk[0], roi.chunk[2]) : new Uint8Array(0);
    const all = dvhkitUnpack.varints(raw, 0.01), found = [];
    roi.ends.forEach((end, i) => {
      const ring = all.subarray(2 * (i ? roi.ends[i - 1] : 0), 2 * end);
      let sheet = found.find((s) => s.axis === roi.axis[i] && Math.abs(s.at - roi.at[i]) < 0.02);
      if (!sheet) { sheet = { axis: roi.axis[i], at: roi.at[i], rings: [], open: [] }; found.push(sheet); }
      (roi.closed[i] ? sheet.rings : sheet.open).push(ring);
    });
    found.sort((a, b) => a.axis - b.axis || a.at - b.at);
    [0, 1, 2].forEach((axis) => {
      const stack = found.filter((s) => s.axis === axis && s.rings.length);
      const gaps = stack.slice(1).map((s, i) => s.at - stack[i].at).sort((a, b) => a - b);
      const own = axis === 2 ? reach(2, nearest(2, stack.length ? stack[0].at : 0)) : reach(axis, 0);
      const usual = gaps.length ? gaps[gaps.length >> 1] : own[0] + own[1];
      stack.forEach((s, i) => {
        const before = i ? s.at - stack[i - 1].at : usual, after = i < stack.length - 1 ? stack[i + 1].at - s.at : usual;
        s.low = s.at - (before > 2.6 * usual ? usual : before) / 2;
        s.high = s.at + (after > 2.6 * usual ? usual : after) / 2;
      });
    });
    roi.sheets = found;
    return found;
  }
  const others = (axis) => [0, 1, 2].filter((a) => a !== axis);
  function crossings(ring, a, b) {
    let inside = false;
    for (let i = 0, j = ring.length - 2; i < ring.length; j = i, i += 2) {
      if ((ring[i + 1] > b) !== (ring[j + 1] > b) && a < ((ring[j] - ring[i]) * (b - ring[i + 1])) / (ring[j + 1] - ring[i + 1]) + ring[i]) inside = !inside;
    }
    return inside;
  }
  function holds(roi, c) {
    return sheets(roi).some((s) => {
      if (!s.rings.length || c[s.axis] < s.low || c[s.axis] >= s.high) return false;
      const [p, q] = others(s.axis);
      return s.rings.reduce((inside, ring) => inside !== crossings(ring, c[p], c[q]), false);
    });
  }
  // Where a line through a sheet, at `at` along `axis`, enters and leaves the structure.
  function cuts(sheet, axis, at) {
    const side = others(sheet.axis).indexOf(axis), found = [];
    sheet.rings.forEach((ring) => {
      for (let i = 0, j = ring.length - 2; i < ring.length; j = i, i += 2) {
        const a = ring[i + side], b = ring[j + side];
        if ((a > at) !== (b > at)) found.push(ring[i + 1 - side] + ((ring[j + 1 - side] - ring[i + 1 - side]) * (at - a)) / (b - a));
      }
    });
    return found.sort((a, b) => a - b);
  }
  function extreme(roi, cold) {
    let best = null;
    const look = (c) => { const gy = doseAt(c); if (!Number.isNaN(gy) && (!best || (cold ? gy < best.gy : gy > best.gy))) best = { c, gy }; };
    sheets(roi).forEach((s) => s.rings.forEach((ring) => {
      const [p, q] = others(s.axis);
      for (let i = 0; i < ring.length; i += 2) { const c = [0, 0, 0]; c[s.axis] = s.at; c[p] = ring[i]; c[q] = ring[i + 1]; look(c); }
    }));
    const d = doses[0];
    if (!d || !best) return best;
    const v = doseValues(d), order = [];
    for (let i = 0; i < v.length; i += 1) if (cold ? v[i] < best.gy : v[i] > best.gy) order.push(i);
    order.sort((a, b) => (cold ? v[a] - v[b] : v[b] - v[a]));
    for (const i of order.slice(0, 400000)) {
      const g = [(i % d.columns) * d.spacing[0], (Math.floor(i / d.columns) % d.rows) * d.spacing[1], d.offsets[Math.floor(i / d.columns / d.rows)]];
      const p = [0, 1, 2].map((a) => d.origin[a] + g[0] * d.axes[0][a] + g[1] * d.axes[1][a] + g[2] * d.axes[2][a]);
      const c = toFrame(p);
      if (holds(roi, c)) return { c, gy: v[i] };
    }
    return best;
  }
  return { facts, grid, cells, image, values, rois, doses, place, nearest, reach, toFrame, toPatient, plane, hasPlane, pixel, doseAt, doseSheet, sheets, holds, cuts, others, extreme };
}
