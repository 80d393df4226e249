// Filters for the items. The page's texts are never read as markup: only text, `hidden` and order change here.
"use strict";
(() => {
  const form = document.getElementById("items-filters");
  const list = document.getElementById("items-list");
  if (!form || !list) return;
  const facts = JSON.parse(document.getElementById("items-data").textContent);
  const items = [...list.children].map((element) => ({ element, facts: facts[Number(element.dataset.item)], text: null }));
  const chosen = (id) => {
    const field = document.getElementById("items-" + id);
    return field && field.value !== "" ? field.value : null;
  };

  // The gap of two models: by rater the difference of the means over the skills that both have, the widest counts.
  const gapOf = (cells, a, b) => {
    const byRater = new Map();
    for (const [rater, skill, model, share] of cells) {
      if (model !== a && model !== b) continue;
      if (!byRater.has(rater)) byRater.set(rater, new Map());
      const skills = byRater.get(rater);
      if (!skills.has(skill)) skills.set(skill, [null, null]);
      skills.get(skill)[model === a ? 0 : 1] = share;
    }
    let widest = null;
    for (const skills of byRater.values()) {
      const both = [...skills.values()].filter(([one, other]) => one !== null && other !== null);
      if (!both.length) continue;
      const gap = Math.abs(both.reduce((sum, [one, other]) => sum + one - other, 0) / both.length);
      widest = widest === null ? gap : Math.max(widest, gap);
    }
    return widest;
  };

  const matches = (item, wanted) => {
    for (const id of ["skill", "domain", "difficulty", "slice"]) {
      if (wanted[id] !== null && !item.facts[id].includes(Number(wanted[id]))) return false;
    }
    for (const model of wanted.models) {
      if (!item.element.querySelector(`.card[data-model="${model}"]`)) return false;
    }
    if (wanted.gap !== null && (item.gap === null || item.gap < wanted.gap - 5e-4)) return false;
    if (wanted.apart !== null && (item.facts.apart === null || item.facts.apart < wanted.apart - 5e-5)) return false;
    if (wanted.text) {
      item.text ??= item.element.textContent.toLowerCase();
      return item.text.includes(wanted.text);
    }
    return true;
  };

  const update = () => {
    const models = ["a", "b"].map(chosen).filter((value) => value !== null).map(Number);
    const wanted = { models, text: document.getElementById("items-text").value.trim().toLowerCase() };
    for (const id of ["skill", "domain", "difficulty", "slice", "gap", "apart"]) wanted[id] = chosen(id);
    const pair = new Set(models).size === 2;
    let count = 0;
    for (const item of items) {
      item.gap = pair ? gapOf(item.facts.cells, models[0], models[1]) : item.facts.gap;
      const shown = matches(item, wanted);
      count += shown;
      item.element.hidden = !shown;
      for (const card of item.element.querySelectorAll(".card")) {
        card.hidden = models.length > 0 && !models.includes(Number(card.dataset.model));
      }
    }
    const sort = chosen("sort");
    const key = (item) => {
      if (sort === "gap") return -(item.gap ?? -1);
      if (sort === "apart") return -(item.facts.apart ?? -1);
      return sort === "order" ? item.facts.order : Number(item.element.dataset.item);
    };
    list.append(...[...items].sort((one, other) => key(one) - key(other)).map((item) => item.element));
    document.getElementById("items-count").textContent =
      count === items.length ? `All ${count} items are shown.` : `${count} of ${items.length} items are shown.`;
  };

  let timer = 0;
  form.addEventListener("input", (event) => {
    clearTimeout(timer);
    timer = setTimeout(update, event.target.id === "items-text" ? 150 : 0);
  });
  form.addEventListener("reset", () => setTimeout(update, 0));
  form.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("items-open").addEventListener("click", () => {
    for (const item of items) item.element.open = !item.element.hidden;
  });
  document.getElementById("items-close").addEventListener("click", () => {
    for (const item of items) item.element.open = false;
  });
  form.hidden = false;
  update();
})();
