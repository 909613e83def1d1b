// The index of a run: what is filtered, sorted and in sight. Texts are set as texts, never as HTML.
(() => {
  document.documentElement.classList.add("scripted");
  const run = JSON.parse(document.getElementById("run").textContent);
  const find = (query) => document.querySelector(query);
  const make = (tag, text, name) => { const e = document.createElement(tag); if (text !== undefined) e.textContent = text; if (name) e.className = name; return e; };
  const VERDICTS = { F: "fail", I: "indeterminate", N: "not-evaluable", V: "variation", W: "waived", P: "pass", "-": "not-applicable" };
  const WORDS = Object.fromEntries(Object.entries(VERDICTS).map(([letter, verdict]) => [letter, say("counted_one." + verdict)]));
  const ORDER = "FINVWP-", MET = "VWP";
  const OUTCOMES = [["failed", "bad", "✗"], ["error", "bad", "✗"], ["doubt", "open", "?"], ["met", "good", "✓"]];
  // Thousands parted by a thin space (ISO 80000-1), which no language reads as a decimal sign.
  const parted = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, "\u202f"), counted = (n) => ({ n, shown: parted(n) });
  const SIGN = Object.fromEntries(OUTCOMES.map(([key, tone, sign]) => [key, { tone, sign }]));
  const columns = run.columns, nothing = ORDER.length;

  // Each case with its worst verdict by rule, and one lower-case text to search in.
  const cases = run.cases.map((row, at) => {
    const [name, site, outcome, words, protocol, rx, error, report, pattern, verdicts, values, bands, reasons, findings] = row;
    const tests = run.patterns[pattern], worst = new Uint8Array(columns.length).fill(nothing);
    let failed = 0, open = 0;
    tests.forEach((test, i) => {
      const rank = ORDER.indexOf(verdicts[i]), column = run.tests[test][0];
      if (rank < worst[column]) worst[column] = rank;
      if (rank === 0) failed += 1; else if (rank < 3) open += 1;
    });
    return { at, name, site, outcome, words, protocol, rx, error, report, tests, verdicts, values, bands, reasons, findings, worst, failed, open, text: null };
  });
  const patternText = run.patterns.map((tests) => [...new Set(tests.flatMap((t) => [run.tests[t][1], run.tests[t][2], run.tests[t][6], columns[run.tests[t][0]].id]))].join("\n").toLowerCase());
  function matches(one, words) {
    if (one.text === null) one.text = [one.name, one.words, one.rx, one.error, run.protocols[one.protocol], ...one.findings.flatMap(([c, m]) => [run.codes[c][0], run.messages[m]])].join("\n").toLowerCase();
    return words.every((word) => one.text.includes(word) || patternText[run.cases[one.at][8]].includes(word));
  }
  // Rules that apply to no case at all are no columns.
  const applying = columns.map((c) => cases.some((one) => one.worst[c.at] < nothing - 1));
  const usual = columns.filter((c) => applying[c.at]);
  columns.forEach((c) => {
    const own = run.tests.filter((t) => t[0] === c.at), names = [...new Set(own.map((t) => (t[1] + " " + t[2]).trim()))];
    c.label = names.length === 1 && /\[|%|\(/.test(names[0]) ? names[0] : c.title;
  });

  // The state of the page is in its address, so that any view of it is a link.
  const DEFAULTS = { q: "", outcome: "", rule: "", verdict: "", finding: "", site: "", protocol: "", sort: "outcome", down: "", worst: "", case: "" };
  const state = { ...DEFAULTS };
  function readAddress() {
    const given = new URLSearchParams(location.hash.slice(1));
    Object.keys(DEFAULTS).forEach((key) => { state[key] = given.get(key) ?? DEFAULTS[key]; });
  }
  function writeAddress() {
    const told = new URLSearchParams(Object.entries(state).filter(([key, value]) => value !== DEFAULTS[key]));
    history.replaceState(null, "", "#" + told);
  }

  const byName = new Intl.Collator(document.documentElement.lang, { numeric: true }).compare;
  let shown = [], order = usual;
  const columnOf = (id) => columns.find((c) => c.id === id);
  function filter() {
    const words = state.q.toLowerCase().split(/\s+/).filter(Boolean), rule = state.rule ? columnOf(state.rule) : null;
    const code = run.codes.flatMap((c, i) => (c[0] === state.finding ? [i] : []));
    const rank = state.verdict ? ORDER.indexOf(state.verdict) : -1;
    shown = cases.filter((one) => {
      if (state.outcome && one.outcome !== state.outcome) return false;
      if (state.site && one.site !== state.site) return false;
      if (state.protocol && run.protocols[one.protocol] !== state.protocol) return false;
      if (state.finding && !one.findings.some(([c]) => code.includes(c))) return false;
      if (rule && (rank < 0 ? one.worst[rule.at] === nothing : !has(one, rule.at, state.verdict))) return false;
      if (!rule && rank >= 0 && !one.verdicts.includes(state.verdict)) return false;
      return !words.length || matches(one, words);
    });
  }
  // By name, with numbers in names as numbers: each case's place, found once.
  [...cases].sort((a, b) => byName(a.name, b.name)).forEach((one, place) => { one.place = place; });
  const has = (one, column, letter) => one.tests.some((t, i) => run.tests[t][0] === column && one.verdicts[i] === letter);
  const KEYS = { failed: 0, error: 1, doubt: 2, met: 3 };
  function sort() {
    const way = state.down ? -1 : 1, column = columnOf(state.sort), only = state.sort === "case";
    const valueOf = (one) => { const i = one.tests.findIndex((t) => run.tests[t][0] === column.at); return i < 0 ? Infinity : one.values[i] ?? Infinity; };
    shown.forEach((one) => {
      one.rank = only ? 0 : column ? one.worst[column.at] : KEYS[one.outcome] * 1e6 - one.failed * 1e3 - one.open;
      one.key = column ? valueOf(one) : 0;
    });
    const less = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
    shown.sort((a, b) => way * (less(a.rank, b.rank) || less(a.key, b.key)) || (only ? way : 1) * (a.place - b.place));
    order = state.worst ? [...usual].sort((a, b) => rates[b.at].failed - rates[a.at].failed || rates[b.at].open - rates[a.at].open || a.at - b.at) : usual;
    if (state.rule && columnOf(state.rule)) order = [columnOf(state.rule), ...order.filter((c) => c.id !== state.rule)];
  }
  let rates = [];
  function count() {
    rates = columns.map(() => ({ failed: 0, open: 0, met: 0, idle: 0 }));
    const counts = new Int32Array(columns.length * (nothing + 1));
    for (const { worst: of } of shown) for (let c = 0; c < of.length; c += 1) counts[c * (nothing + 1) + of[c]] += 1;
    rates.forEach((of, c) => {
      const n = counts.subarray(c * (nothing + 1));
      of.failed = n[0]; of.open = n[1] + n[2]; of.met = n[3] + n[4] + n[5]; of.idle = n[6];
    });
  }
  function wilson(met, of) {
    const z = 1.959963985, p = met / of, middle = (p + (z * z) / (2 * of)) / (1 + (z * z) / of);
    const half = (z / (1 + (z * z) / of)) * Math.sqrt((p * (1 - p)) / of + (z * z) / (4 * of * of));
    return [Math.max(0, middle - half), Math.min(1, middle + half)];
  }
  const share = (of) => (of.met + of.failed ? of.met / (of.met + of.failed) : null);
  // A share is never rounded to all or none that is neither.
  const percent = (of) => { const p = share(of); return p === null ? "" : String(p > 0.99 && p < 1 ? 99 : p > 0 && p < 0.01 ? 1 : Math.round(100 * p)); };

  // Values with the digits that matter: never rounded onto their limit.
  function digits(value, unit, goal) {
    const places = unit === "cc" ? (Math.abs(value) >= 100 ? 1 : Math.abs(value) >= 1 ? 2 : 4) : ["Gy", "%", "mm"].includes(unit) ? 2 : 3;
    const text = Number.isInteger(value) && unit === "" ? String(value) : value.toFixed(places), limits = (goal.match(/[\d.]+/g) || []).map(Number);
    return (limits.some((l) => l === Number(text) && l !== value) ? String(value) : text).replace("-", "−");
  }
  function valueText(one, i) {
    const [, , , goal, , unit] = run.tests[one.tests[i]], value = one.values[i];
    if (value === null) return "–";
    const ends = one.bands ? [one.bands[2 * i], one.bands[2 * i + 1]] : [null, null];
    const told = (digits(value, unit, goal) + " " + unit).trim();
    if (ends[0] === null || ends[1] === null) return told;
    return say("index.value_band", { value: told, band: say("number.to", { low: digits(ends[0], unit, ""), high: digits(ends[1], unit, "") }) });
  }
  const testsOf = (one, column) => one.tests.flatMap((t, i) => (run.tests[t][0] === column ? [i] : []));

  // Rows: only those in sight are in the document.
  const grid = find(".grid"), head = find(".head"), body = find(".body"), tip = find(".tip");
  const rowHeight = () => parseFloat(getComputedStyle(grid).getPropertyValue("--row"));
  let drawn = new Map(), height = 30, at = null;
  function heading() {
    const cell = (id, label, title, name, rate) => {
      const button = make("button", undefined, name);
      button.type = "button"; button.title = title; button.setAttribute("role", "columnheader");
      const text = make(name ? "span" : "bdi", label, name ? "" : "title");
      button.append(text);
      if (!name) button.append(make("span", rate, "rate"));
      if (state.sort === id) { button.setAttribute("aria-sort", state.down ? "descending" : "ascending"); text.textContent += state.down ? " ↓" : " ↑"; }
      button.addEventListener("click", () => { if (state.sort === id) state.down = state.down ? "" : "1"; else { state.sort = id; state.down = ""; } update(); });
      return button;
    };
    head.replaceChildren(cell("case", say("head.case"), say("index.sort_name"), "h-case"), cell("outcome", say("head.outcome"), say("index.sort_outcome"), "h-outcome"),
      ...order.map((c) => cell(c.id, c.label, c.title + " (" + c.id + ")", "", percent(rates[c.at]))));
  }
  const CELLS = Object.fromEntries([..."FINVWP", ""].map((letter) => { const cell = make("span", letter, "cell" + (letter ? " v-" + letter : "")); cell.setAttribute("role", "gridcell"); return [letter, cell]; }));
  grid.classList.toggle("few", usual.length <= 16);
  const placeOf = (cell) => Array.prototype.indexOf.call(cell.parentNode.children, cell) - 2;
  function line(n) {
    const one = shown[n], row = make("div", undefined, "line");
    row.setAttribute("role", "row"); row.setAttribute("aria-rowindex", String(n + 2));
    row.dataset.n = String(n);
    const name = make("button", undefined, "name"), text = make("bdi", one.name);
    name.type = "button"; name.tabIndex = -1; name.title = one.name; name.append(text);
    const { tone, sign } = SIGN[one.outcome], outcome = make("span", sign + " " + one.words, "outcome " + tone);
    outcome.title = one.error || one.words;
    row.append(name, outcome);
    order.forEach((c, k) => {
      const rank = one.worst[c.at], letter = rank < nothing - 1 ? ORDER[rank] : "", cell = CELLS[letter].cloneNode(true);
      if (at && at.n === n && at.k === k) cell.classList.add("at");
      row.append(cell);
    });
    row.style.top = n * height + "px";
    return row;
  }
  function draw(all = false) {
    const first = all ? 0 : Math.max(0, Math.floor(grid.scrollTop / height) - 5), last = all ? shown.length : Math.min(shown.length, Math.ceil((grid.scrollTop + grid.clientHeight) / height) + 5);
    const kept = new Map();
    for (let n = first; n < last; n += 1) kept.set(n, drawn.get(n) || line(n));
    drawn.forEach((row, n) => { if (!kept.has(n)) row.remove(); });
    const fresh = document.createDocumentFragment();
    kept.forEach((row) => { if (!row.parentNode) fresh.append(row); });
    body.append(fresh);
    drawn = kept;
  }
  function redraw() {
    height = rowHeight();
    body.replaceChildren(); drawn = new Map();
    body.style.height = shown.length * height + "px";
    grid.style.maxHeight = shown.length * height + 220 + "px";
    grid.setAttribute("aria-rowcount", String(shown.length + 1));
    draw();
  }
  let queued = false;
  grid.addEventListener("scroll", () => { hideTip(); if (!queued) { queued = true; requestAnimationFrame(() => { queued = false; draw(); }); } });
  new ResizeObserver(() => draw()).observe(grid);

  // What a cell stands for, under the pointer or the keyboard.
  const goalText = (goal, variation) => say(variation ? "index.goal_variation" : "index.goal", { goal, variation });
  function fill(one, column) {
    tip.replaceChildren(make("strong", column.title));
    testsOf(one, column.at).forEach((i) => {
      const [, roi, quantity, goal, variation] = run.tests[one.tests[i]], box = make("div");
      box.append(make("bdi", [roi, quantity].filter(Boolean).join(" ") + ": "), make("b", valueText(one, i)), " — " + goalText(goal, variation) + " — " + WORDS[one.verdicts[i]]);
      if (one.reasons[i] >= 0) box.append(make("div", run.reasons[one.reasons[i]], "why"));
      tip.append(box);
    });
    if (tip.children.length === 1) tip.append(make("div", say("index.not_a_rule"), "why"));
    tip.append(make("div", one.name, "why"));
  }
  function showTip(cell) {
    const one = shown[Number(cell.parentNode.dataset.n)], column = order[placeOf(cell)];
    if (!one || !column) return;
    fill(one, column);
    tip.hidden = false;
    const box = cell.getBoundingClientRect(), own = tip.getBoundingClientRect();
    tip.style.left = Math.max(8, Math.min(box.left, innerWidth - own.width - 12)) + "px";
    tip.style.top = (box.bottom + own.height + 8 > innerHeight ? Math.max(8, box.top - own.height - 6) : box.bottom + 6) + "px";
  }
  function hideTip() { tip.hidden = true; }
  body.addEventListener("pointerover", (event) => { const cell = event.target.closest(".cell"); if (cell) showTip(cell); else hideTip(); });
  body.addEventListener("pointerleave", hideTip);
  body.addEventListener("click", (event) => { const row = event.target.closest(".line"); if (row) open(shown[Number(row.dataset.n)]); });
  grid.addEventListener("keydown", (event) => {
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], PageUp: [-15, 0], PageDown: [15, 0], Home: [-1e9, 0], End: [1e9, 0] };
    if (event.target !== grid || !shown.length) return;
    if (event.key === "Enter" && at) { open(shown[at.n]); return; }
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    const [n, k] = at ? [at.n + move[0], at.k + move[1]] : [0, 0];
    at = { n: Math.max(0, Math.min(shown.length - 1, n)), k: Math.max(0, Math.min(order.length - 1, k)) };
    const top = at.n * height, view = grid.clientHeight - head.offsetHeight;
    if (top < grid.scrollTop) grid.scrollTop = top; else if (top + height > grid.scrollTop + view) grid.scrollTop = top + height - view;
    drawn = new Map(); body.replaceChildren(); draw();
    const cell = body.querySelector(".cell.at");
    if (cell) { cell.scrollIntoView({ block: "nearest", inline: "nearest" }); requestAnimationFrame(() => { const now = body.querySelector(".cell.at"); if (now) showTip(now); }); }
  });

  // One case: every rule and finding of it.
  const detail = find(".detail");
  function open(one) {
    if (!one) return;
    hideTip();
    state.case = one.name; writeAddress();
    find("#detail-name").textContent = one.name;
    const content = detail.querySelector(".content"), { tone, sign } = SIGN[one.outcome];
    const told = make("p", sign + " " + one.words, "headline " + tone), links = make("p", undefined, "links");
    if (one.report) { const link = make("a", say("index.open_report")); link.href = one.report; links.append(link); }
    [run.protocols[one.protocol], one.rx].filter(Boolean).forEach((text) => links.append(make("span", text, "quiet")));
    content.replaceChildren(told, links);
    if (one.error) content.append(make("p", one.error, "error"));
    const ranked = one.tests.map((t, i) => i).sort((a, b) => ORDER.indexOf(one.verdicts[a]) - ORDER.indexOf(one.verdicts[b]) || a - b);
    if (ranked.length) {
      const table = make("table"), rows = make("tbody"), top = make("tr"), thead = make("thead"), scroll = make("div", undefined, "scroll");
      ["verdict", "rule", "what", "value", "goal"].forEach((word) => { const th = make("th", say("head." + word)); th.scope = "col"; top.append(th); });
      thead.append(top);
      ranked.forEach((i) => {
        const [column, roi, quantity, goal, variation, , title] = run.tests[one.tests[i]], row = make("tr", undefined, "v-" + one.verdicts[i]), why = make("td", title);
        if (one.reasons[i] >= 0) why.append(make("div", run.reasons[one.reasons[i]], "why"));
        why.append(make("div", columns[column].id, "why"));
        const verdict = make("td"); verdict.append(make("i", WORDS[one.verdicts[i]]));
        const what = make("td"); what.append(make("bdi", [roi, quantity].filter(Boolean).join(" ")));
        row.append(verdict, why, what, make("td", valueText(one, i)), make("td", variation ? say("index.limit_variation", { goal, variation }) : goal));
        rows.append(row);
      });
      table.append(thead, rows); scroll.append(table); content.append(make("h3", say("head.rules")), scroll);
    }
    if (one.findings.length) {
      const list = make("ul", undefined, "told");
      one.findings.forEach(([c, m]) => { const item = make("li", run.messages[m] + " "); item.append(make("span", run.codes[c].join(", "), "why code")); list.append(item); });
      content.append(make("h3", say("report.findings")), list);
    }
    if (!detail.open) detail.showModal();
    detail.scrollTop = 0;
  }
  detail.querySelector(".close").addEventListener("click", () => detail.close());
  detail.addEventListener("click", (event) => { if (event.target === detail) detail.close(); });
  detail.addEventListener("close", () => { state.case = ""; writeAddress(); });

  // Filters.
  const form = find(".bar"), field = (name) => form.elements.namedItem(name);
  function fillSelect(name, all, options) {
    const select = field(name), first = make("option", all);
    first.value = "";
    select.append(first, ...options.map(([value, text]) => { const o = make("option", text); o.value = value; return o; }));
    if (!options.length || (options.length < 2 && ["site", "protocol"].includes(name))) select.closest("label").hidden = true;
  }
  const tally = (values) => { const counts = new Map(); values.forEach((v) => counts.set(v, (counts.get(v) || 0) + 1)); return counts; };
  const cut = (text) => (text.length > 60 ? text.slice(0, 59) + "…" : text);
  fillSelect("rule", say("index.any"), usual.map((c) => [c.id, cut(c.id + ": " + c.title)]));
  fillSelect("verdict", say("index.any"), [...ORDER].map((v) => [v, WORDS[v]]));
  const found = tally(cases.flatMap((one) => [...new Set(one.findings.map(([c]) => run.codes[c][0]))]));
  fillSelect("finding", say("index.any"), [...found].sort((a, b) => b[1] - a[1]).map(([code, n]) => [code, code + " (" + n + ")"]));
  const sites = tally(cases.map((one) => one.site).filter(Boolean));
  fillSelect("site", say("index.all_of"), [...sites].sort((a, b) => byName(a[0], b[0])).map(([site, n]) => [site, site + " (" + n + ")"]));
  const protocols = tally(cases.map((one) => run.protocols[one.protocol]).filter(Boolean));
  fillSelect("protocol", say("index.all_of"), [...protocols].map(([name, n]) => [name, cut(name) + " (" + n + ")"]));
  const totals = tally(cases.map((one) => one.outcome));
  const outcomes = OUTCOMES.filter(([key]) => totals.get(key)).map(([key, tone, sign]) => {
    const button = make("button", sign + " " + say("index.outcome_" + key, counted(totals.get(key))), tone);
    button.type = "button"; button.dataset.outcome = key;
    button.addEventListener("click", () => { state.outcome = state.outcome === key ? "" : key; update(); });
    return button;
  });
  find(".outcomes").append(...outcomes);
  ["q", "rule", "verdict", "finding", "site", "protocol"].forEach((name) => field(name).addEventListener("input", () => { state[name] = field(name).value; update(); }));
  form.addEventListener("submit", (event) => event.preventDefault());
  function clear() { Object.assign(state, { ...DEFAULTS, sort: state.sort, down: state.down, worst: state.worst }); update(); }
  form.addEventListener("reset", (event) => { event.preventDefault(); clear(); });
  find(".none-left button").addEventListener("click", clear);
  const worst = find(".order input");
  worst.addEventListener("change", () => { state.worst = worst.checked ? "1" : ""; update(); });
  find(".letters").append(...[..."FINVWP"].map((letter) => { const box = make("span", undefined, "v-" + letter); box.append(make("i", letter), WORDS[letter]); return box; }));

  // What is shown, as CSV: no text of it may be run as a formula.
  function quoted(value) {
    if (value === null || value === undefined) return "";
    if (typeof value === "number") return String(value);
    const text = /^[=+\-@＝＋－＠]/.test(value) ? "'" + value : value;
    return /[",\n\r]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
  }
  function csv() {
    const lines = [["case", "site", "protocol", "outcome", "rule_id", "title", "roi", "quantity", "value", "unit", "low", "high", "goal", "variation", "verdict", "reason", "findings"]];
    const rule = state.rule ? columnOf(state.rule) : null, full = VERDICTS;
    shown.forEach((one) => {
      const start = [one.name, one.site, run.protocols[one.protocol], one.outcome], codes = [...new Set(one.findings.map(([c]) => run.codes[c][0]))].join("; ");
      const rows = one.tests.map((t, i) => i).filter((i) => (!rule || run.tests[one.tests[i]][0] === rule.at) && (!state.verdict || one.verdicts[i] === state.verdict));
      if (!one.tests.length) lines.push([...start, "", "", "", "", "", "", "", "", "", "", one.error ? "error" : "", one.error, codes]);
      rows.forEach((i) => {
        const [column, roi, quantity, goal, variation, unit, title] = run.tests[one.tests[i]];
        lines.push([...start, columns[column].id, title, roi, quantity, one.values[i], unit, one.bands ? one.bands[2 * i] : null, one.bands ? one.bands[2 * i + 1] : null, goal, variation, full[one.verdicts[i]], one.reasons[i] >= 0 ? run.reasons[one.reasons[i]] : "", codes]);
      });
    });
    return lines.map((cells) => cells.map(quoted).join(",")).join("\r\n") + "\r\n";
  }
  find(".csv").addEventListener("click", () => {
    const link = make("a"), url = URL.createObjectURL(new Blob([csv()], { type: "text/csv;charset=utf-8" }));
    link.href = url; link.download = "cases.csv"; link.click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  });

  function table() {
    const rows = order.map((c) => {
      const of = rates[c.at], judged = of.met + of.failed, row = make("tr"), th = make("th"), button = make("button", c.title);
      button.type = "button"; button.title = say("index.show_rule", { rule: c.id });
      button.addEventListener("click", () => { state.rule = state.rule === c.id ? "" : c.id; update(); });
      th.scope = "row"; th.append(button);
      const cells = [of.failed, of.open, of.met, of.idle].map((n) => make("td", parted(n), "num")), last = make("td");
      let told = "–";
      if (judged) {
        const [low, high] = wilson(of.met, judged), svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
        told = percent(of) + " (" + Math.round(100 * low) + "–" + Math.round(100 * high) + ")";
        svg.setAttribute("viewBox", "0 0 100 12"); svg.setAttribute("preserveAspectRatio", "none"); svg.setAttribute("aria-hidden", "true");
        [["rect", { class: "bg", width: 100, height: 12 }], ["rect", { class: "fg", width: 100 * of.met / judged, height: 12 }], ["line", { class: "ci", x1: 100 * low, x2: 100 * high, y1: 6, y2: 6, "vector-effect": "non-scaling-stroke" }]].forEach(([tag, given]) => {
          const part = document.createElementNS("http://www.w3.org/2000/svg", tag);
          Object.entries(given).forEach(([key, value]) => part.setAttribute(key, String(value)));
          svg.append(part);
        });
        last.append(svg);
      }
      row.append(th, ...cells, make("td", told, "num"), last);
      return row;
    });
    find(".rates tbody").replaceChildren(...rows);
    find(".rates").hidden = !rows.length;
  }
  // The table below waits until nobody types.
  let later = 0;
  function update() {
    at = null;
    filter(); count(); sort();
    ["q", "rule", "verdict", "finding", "site", "protocol"].forEach((name) => { if (field(name).value !== state[name]) field(name).value = state[name]; });
    worst.checked = Boolean(state.worst);
    outcomes.forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.outcome === state.outcome)));
    find(".shown").textContent = shown.length === cases.length ? say("index.all_cases", counted(cases.length)) : say("index.some_cases", { some: parted(shown.length), ...counted(cases.length) });
    find(".none-left").hidden = shown.length > 0;
    grid.hidden = !shown.length;
    grid.scrollTop = 0;
    heading(); redraw(); writeAddress();
    clearTimeout(later);
    later = setTimeout(table, 60);
  }
  function fromAddress() {
    readAddress();
    const wanted = state.case;
    update();
    const one = wanted && cases.find((c) => c.name === wanted);
    if (one) open(one); else if (detail.open) detail.close();
  }
  window.addEventListener("hashchange", fromAddress);
  window.addEventListener("beforeprint", () => { table(); height = rowHeight(); draw(true); });
  window.addEventListener("afterprint", redraw);
  fromAddress();
})();
