// Weights set by sliders: means, tests, probabilities and the front anew. Names are text, never markup.
"use strict";
(() => {
  const at = (id) => document.getElementById("choose-" + id);
  const form = at("form");
  if (!form) return;
  const data = JSON.parse(document.getElementById("selection").textContent);
  const { models, means, errors, clusters, few } = data;
  const M = models.length, S = data.skills.length, size = M * S;
  const sliders = [...form.querySelectorAll("input")];
  const rows = new Map([...at("rows").children].map((row) => [Number(row.dataset.model), row]));
  const firstMix = at("mix").textContent;
  const indices = [...models.keys()];

  // The covariance of all means: the triangle of correlations stands as arcsines, row by row.
  const covariance = new Float64Array(size * size);
  if (errors) {
    const view = new DataView(Uint8Array.from(atob(data.correlations), (c) => c.charCodeAt(0)).buffer);
    const wide = data.bits === 16, turn = Math.PI / 2 / (wide ? 32767 : 127);
    for (let i = 0, k = 0; i < size; i++) {
      covariance[i * size + i] = errors[i] ** 2;
      for (let j = i + 1; j < size; j++, k++) {
        const sine = Math.sin(turn * (wide ? view.getInt16(2 * k, true) : view.getInt8(k)));
        covariance[i * size + j] = covariance[j * size + i] = sine * errors[i] * errors[j];
      }
    }
  }

  const normals = (seed, count) => {
    const uniform = () => { // mulberry32
      let t = (seed += 0x6d2b79f5);
      t = Math.imul(t ^ (t >>> 15), t | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
    return Float64Array.from({ length: count }, () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()));
  };
  const drawn = errors ? normals(data.seed, data.draws * M) : null; // the same for all weights, so that nothing flickers

  const chances = (mean, spread, firm) => {
    const K = firm.length, root = firm.map(() => new Float64Array(K)), won = new Float64Array(M);
    for (let i = 0; i < K; i++) { // Cholesky
      for (let j = 0; j <= i; j++) {
        let sum = spread[firm[i]][firm[j]];
        for (let k = 0; k < j; k++) sum -= root[i][k] * root[j][k];
        if (i === j) root[i][i] = sum > 1e-12 ? Math.sqrt(sum) : 0;
        else if (root[j][j]) root[i][j] = sum / root[j][j];
      }
    }
    for (let d = 0; d < data.draws; d++) {
      let top = -Infinity, who = 0;
      for (let i = 0; i < K; i++) {
        let value = mean[firm[i]];
        for (let k = 0; k <= i; k++) value += root[i][k] * drawn[d * M + k];
        if (value > top) [top, who] = [value, firm[i]];
      }
      won[who] += 1 / data.draws;
    }
    return won;
  };

  const compute = (share) => {
    const used = [...share.keys()].filter((s) => share[s] > 0);
    const cell = (m, s) => m * S + s;
    const mean = indices.map((m) => used.some((s) => means[cell(m, s)] === null) || !used.length ? null
      : used.reduce((sum, s) => sum + share[s] * means[cell(m, s)], 0));
    const least = (list, m) => (used.length ? Math.min(...used.map((s) => list[cell(m, s)])) : 0);
    const spread = indices.map((a) => indices.map((b) => {
      let sum = 0;
      for (const s of used) for (const t of used) sum += share[s] * share[t] * covariance[cell(a, s) * size + cell(b, t)];
      return sum;
    }));
    const degrees = indices.map((m) => { // Satterthwaite
      let sum = 0, squares = 0;
      for (const s of used) {
        const own = share[s] ** 2 * covariance[cell(m, s) * (size + 1)];
        sum += own;
        squares += own ** 2 / Math.max(clusters[cell(m, s)] - 1, 1);
      }
      const most = Math.max(data.all[m] - 1, 1);
      return squares > 0 ? Math.min(sum ** 2 / squares, most) : most;
    });
    const order = indices.filter((m) => mean[m] !== null).sort((a, b) => mean[b].toFixed(9) - mean[a].toFixed(9) || a - b);
    const firm = errors ? order.filter((m) => least(clusters, m) > 1 && spread[m][m] > 1e-12) : [];
    const better = indices.map(() => new Set()); // of each model, those significantly better
    const pairs = firm.flatMap((a, k) => firm.slice(k + 1).map((b) => [a, b])).flatMap(([a, b]) => {
      const v = spread[a][a] + spread[b][b] - 2 * spread[a][b], f = Math.min(degrees[a], degrees[b]);
      // Student's t as a normal deviate (Wallace 1959)
      return v > 1e-12 ? [[(8 * f + 1) / (8 * f + 3) * Math.sqrt(f * Math.log1p((mean[a] - mean[b]) ** 2 / v / f)), a, b]] : [];
    }).sort((one, other) => other[0] - one[0]);
    for (const [k, [z, a, b]] of pairs.entries()) {
      if (z < data.holm[k]) break;
      better[b].add(a);
    }
    const ends = (m) => {
      if (!firm.includes(m)) return null;
      const f = degrees[m], [low, high] = data.scale ?? [-Infinity, Infinity];
      const half = Math.sqrt(f * Math.expm1((data.z * (8 * f + 3) / (8 * f + 1)) ** 2 / f) * spread[m][m]);
      return [Math.max(mean[m] - half, low), Math.min(mean[m] + half, high)];
    };
    const chance = firm.length > 1 ? chances(mean, spread, firm) : null;
    const criteria = [mean.map((v) => v && Number(v.toFixed(9))), data.price && data.price.map((v) => (v === null ? null : -v)), data.speed].filter(Boolean);
    const placed = criteria.length > 1 ? order.filter((m) => criteria.every((one) => one[m] !== null)) : [];
    const rival = (m) => placed.find((o) => criteria.every((one) => one[o] >= one[m]) && criteria.some((one) => one[o] > one[m]));
    return { share, used, mean, order, firm, better, placed, rival, least, ends: indices.map(ends),
      chance: (m) => (chance && firm.includes(m) ? chance[m] : null), flat: criteria.length === 2 };
  };

  // Words: the same as those of the page without a script.
  const DASH = "\u2013";
  const number = (v) => (v === null ? DASH : v.toFixed(2).replace(/^-(?=0\.00$)/, "").replace("-", "\u2212"));
  const range = (e) => (e ? number(e[0]) + (e[0] >= 0 ? DASH : " to ") + number(e[1]) : "");
  const percent = (p) => (p === null ? DASH : p < 0.005 ? "<1%" : p > 0.995 ? ">99%" : (100 * p).toFixed(0) + "%");
  const node = (tag, text) => Object.assign(document.createElement(tag), { textContent: text });
  const strong = (m) => { const made = node("strong", ""); made.append(node("bdi", models[m])); return made; };
  const joined = (list, most) => {
    const shown = list.length > most ? list.slice(0, most - 1) : [...list];
    if (list.length > most) shown.push(`${list.length - most + 1} more`);
    return shown.flatMap((one, k) => (k === 0 ? [one] : [k === shown.length - 1 ? " and " : ", ", one]));
  };
  const headline = (r) => {
    if (!r.used.length) return ["Give at least one skill a weight above 0."];
    if (!r.order.length) return ["No model has a score in every skill that counts."];
    const top = r.order[0], others = r.order.length - 1;
    if (!others) return [strong(top), ` has a weighted mean of ${number(r.mean[top])}; there is no other model to rank.`];
    const mean = number(r.mean[top]) + (r.ends[top] ? ` (${range(r.ends[top])})` : "");
    if (r.firm.length < 2) return [strong(top), ` has the highest weighted mean, ${mean}; nothing tells whether the models differ.`];
    const leaders = r.order.filter((m) => !r.better[m].size);
    if (leaders.length === 1 && r.order.every((m) => m === top || r.better[m].has(top))) {
      if (r.least(clusters, top) >= few) return [strong(top), ` is best for this mix, ${mean}: every other model is significantly lower.`];
      const n = r.least(data.n, top);
      return [strong(top), ` is highest for this mix, ${mean}, and every other model significantly lower; but a skill that counts has only ${n} instance${n === 1 ? "" : "s"}, too few to be firm.`];
    }
    const chance = r.chance(top) === null ? "" : `, and the best with a probability of ${percent(r.chance(top))}`;
    const rest = leaders.length > 1 && leaders.length <= others ? " Every other model has a significantly better one." : "";
    const start = leaders.length === 1
      ? ["The data cannot tell ", strong(top), " apart from every other model, though none is significantly better. "]
      : ["The data cannot tell apart ", ...joined(leaders, 6).map((one) => (typeof one === "number" ? strong(one) : one)), ". "];
    return [...start, strong(top), ` is highest, ${mean}${chance}.${rest}`];
  };
  const front = (r, m) => {
    if (!r.placed.includes(m)) return [DASH];
    const rival = r.rival(m);
    if (rival === undefined) return ["yes"];
    return ["no", models[rival] + (errors ? (r.better[m].has(rival) ? ", significantly" : ", not significantly") : "")];
  };
  const table = (r) => {
    const unknown = indices.filter((m) => r.mean[m] === null);
    for (const m of [...r.order, ...unknown]) {
      const row = rows.get(m), lacking = r.used.filter((s) => means[m * S + s] === null).map((s) => data.skills[s]);
      const rank = r.mean[m] === null ? DASH : String(1 + r.order.filter((o) => r.mean[o] > r.mean[m] + 1e-9).length);
      const cells = [[rank], [number(r.mean[m]), lacking.length ? "no score in " + joined(lacking, 3).join("") : ""], [range(r.ends[m]) || DASH],
        [percent(r.chance(m))], [r.least(data.n, m).toLocaleString("en")]];
      cells.forEach(([text, small], k) => row.children[k + 1].replaceChildren(text, ...(small ? [node("small", small)] : [])));
      if (at("chart")) {
        const [text, small] = front(r, m);
        row.lastElementChild.replaceChildren(text, ...(small ? [node("small", small)] : []));
      }
      row.classList.toggle("f", r.least(clusters, m) < few);
      row.parentNode.append(row);
    }
  };
  // The front: quality against price (against speed where no price is known).
  const svg = (tag, attributes, ...inside) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...inside);
    return made;
  };
  const ticks = (low, high, log) => {
    if (log) {
      const made = [];
      for (let k = Math.floor(low); k <= high; k++) for (const f of high - low > 2.5 ? [1] : [1, 2, 5]) made.push(k + Math.log10(f));
      return made.filter((v) => v >= low && v <= high);
    }
    const raw = (high - low) / 5, ten = 10 ** Math.floor(Math.log10(raw)), step = ten * [1, 2, 5, 10].find((f) => f * ten >= raw);
    return Array.from({ length: Math.floor(high / step) - Math.ceil(low / step) + 1 }, (_, k) => (Math.ceil(low / step) + k) * step);
  };
  const chart = (r) => {
    const box = at("chart");
    if (!box) return;
    const known = data.price ?? data.speed, head = data.heads[data.price ? 0 : 1];
    const shown = r.placed, values = shown.map((m) => known[m]);
    const log = Math.min(...values) > 0 && Math.max(...values) / Math.min(...values) >= 20, x = (m) => (log ? Math.log10(known[m]) : known[m]);
    const span = (list, least) => {
      const low = Math.min(...list), high = Math.max(...list), pad = Math.max((high - low) * 0.08, least);
      return [low - pad, high + pad];
    };
    if (!shown.length) return box.replaceChildren();
    const W = Math.max(280, Math.min(760, box.clientWidth)), H = 360, L = 48, B = 46;
    const [x0, x1] = span(shown.map(x), 0.05), [y0, y1] = span(shown.flatMap((m) => r.ends[m] ?? [r.mean[m]]), 0.02);
    const px = (v) => L + ((W - L - 12) * (v - x0)) / (x1 - x0), py = (v) => 8 + ((H - B - 8) * (y1 - v)) / (y1 - y0);
    const made = [];
    for (const v of ticks(y0, y1, false)) {
      made.push(svg("path", { class: "grid", d: `M${L} ${py(v)}H${W - 12}` }), svg("text", { class: "e", x: L - 6, y: py(v) + 3.5 }, String(Number(v.toFixed(4)))));
    }
    for (const v of ticks(x0, x1, log).filter((v) => log || v >= 0)) {
      made.push(svg("path", { class: "grid", d: `M${px(v)} 8V${H - B}` }), svg("text", { class: "q", x: px(v), y: H - B + 14 }, String(Number((log ? 10 ** v : v).toPrecision(4)))));
    }
    made.push(svg("text", { class: "e", x: W - 12, y: H - 8 }, head), svg("text", { x: 0, y: H - 8 }, "Weighted mean, upwards"));
    const on = shown.filter((m) => r.rival(m) === undefined), along = [...on].sort((a, b) => x(a) - x(b));
    if (r.flat) {
      const side = data.price ? (a, b) => `H${px(x(b))}V${py(r.mean[b])}` : (a, b) => `V${py(r.mean[b])}H${px(x(b))}`;
      made.push(svg("path", { class: "slope", d: `M${px(x(along[0]))} ${py(r.mean[along[0]])}` + along.slice(1).map((m, k) => side(along[k], m)).join("") }));
    }
    const taken = shown.map((m) => [px(x(m)) - 4, py(r.mean[m]) - 4, px(x(m)) + 4, py(r.mean[m]) + 4]);
    for (const m of [...on, ...shown.filter((m) => !on.includes(m))]) {
      const cx = px(x(m)), cy = py(r.mean[m]), group = svg("g", {}, svg("title", {}, models[m] + ": " + number(r.mean[m])));
      if (r.ends[m]) group.append(svg("path", { class: "whisker", d: `M${cx} ${py(r.ends[m][0])}V${py(r.ends[m][1])}` }));
      group.append(svg("circle", { class: on.includes(m) ? "on" : "off", cx, cy, r: 4 }));
      const wide = models[m].length * 5.8;
      for (const [dx, dy, anchor] of [[8, 3.5, 0], [-8, 3.5, 2], [0, -9, 1], [0, 16, 1]]) {
        const left = cx + dx - (wide * anchor) / 2, area = [left, cy + dy - 9, left + wide, cy + dy + 2];
        if (left < L || area[2] > W || area[1] < 0 || area[3] > H - B || taken.some((o) => o[0] < area[2] && area[0] < o[2] && o[1] < area[3] && area[1] < o[3])) continue;
        taken.push(area);
        group.append(svg("text", { class: on.includes(m) ? "b" : "", x: left, y: cy + dy }, models[m]));
        break;
      }
      made.push(group);
    }
    const said = `Weighted mean against ${head}. On the front: ${on.map((m) => models[m]).join(", ")}.`;
    box.replaceChildren(svg("svg", { class: "plotted", viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": said }, ...made));
  };

  let last = compute(data.shares), timer = 0;
  const show = () => {
    at("answer").replaceChildren(...headline(last));
    table(last);
    chart(last);
  };
  const outputs = (share) => sliders.forEach((one, s) => { one.nextElementSibling.textContent = (100 * share[s]).toFixed(0) + "%"; });
  const moved = () => {
    const weights = sliders.map((one) => Number(one.value)), sum = weights.reduce((a, b) => a + b, 0);
    const share = weights.map((w) => (sum ? w / sum : 0));
    outputs(share);
    clearTimeout(timer);
    timer = setTimeout(() => {
      at("mix").textContent = "Weights: as the sliders show.";
      last = compute(share);
      show();
    }, 120);
  };
  form.addEventListener("input", moved);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("click", (event) => {
    const wanted = event.target.dataset.set;
    if (wanted === undefined) return;
    if (wanted === "given") {
      form.reset();
      clearTimeout(timer);
      at("mix").textContent = firstMix;
      last = compute(data.shares);
      outputs(data.shares);
      return show();
    }
    const scored = (m, s) => means[m * S + s] !== null;
    const rated = indices.filter((m) => data.skills.some((_, s) => scored(m, s)));
    sliders.forEach((one, s) => { one.value = wanted === "" ? (rated.every((m) => scored(m, s)) ? 5 : 0) : one.dataset.group === wanted ? 5 : 0; });
    moved();
  });
  form.hidden = false;
  if (at("chart")) {
    at("figure").hidden = false;
    chart(last);
    addEventListener("resize", () => { clearTimeout(timer); timer = setTimeout(() => chart(last), 120); });
  }
})();
