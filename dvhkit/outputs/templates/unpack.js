
// What a page carries: base 85 letters, raw deflate streams, predicted levels. All at once, for a readout must not wait.
const dvhkitUnpack = (() => {
  const LENGTHS = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];
  const DISTANCES = [1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577];
  const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
  const lengthBits = (code) => (code < 8 || code === 28 ? 0 : (code - 4) >> 2);
  const distanceBits = (code) => (code < 4 ? 0 : (code - 2) >> 1);

  function bytes(text) {
    const value = new Uint8Array(128);
    let digit = 0;
    for (let c = 35; c < 123; c += 1) if (c !== 38 && c !== 60 && c !== 92) value[c] = digit++;
    const out = new Uint8Array(Math.floor(text.length / 5) * 4);
    for (let i = 0, o = 0; o < out.length; i += 5, o += 4) {
      let word = 0;
      for (let k = 0; k < 5; k += 1) word = word * 85 + value[text.charCodeAt(i + k)];
      out[o] = word >>> 24; out[o + 1] = word >>> 16; out[o + 2] = word >>> 8; out[o + 3] = word;
    }
    return out;
  }

  // A table that maps the next bits to a symbol and the length of its code.
  function tree(lengths, from, count) {
    const counts = new Uint16Array(16), next = new Uint16Array(16);
    let most = 1;
    for (let i = 0; i < count; i += 1) { const n = lengths[from + i]; if (n) { counts[n] += 1; if (n > most) most = n; } }
    for (let n = 1, code = 0; n < 16; n += 1) { code = (code + counts[n - 1]) << 1; next[n] = code; }
    const table = new Uint16Array(1 << most);
    for (let symbol = 0; symbol < count; symbol += 1) {
      const n = lengths[from + symbol];
      if (!n) continue;
      let code = next[n]++, turned = 0;
      for (let k = 0; k < n; k += 1) { turned = (turned << 1) | (code & 1); code >>= 1; }
      for (let at = turned; at < table.length; at += 1 << n) table[at] = (symbol << 4) | n;
    }
    return table;
  }

  function inflate(source, begin, size) {
    const out = new Uint8Array(size);
    let at = begin, o = 0, hold = 0, held = 0;
    const fill = () => { while (held <= 16) { hold |= source[at++] << held; held += 8; } };
    const take = (n) => { fill(); const value = hold & ((1 << n) - 1); hold >>>= n; held -= n; return value; };
    const symbol = (table) => {
      fill();
      const entry = table[hold & (table.length - 1)];
      hold >>>= entry & 15; held -= entry & 15;
      return entry >> 4;
    };
    for (let last = 0; !last;) {
      last = take(1);
      const kind = take(2);
      if (kind === 0) {
        take(held & 7);
        let length = take(16);
        take(16);
        while (held > 0 && length > 0) { out[o++] = hold & 255; hold >>>= 8; held -= 8; length -= 1; }
        out.set(source.subarray(at, at + length), o);
        at += length; o += length;
        if (held === 0) hold = 0;
        continue;
      }
      const lengths = new Uint8Array(320);
      let literals = 288, distances = 30;
      if (kind === 1) {
        lengths.fill(8, 0, 144).fill(9, 144, 256).fill(7, 256, 280).fill(8, 280, 288).fill(5, 288, 318);
      } else {
        literals = take(5) + 257; distances = take(5) + 1;
        const codes = take(4) + 4, first = new Uint8Array(19);
        for (let i = 0; i < codes; i += 1) first[ORDER[i]] = take(3);
        const meta = tree(first, 0, 19);
        for (let i = 0; i < literals + distances;) {
          const s = symbol(meta);
          if (s < 16) { lengths[i++] = s; continue; }
          const repeat = s === 16 ? 3 + take(2) : s === 17 ? 3 + take(3) : 11 + take(7);
          lengths.fill(s === 16 ? lengths[i - 1] : 0, i, i + repeat);
          i += repeat;
        }
      }
      const literal = tree(lengths, 0, literals), distance = tree(lengths, literals, distances);
      const mask = literal.length - 1;
      for (;;) {
        while (held <= 16) { hold |= source[at++] << held; held += 8; }
        const entry = literal[hold & mask];
        hold >>>= entry & 15; held -= entry & 15;
        const s = entry >> 4;
        if (s < 256) { out[o++] = s; continue; }
        if (s === 256) break;
        const length = LENGTHS[s - 257] + take(lengthBits(s - 257));
        const d = symbol(distance);
        const back = o - DISTANCES[d] - take(distanceBits(d));
        for (let i = 0; i < length; i += 1) out[o + i] = out[back + i];
        o += length;
      }
    }
    return out;
  }

  // Each pixel is what it differs by from its left and its upper neighbour less the one between, kept between the two.
  function plane(source, begin, rows, columns, wide) {
    const count = rows * columns, raw = inflate(source, begin, wide ? 2 * count : count);
    const out = wide ? new Uint16Array(count) : raw;
    for (let y = 0, i = 0; y < rows; y += 1) {
      for (let x = 0, a = 0, c = 0; x < columns; x += 1, i += 1) {
        const b = y ? out[i - columns] : 0, told = a < b ? (c >= b ? a : c <= a ? b : a + b - c) : (c >= a ? b : c <= b ? a : a + b - c);
        if (wide) { const folded = raw[i] | (raw[count + i] << 8); out[i] = told + ((folded >>> 1) ^ -(folded & 1)); } else out[i] = raw[i] + told;
        a = out[i]; c = b;
      }
    }
    return out;
  }
  // Which squares of 8 pixels of a plane are exact, by the place of what lies above their levels; -1 where they are not.
  function squares(source, begin, count, rows, columns) {
    const across = Math.ceil(columns / 8), all = across * Math.ceil(rows / 8), bits = Math.ceil(all / 8);
    const raw = count ? inflate(source, begin, bits + 64 * count) : null, places = new Int32Array(all).fill(-1);
    for (let i = 0, n = bits; count && i < all; i += 1) if ((raw[i >> 3] >> (7 - (i & 7))) & 1) { places[i] = n; n += 64; }
    return (x, y) => { const at = places[(y >> 3) * across + (x >> 3)]; return at < 0 ? -1 : raw[at + (y & 7) * 8 + (x & 7)]; };
  }

  function counts(source, begin, rows, columns) {
    const total = rows * columns, raw = inflate(source, begin, 4 * total), out = new Float64Array(total);
    for (let y = 0, i = 0; y < rows; y += 1) {
      for (let x = 0, sum = 0; x < columns; x += 1, i += 1) {
        const folded = (raw[i] | (raw[i + total] << 8) | (raw[i + 2 * total] << 16) | (raw[i + 3 * total] << 24)) >>> 0;
        sum += folded % 2 ? -(folded + 1) / 2 : folded / 2;
        out[i] = sum;
      }
    }
    return out;
  }

  function varints(raw, step) {
    const out = [], sums = [0, 0];
    for (let i = 0; i < raw.length;) {
      let folded = 0, scale = 1, byte = 128;
      while (byte > 127) { byte = raw[i++]; folded += (byte & 127) * scale; scale *= 128; }
      const side = out.length & 1;
      sums[side] += folded % 2 ? -(folded + 1) / 2 : folded / 2;
      out.push(sums[side] * step);
    }
    return Float64Array.from(out);
  }

  return { bytes, inflate, plane, squares, counts, varints };
})();
