// The front: quality against price (against speed where no price is known), for each choice that the sliders tell of.
"use strict";
(() => {
  const box = document.getElementById("choose-chart"), form = document.getElementById("choose-form");
  if (!box || !form) return;
  const { min, max, log10, floor } = Math;
  const { models, price, speed, heads } = JSON.parse(document.getElementById("selection").textContent);
  const known = price ?? speed, head = heads[price ? 0 : 1];
  const svg = (tag, attributes, ...inside) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const key in attributes) made.setAttribute(key, attributes[key]);
    made.append(...inside);
    return made;
  };
  const ticks = (low, high, log) => {
    const ten = 10 ** floor(log10((high - low) / 5)), step = log ? 1 : ten * [1, 2, 5, 10].find((f) => f * ten * 5 >= high - low);
    const made = Array.from({ length: floor(high / step) - floor(low / step) + 1 }, (_, k) => (floor(low / step) + k) * step);
    return made.flatMap((v) => (log && high - low < 2.5 ? [v, v + log10(2), v + log10(5)] : [v])).filter((v) => v >= low && v <= high);
  };
  const chart = ({ placed, mean, ends, rival }) => {
    if (!placed.length) return box.replaceChildren();
    const values = placed.map((m) => known[m]), log = min(...values) > 0 && max(...values) >= 20 * min(...values);
    const x = (m) => (log ? log10(known[m]) : known[m]);
    const span = (list) => {
      const low = min(...list), high = max(...list), pad = (high - low) * 0.08 || 0.5;
      return [low - pad, high + pad];
    };
    const W = max(280, min(760, box.clientWidth)), H = 360, L = 44, R = W - 12, B = H - 46;
    const [x0, x1] = span(placed.map(x)), [y0, y1] = span(placed.flatMap((m) => ends[m] ?? [mean[m]]));
    const px = (v) => L + ((R - L) * (v - x0)) / (x1 - x0), py = (v) => 8 + ((B - 8) * (y1 - v)) / (y1 - y0);
    const text = (kind, left, y, words) => svg("text", { class: kind, x: left, y }, words);
    const path = (kind, d) => svg("path", { class: kind, d });
    const made = [text("e", R, H - 8, head), text("", 0, H - 8, "Weighted mean, upwards")];
    for (const v of ticks(y0, y1)) made.push(path("grid", `M${L} ${py(v)}H${R}`), text("e", L - 6, py(v) + 3.5, +v.toFixed(4)));
    for (const v of ticks(log ? x0 : max(x0, 0), x1, log)) made.push(path("grid", `M${px(v)} 8V${B}`), text("q", px(v), B + 14, +(log ? 10 ** v : v).toPrecision(4)));
    const on = placed.filter((m) => rival(m) === undefined), off = placed.filter((m) => !on.includes(m));
    const steps = [...on].sort((a, b) => x(a) - x(b)).map((m, k) => (k ? (price ? `H${px(x(m))}V${py(mean[m])}` : `V${py(mean[m])}H${px(x(m))}`) : `M${px(x(m))} ${py(mean[m])}`));
    if (!price || !speed) made.push(path("slope", steps.join("")));
    const taken = placed.map((m) => [px(x(m)) - 4, py(mean[m]) - 4, px(x(m)) + 4, py(mean[m]) + 4]);
    for (const m of [...on, ...off]) {
      const cx = px(x(m)), cy = py(mean[m]), kind = on.includes(m) ? "on" : "off", wide = models[m].length * 6.4;
      if (ends[m]) made.push(path("whisker", `M${cx} ${py(ends[m][0])}V${py(ends[m][1])}`));
      made.push(svg("circle", { class: kind, cx, cy, r: 4 }, svg("title", {}, `${models[m]}: ${mean[m].toFixed(2)}`)));
      for (const [dx, dy] of [[-7 - wide, -6], [8, 15], [8, 3.5], [-8 - wide, 3.5], [-wide / 2, -9], [-wide / 2, 16]].slice(kind === "on" ? 0 : 2)) {
        const [left, y, right, low] = [cx + dx, cy + dy - 10, cx + dx + wide, cy + dy + 3];
        if ((kind === "off" && W < 480) || left < L || right > W || y < 0 || low > B || taken.some((o) => o[0] < right && left < o[2] && o[1] < low && y < o[3])) continue;
        taken.push([left, y, right, low]);
        made.push(text(kind === "on" ? "b" : "", left, cy + dy, models[m]));
        break;
      }
    }
    const label = `Weighted mean against ${head}. On the front: ${on.map((m) => models[m]).join(", ")}.`;
    box.replaceChildren(svg("svg", { class: "plotted", viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": label }, ...made));
  };

  let last = null;
  form.addEventListener("choice", (event) => {
    last = event.detail;
    document.getElementById("choose-figure").hidden = false;
    chart(last);
  });
  addEventListener("resize", () => last && chart(last));
})();
