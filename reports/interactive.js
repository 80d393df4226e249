// Draws the interactive figures with the models that are chosen. Texts in the figures are escaped where the page is made.
"use strict";
(() => {
  const element = document.getElementById("figures");
  if (!element || typeof Plotly === "undefined") return;
  const raters = JSON.parse(element.textContent);
  const config = {
    displaylogo: false, responsive: true, showLink: false, showSendToCloud: false, showEditInChartStudio: false,
    plotlyServerURL: "", topojsonURL: "", modeBarButtonsToRemove: ["lasso2d", "select2d"],
  };
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const themed = (figure) => {
    const [ink, quiet, line, paper] = ["--ink", "--quiet", "--line", "--card"].map(colour);
    const { layout } = figure;
    Object.assign(layout, { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", autosize: true });
    layout.font = { ...layout.font, color: ink };
    layout.hoverlabel = { ...layout.hoverlabel, bgcolor: paper, bordercolor: line, font: { color: ink } };
    const axes = [layout.xaxis, layout.yaxis, layout.polar?.angularaxis, layout.polar?.radialaxis].filter(Boolean);
    for (const axis of axes) Object.assign(axis, { gridcolor: line, linecolor: line });
    if (layout.polar) layout.polar.radialaxis.tickfont = { size: 10, color: quiet };
    for (const trace of figure.data) {
      for (const part of [trace.marker, trace.line]) if (part?.color === "#000000") part.color = ink;
    }
    return figure;
  };

  // Each line of dots is shared out among the models that are shown.
  const spread = (figure) => {
    const step = 0.7 / Math.max(figure.data.length, 1);
    figure.data.forEach((trace, place) => {
      const offset = (place - (figure.data.length - 1) / 2) * step;
      trace.y = trace.y.map((y) => Math.round(y) + offset);
    });
    const axes = figure.layout.yaxis.tickvals.length;
    figure.layout.height = 90 + axes * Math.max(34, 9 * figure.data.length);
  };

  const columns = (figure, chosen) => {
    const pick = (row) => chosen.map((place) => row[place]);
    for (const trace of figure.data) for (const key of ["z", "text", "customdata"]) trace[key] = trace[key].map(pick);
    const axis = figure.layout.xaxis;
    axis.ticktext = pick(axis.ticktext);
    axis.tickvals = chosen.map((_, place) => place);
    figure.layout.width = 300 + 62 * chosen.length;
    figure.layout.autosize = false;
  };

  const built = ({ kind, figure }, chosen) => {
    const made = themed(structuredClone(figure));
    if (kind === "heat") {
      columns(made, chosen);
    } else {
      made.data = made.data.filter((trace) => chosen.includes(trace.meta.model));
      made.layout.showlegend = true;
      if (kind === "dots") spread(made);
      else made.layout.height = 620; // a legend that is longer scrolls
    }
    return made;
  };

  const views = [...document.querySelectorAll("#interactive .view")].map((view, place) => {
    const boxes = [...view.querySelectorAll("input[type=checkbox]")];
    const places = [...view.querySelectorAll(".drawn")];
    const draw = () => {
      const chosen = boxes.flatMap((box, model) => (box.checked ? [model] : []));
      view.querySelector("output").textContent = `${chosen.length} of ${boxes.length} shown`;
      raters[place].forEach((one, k) => {
        if (!chosen.length) {
          Plotly.purge(places[k]);
          return;
        }
        const { data, layout } = built(one, chosen);
        Plotly.react(places[k], data, layout, config);
      });
    };
    view.addEventListener("change", draw);
    for (const button of view.querySelectorAll("button")) {
      button.addEventListener("click", () => {
        for (const box of boxes) box.checked = button.value === "all";
        draw();
      });
    }
    view.querySelector("fieldset").disabled = false;
    draw();
    return draw;
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => views.forEach((draw) => draw()));
})();
