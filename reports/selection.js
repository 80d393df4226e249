// Weights set by sliders: means, tests, probabilities and the front anew. Names are text, never markup.
"use strict";
(() => {
  const at = (id) => document.getElementById("choose-" + id);
  const form = at("form");
  if (!form) return;
  const { min, max, sqrt, sin, PI } = Math;
  const { models, skills, shares, means, n, errors, few, price, speed, ...data } = JSON.parse(document.getElementById("selection").textContent);
  const clusters = data.clusters ?? n;
  const all = [...models.keys()], S = skills.length, size = n.length;
  const sliders = [...form.querySelectorAll("input")], fronted = at("chart"), mix = at("mix").textContent;
  const rows = new Map([...at("rows").children].map((row) => [+row.dataset.model, row]));

  // The covariance of all means; the correlations above its diagonal stand as arcsines, row by row.
  const C = all.flatMap(() => skills).map(() => new Float64Array(size));
  if (errors) {
    const { packed, digits, letters } = data, base = letters.length, top = base ** digits - 1;
    const place = (k) => letters.indexOf(packed[k]);
    const whole = (k) => (digits === 2 ? place(2 * k) * base + place(2 * k + 1) : place(k));
    for (let i = 0, k = 0; i < size; i++) {
      C[i][i] = errors[i] ** 2;
      for (let j = i + 1; j < size; j++, k++) C[i][j] = C[j][i] = sin((whole(k) / top - 0.5) * PI) * errors[i] * errors[j];
    }
  }

  // The normal deviate that a share of p exceeds on both sides (Abramowitz and Stegun 26.2.23).
  const critical = (p) => {
    const t = sqrt(-2 * Math.log(p / 2));
    return t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
  };
  let state = data.seed;
  // mulberry32
  const uniform = () => {
    let t = (state += 0x6d2b79f5);
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  // The same normal deviates for all weights, so that nothing flickers.
  const normals = Array.from({ length: errors ? data.draws : 0 }, () => all.map(() => sqrt(-2 * Math.log(1 - uniform())) * sin(2 * PI * uniform())));
  const chances = (mean, V, firm) => {
    const root = [], won = all.map(() => 0);
    // Cholesky
    firm.forEach((a, i) => {
      root[i] = [];
      for (let j = 0; j <= i; j++) {
        let sum = V[a][firm[j]];
        for (let k = 0; k < j; k++) sum -= root[i][k] * root[j][k];
        root[i][j] = i === j ? sqrt(max(sum, 0)) : root[j][j] > 1e-6 ? sum / root[j][j] : 0;
      }
    });
    for (const z of normals) {
      let top = -Infinity, who;
      firm.forEach((m, i) => {
        let value = mean[m];
        for (let k = 0; k <= i; k++) value += root[i][k] * z[k];
        if (value > top) [top, who] = [value, m];
      });
      won[who] += 1 / normals.length;
    }
    return won;
  };

  const compute = (share) => {
    const used = [...share.keys()].filter((s) => share[s] > 0);
    const least = (list, m) => (used.length ? min(...used.map((s) => list[m * S + s])) : 0);
    const lacks = (m) => used.filter((s) => means[m * S + s] === null);
    const mean = all.map((m) => (!used.length || lacks(m).length ? null : +used.reduce((sum, s) => sum + share[s] * means[m * S + s], 0).toFixed(9)));
    const V = all.map((a) => all.map((b) => {
      let sum = 0;
      for (const s of used) for (const t of used) sum += share[s] * share[t] * C[a * S + s][b * S + t];
      return sum;
    }));
    // Satterthwaite
    const degrees = all.map((m) => {
      const own = used.map((s) => share[s] ** 2 * C[m * S + s][m * S + s]), total = own.reduce((a, b) => a + b, 0);
      const squares = own.reduce((sum, v, k) => sum + v ** 2 / max(clusters[m * S + used[k]] - 1, 1), 0);
      return min(squares ? total ** 2 / squares : Infinity, max(data.all[m] - 1, 1));
    });
    const order = all.filter((m) => mean[m] !== null).sort((a, b) => mean[b] - mean[a] || a - b);
    const firm = order.filter((m) => errors && least(clusters, m) > 1 && V[m][m] > 1e-12);
    const pairs = [];
    firm.forEach((a, k) => firm.slice(k + 1).forEach((b) => {
      const v = V[a][a] + V[b][b] - 2 * V[a][b], f = min(degrees[a], degrees[b]);
      // Student's t as a normal deviate (Wallace 1959)
      if (v > 1e-12) pairs.push([((8 * f + 1) / (8 * f + 3)) * sqrt(f * Math.log1p((mean[a] - mean[b]) ** 2 / v / f)), a, b]);
    }));
    // Of each model, those significantly better
    const better = all.map(() => new Set());
    pairs.sort((one, other) => other[0] - one[0]).every(([z, a, b], k) => z >= critical(data.level / (data.tests - k)) && better[b].add(a));
    const ends = all.map((m) => {
      if (!firm.includes(m)) return null;
      const f = degrees[m], half = sqrt(f * V[m][m] * Math.expm1((data.z * (8 * f + 3) / (8 * f + 1)) ** 2 / f));
      return [max(mean[m] - half, data.scale?.[0] ?? -Infinity), min(mean[m] + half, data.scale?.[1] ?? Infinity)];
    });
    const won = firm.length > 1 ? chances(mean, V, firm) : [];
    const chance = all.map((m) => (firm.includes(m) ? won[m] ?? null : null));
    const criteria = [mean, price?.map((v) => v && -v), speed].filter(Boolean);
    const placed = order.filter((m) => criteria.length > 1 && criteria.every((one) => one[m] !== null));
    const rival = (m) => placed.find((o) => criteria.every((one) => one[o] >= one[m]) && criteria.some((one) => one[o] > one[m]));
    return { used, least, lacks, mean, order, firm, better, ends, chance, placed, rival };
  };

  // Words: the same as those of the page without a script.
  const DASH = "\u2013";
  const number = (v) => (v === null ? DASH : v.toFixed(2).replace(/^-(?=0\.00$)/, "").replace("-", "\u2212"));
  const range = (e) => e && number(e[0]) + (e[0] < 0 ? " to " : DASH) + number(e[1]);
  const percent = (p) => (p === null ? DASH : p < 0.005 ? "<1%" : p > 0.995 ? ">99%" : (100 * p).toFixed(0) + "%");
  const node = (tag, ...inside) => {
    const made = document.createElement(tag);
    made.append(...inside);
    return made;
  };
  const strong = (m) => node("strong", node("bdi", models[m]));
  const joined = (list, most) => {
    const shown = list.length > most ? [...list.slice(0, most - 1), `${list.length - most + 1} more`] : list;
    return shown.flatMap((one, k) => (k ? [k === shown.length - 1 ? " and " : ", ", one] : [one]));
  };
  const headline = ({ used, order, firm, mean, ends, better, chance, least }) => {
    if (!used.length) return ["Give at least one skill a weight above 0."];
    if (!order.length) return ["No model has a score in every skill that counts."];
    const top = order[0], others = order.length - 1, name = () => strong(top), value = number(mean[top]);
    if (!others) return [name(), ` has a weighted mean of ${value}; there is no other model to rank.`];
    const said = value + (ends[top] ? ` (${range(ends[top])})` : "");
    if (firm.length < 2) return [name(), ` has the highest weighted mean, ${said}; nothing tells whether the models differ.`];
    const leaders = order.filter((m) => !better[m].size), alone = leaders.length === 1;
    if (alone && order.every((m) => m === top || better[m].has(top))) {
      if (least(clusters, top) >= few) return [name(), ` is best for this mix, ${said}: every other model here is significantly lower.`];
      const count = least(n, top);
      return [name(), ` is highest for this mix, ${said}, and every other model here significantly lower; but a skill that counts has only ${count} instance${count === 1 ? "" : "s"}, too few to be firm.`];
    }
    const likely = chance[top] === null ? "" : `, and the best with a probability of ${percent(chance[top])}`;
    const rest = alone || leaders.length > others ? "" : " Every other model here has a significantly better one.";
    const open = alone ? [name(), " apart from every other model, though none is significantly better"] : ["apart ", ...joined(leaders.map(strong), 6)];
    return ["The data cannot tell ", ...open, ". ", name(), ` is highest, ${said}${likely}.${rest}`];
  };
  const fill = (cell, text, small) => cell.replaceChildren(text, ...(small ? [node("small", small)] : []));
  const table = (r) => {
    for (const m of [...r.order, ...all.filter((m) => r.mean[m] === null)]) {
      const row = rows.get(m), lacking = r.lacks(m).map((s) => skills[s]), rival = r.rival(m);
      fill(row.cells[1], r.mean[m] === null ? DASH : 1 + r.order.filter((o) => r.mean[o] > r.mean[m]).length);
      fill(row.cells[2], number(r.mean[m]), lacking.length && "no score in " + joined(lacking, 3).join(""));
      fill(row.cells[3], range(r.ends[m]) ?? DASH);
      fill(row.cells[4], percent(r.chance[m]));
      fill(row.cells[5], r.least(n, m).toLocaleString("en"));
      const clearly = errors ? (r.better[m].has(rival) ? ": significantly better" : ": not significantly better") : "";
      if (fronted && !r.placed.includes(m)) fill(row.lastElementChild, DASH);
      else if (fronted) rival === undefined ? fill(row.lastElementChild, "yes") : fill(row.lastElementChild, "no", models[rival] + clearly);
      row.classList.toggle("f", r.least(clusters, m) < few);
      row.parentNode.append(row);
    }
  };

  const normed = (weights) => weights.map((w) => w / (weights.reduce((a, b) => a + b, 0) || 1));
  let last = compute(normed(shares)), timer = 0;
  const told = () => form.dispatchEvent(new CustomEvent("choice", { detail: last }));
  const moved = (weights, words) => {
    const share = normed(weights);
    sliders.forEach((one, s) => { one.nextElementSibling.textContent = (100 * share[s]).toFixed(0) + "%"; });
    clearTimeout(timer);
    timer = setTimeout(() => {
      last = compute(share);
      at("mix").textContent = words;
      at("answer").replaceChildren(...headline(last));
      table(last);
      told();
    }, 120);
  };
  const read = () => moved(sliders.map((one) => +one.value), "Weights: as the sliders show.");
  form.addEventListener("input", read);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("click", (event) => {
    const wanted = event.target.dataset.set;
    if (wanted === undefined) return;
    if (wanted === "given") {
      form.reset();
      return moved(shares, mix);
    }
    const rated = all.filter((m) => skills.some((_, s) => means[m * S + s] !== null));
    const common = (s) => rated.every((m) => means[m * S + s] !== null);
    sliders.forEach((one, s) => { one.value = (wanted ? one.dataset.group === wanted : common(s)) ? 5 : 0; });
    read();
  });
  form.hidden = false;
  told();
})();
