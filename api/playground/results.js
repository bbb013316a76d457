// What an answer is shown as: the value, and the panel of the chosen tab.

import { element } from "./inputs.js";

export const TABS = [
  ["picture", "Picture", ["pictures"]],
  ["gradient", "Gradient", []],
  ["computation", "Computation", ["computation", "trace"]],
  ["plan", "Plan", ["plan"]],
  ["source", "Source", ["source"]],
  ["python", "Python", ["python"]],
];
const MOST_ROWS = 200;

const shorten = (number) => (typeof number === "number" ? String(Number(number.toPrecision(7))) : number).replace("-", "−");
const plural = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

export function showValue(root, answer) {
  const value = answer.value;
  if (!value) {
    root.replaceChildren();
  } else if (value.type === "score") {
    root.replaceChildren("= ", element("span", { class: "number" }, value.text.replace(/^-/, "−")));
  } else {
    const kind = value.is_acceptor ? "an acceptor" : "a transducer";
    root.replaceChildren(`${kind} of ${plural(value.n_states, "state")} and ${plural(value.n_arcs, "arc")}`);
  }
}

export function showPanel(root, tab, answer) {
  const parts = { picture, gradient, computation, plan: texts("plan"), source: texts("source"), python: texts("python") }[tab](answer).filter(Boolean);
  root.replaceChildren(...(parts.length ? parts : [element("p", { class: "quiet" }, nothing(tab, answer))]));
}

function nothing(tab, answer) {
  if (answer.error) return "There is nothing to show until the mistake is corrected.";
  return { picture: "There is no graph to draw.", gradient: "The equation has no inputs." }[tab] ?? "Nothing to show.";
}

const texts = (key) => (answer) => (answer[key] ? [element("pre", { tabindex: "0" }, answer[key])] : []);

// A drawing, without its style sheet: style.css has the same rules.
function drawing(svg, caption) {
  const parsed = new DOMParser().parseFromString(svg.replace(/<style>[^]*?<\/style>/g, ""), "image/svg+xml");
  const figure = element("figure", {}, element("figcaption", {}, caption));
  if (parsed.documentElement.nodeName === "svg") {
    const picture = document.importNode(parsed.documentElement, true);
    if (Number(picture.getAttribute("width")) > 900) {
      figure.classList.add("wide"); // too small to read otherwise: it is scrolled, by keys, too
      figure.setAttribute("tabindex", "0");
      figure.setAttribute("role", "group");
      figure.setAttribute("aria-label", caption);
    }
    figure.append(picture);
  }
  return figure;
}

function picture(answer) {
  const found = answer.pictures ?? { inputs: {} };
  const figures = [];
  if (found.value) figures.push(drawing(found.value, "the value"));
  for (const [name, svg] of Object.entries(found.inputs)) {
    figures.push(drawing(svg, answer.gradient?.[name] ? `${name}, its arcs as wide as their gradients` : name));
  }
  if (answer.value?.type === "graph") figures.push(arcs("the value's arcs", answer.value, null));
  return figures;
}

const label = (graph, number) => (number < 0 ? "ε" : graph.symbols?.[number] ?? String(number));

// A table of arcs, with a bar for each arc's gradient.
function arcs(caption, graph, gradient) {
  const most = Math.max(...(gradient ?? []).map((value) => Math.abs(Number(value) || 0)), 1e-300);
  const names = ["arc", "from", "to", "label", "weight", ...(gradient ? ["gradient", ""] : [])];
  const body = graph.arcs.slice(0, MOST_ROWS).map(([from, to, input, output, weight], at) => {
    const shown = graph.is_acceptor ? label(graph, input) : `${label(graph, input)}:${label(graph, output)}`;
    const cells = [at, from, to, shown, shorten(weight)];
    if (gradient) cells.push(shorten(gradient[at] ?? ""));
    const row = element("tr", {}, ...cells.map((cell) => element("td", {}, String(cell))));
    if (gradient) row.append(bar(gradient[at], most));
    return row;
  });
  const rest = graph.n_arcs - body.length;
  return element("div", {},
    element("table", {}, element("caption", {}, `${caption}: starts ${graph.start.join(" ") || "none"}, accepts ${graph.accept.join(" ") || "none"}`),
      element("thead", {}, element("tr", {}, ...names.map((name) => element("th", { scope: "col" }, name)))),
      element("tbody", {}, ...body)),
    rest > 0 ? element("p", { class: "quiet" }, `… and ${plural(rest, "more arc")}`) : null);
}

function bar(value, most) {
  const inner = element("div", { class: Number(value) < 0 ? "down" : "" });
  inner.style.width = `${(100 * Math.abs(Number(value) || 0)) / most}%`;
  return element("td", { class: "bar", "aria-hidden": "true" }, inner);
}

// Derivatives by dense scores: frames are rows.
function cells(caption, values) {
  const numbers = values.flat().map((value) => Math.abs(Number(value) || 0));
  const most = numbers.reduce((a, b) => Math.max(a, b), 1e-300);
  const rows = values.slice(0, MOST_ROWS).map((frame, at) => element("tr", {}, element("th", { scope: "row" }, String(at)),
    ...frame.slice(0, 40).map((value) => {
      const cell = element("td", {}, shorten(typeof value === "number" ? Number(value.toPrecision(4)) : value));
      const share = Math.round((70 * Math.abs(Number(value) || 0)) / most);
      cell.style.background = `color-mix(in srgb, var(--${Number(value) < 0 ? "down" : "up"}) ${share}%, transparent)`;
      return cell;
    })));
  return element("table", {}, element("caption", {}, caption), element("tbody", {}, ...rows));
}

function gradient(answer) {
  const given = answer.gradient ?? {};
  const graphs = Object.fromEntries((answer.trace ?? []).filter((node) => node.inputs.length === 0).map((node) => [node.name, node.value]));
  return Object.entries(given).map(([name, { of, values }]) => {
    const title = `gradient with respect to ${name}`;
    if (of === "number") return element("p", {}, `${title}: `, element("span", { class: "number" }, shorten(values)));
    if (of === "scores") return cells(title, values);
    if (of === "arcs" && graphs[name]?.type === "graph") return arcs(title, graphs[name], values);
    return element("p", {}, `${title}: ${values.map(shorten).join(", ")}`);
  });
}

function computation(answer) {
  if (!answer.trace) return [];
  const parts = [];
  if (answer.computation) parts.push(drawing(answer.computation, "what is computed from what, with values, and gradients as widths"));
  const rows = answer.trace.map((node) => {
    const value = node.value.type === "score" ? node.value.text.replace(/^-/, "−") : `${plural(node.value.n_states, "state")}, ${plural(node.value.n_arcs, "arc")}`;
    const slope = Array.isArray(node.gradient) ? "" : shorten(node.gradient ?? "");
    return element("tr", {}, element("td", { class: "word" }, node.name), element("td", { class: "word" }, node.name === node.expression ? "input" : node.expression),
      element("td", {}, value), element("td", {}, slope));
  });
  const head = ["", "is", "value", "gradient"].map((name) => element("th", { scope: "col" }, name));
  parts.push(element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows)));
  if (answer.equation?.latex) parts.push(element("h2", {}, "In LaTeX"), element("pre", { tabindex: "0" }, answer.equation.latex));
  return parts;
}
