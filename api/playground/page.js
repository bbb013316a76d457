// The page: its state (all of it in the address behind #), and requests, one at a time, as one types.

import { EXAMPLES } from "./examples.js";
import { Inputs, element, errorParts, showError } from "./inputs.js";
import { TABS, showPanel, showValue } from "./results.js";

const DELAY = 200; // milliseconds of silence before a request
const MOST_IN_ADDRESS = 60000;
const SIGNS = [
  ["∘", "composition"], ["∩", "intersection"], ["+", "union"], ["*", "closure"], ["⁺", "one or more"], ["⁻¹", "inverse"],
  ["⟨⟩", "weight paths", 1], ["ε", "empty string"], ["∅", "no string"], ['""', "string", 1], ["LSE[]", "forward score", 1],
  ["MAX[]", "best score", 1], ["PATH[]", "best path", 1], ["COUNT[]", "number of paths", 1],
];

const find = (id) => document.getElementById(id);
const equation = find("equation");
const symbols = find("symbols");
let tab = "picture";
let answer = { error: null, warnings: [], equation: null };
let shown = ""; // the tab whose panel is shown
let timer = 0;
let isBusy = false;
let isStale = false;

const inputs = new Inputs(find("inputs"), changed);

function state() {
  const held = { e: equation.value };
  const kept = Object.entries(inputs.values).filter(([, value]) => value.t || value.b);
  if (kept.length) held.i = Object.fromEntries(kept);
  if (symbols.value) held.s = symbols.value;
  if (tab !== "picture") held.v = tab;
  return held;
}

function encode(held) {
  const bytes = new TextEncoder().encode(JSON.stringify(held));
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function decode(text) {
  const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (character) => character.charCodeAt(0));
  return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
}

// Take a state as it is found in an address: anything may stand there.
function restore(held) {
  const text = (value) => (typeof value === "string" ? value : "");
  equation.value = text(held?.e);
  symbols.value = text(held?.s);
  find("table").open = symbols.value !== "";
  tab = TABS.some(([name]) => name === held?.v) ? held.v : "picture";
  const values = {};
  for (const [name, value] of Object.entries(held?.i ?? {})) {
    if (typeof value?.b === "string") values[name] = { b: value.b, f: text(value.f), n: text(value.n) };
    else values[name] = { t: text(value?.t), f: text(value?.f) || "auto" };
  }
  inputs.set(values);
  fit();
  showTabs();
  ask();
}

// As high as what is in it.
function fit() {
  const lines = equation.value.split("\n").reduce((sum, line) => sum + 1 + Math.floor(line.length / 40), 0);
  equation.rows = Math.min(12, Math.max(3, lines));
}

function note(text) {
  find("note").textContent = text;
}

function changed() {
  fit();
  remember();
  clearTimeout(timer);
  timer = setTimeout(ask, DELAY);
}

function remember() {
  const hash = encode(state());
  const fits = hash.length <= MOST_IN_ADDRESS;
  if (fits) history.replaceState(null, "", `#${hash}`);
  return fits;
}

async function ask() {
  clearTimeout(timer);
  if (isBusy) {
    isStale = true;
    return;
  }
  isBusy = true;
  document.body.classList.add("busy");
  do {
    isStale = false;
    const want = new Set(["value", "gradient", ...TABS.find(([name]) => name === tab)[2]]);
    if (tab === "gradient") want.add("trace");
    try {
      show(await request({ equation: equation.value, inputs: inputs.request(), symbols: symbols.value || null, want: [...want] }));
    } catch (error) {
      show({ error: { message: `there is no answer: ${error.message}`, where: null, hint: "is arcgrad serve still running?" }, warnings: [], equation: answer.equation });
    }
  } while (isStale);
  isBusy = false;
  document.body.classList.remove("busy");
}

async function request(body) {
  const response = await fetch("explore", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  if (!response.ok) throw new Error((await response.text()).trim() || `status ${response.status}`);
  return response.json();
}

function show(found) {
  answer = found;
  if (answer.equation) inputs.show(answer.equation.inputs);
  for (const box of document.querySelectorAll(".error[id]")) showError(box.id.replace(/-error$/, ""), null);
  const isEmpty = !equation.value.trim();
  const value = find("value");
  showValue(value, answer);
  if (isEmpty) {
    value.textContent = "Type an equation, or choose an example.";
  } else if (answer.error) {
    const { where, input } = answer.error;
    const id = where === "equation" ? "equation" : where === "symbols" ? "symbols" : input ? `input-${plain(input)}` : "";
    if (id === "symbols") find("table").open = true;
    if (!id || !showError(id, answer.error)) {
      value.replaceChildren(element("div", { class: "error", role: "alert" }, ...errorParts(answer.error)));
    }
  }
  find("warnings").replaceChildren(...answer.warnings.map((text) => element("p", {}, `note: ${text}`)));
  // While an equation is being typed, what its last whole form led to stays, paler.
  const isOld = answer.error?.where === "equation" && !answer.equation && !isEmpty && shown === tab;
  find("panel").classList.toggle("old", isOld);
  if (isOld) return;
  shown = tab;
  showPanel(find("panel"), tab, isEmpty ? { error: null, warnings: [] } : answer);
}

// The card of an input whose name was spelt in another way.
function plain(name) {
  return find(`input-${name}`) ? name : Object.keys(answer.equation?.inputs ?? {})[0] ?? name;
}

function showTabs() {
  find("tabs").replaceChildren(...TABS.map(([name, text]) => element("button", {
    type: "button", role: "tab", id: `tab-${name}`, "aria-controls": "panel", "aria-selected": String(name === tab),
    tabindex: name === tab ? "0" : "-1", onclick: () => choose(name), onkeydown: step,
  }, text)));
  find("panel").setAttribute("aria-labelledby", `tab-${tab}`);
}

function choose(name) {
  tab = name;
  showTabs();
  find(`tab-${name}`).focus();
  remember();
  ask();
}

function step(event) {
  const at = TABS.findIndex(([name]) => name === tab);
  const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: TABS.length - 1 }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  choose(TABS[(next + TABS.length) % TABS.length][0]);
}

function insert(text, back) {
  const { selectionStart: start, selectionEnd: end, value } = equation;
  const held = back ? text.slice(0, -back) + value.slice(start, end) + text.slice(-back) : text;
  equation.focus();
  equation.setRangeText(held, start, end, "end");
  if (back && start === end) equation.selectionStart = equation.selectionEnd = start + text.length - back;
  changed();
}

async function share() {
  if (!remember()) return note("The inputs are too long for a link.");
  try {
    await navigator.clipboard.writeText(location.href);
    note("Copied. After a restart: arcgrad serve LINK");
  } catch {
    note("The address above holds all that is on this page: copy it there.");
  }
}

function start() {
  find("signs").append(...SIGNS.map(([text, title, back]) => element("button", { type: "button", title, "aria-label": `${title}: ${text}`, onclick: () => insert(text, back) }, text)));
  const examples = find("examples");
  examples.append(...EXAMPLES.map(({ name }, at) => element("option", { value: String(at) }, name)));
  examples.addEventListener("change", () => {
    const chosen = EXAMPLES[examples.value];
    if (chosen) {
      restore(structuredClone(chosen.state));
      remember();
    }
  });
  equation.addEventListener("input", changed);
  symbols.addEventListener("input", changed);
  find("share").addEventListener("click", share);
  addEventListener("hashchange", fromAddress);
  fromAddress();
}

function fromAddress() {
  const hash = location.hash.slice(1);
  try {
    restore(hash ? decode(hash) : structuredClone(EXAMPLES[0].state));
  } catch {
    restore(structuredClone(EXAMPLES[0].state));
    note("The address holds no state that this page can read; here is an example instead.");
  }
}

start();
