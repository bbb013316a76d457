// The cards in which inputs are typed, one for each input of the equation as it stands.

const FORMS = [
  ["auto", "as typed"], ["scores", "scores, a frame a line"], ["gtn", "GTN"], ["openfst", "OpenFst's text"],
  ["k2", "k2"], ["arpa", "ARPA"], ["json", "JSON"],
];
const SUFFIXES = {
  gtn: "gtn", txt: "gtn", att: "openfst", k2: "k2", arpa: "arpa", json: "json", fst: "fst", npz: "npz", npy: "npy",
};
const BINARY = ["fst", "npz", "npy"];
const HINTS = {
  graph: 'literals, such as "cat" + "dog"⟨-1⟩ or re"a|b*"; or a graph: 0 1 a 0.5; 1 2 b; 2',
  score: "a number, such as 0.5",
  mapping: "labels to labels, such as 97:98, 99:100",
};
const MOST_BYTES = 1.4e6;

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export class Inputs {
  // root: where the cards go; changed(): called after every change, whose result is in `values`.
  constructor(root, changed) {
    this.root = root;
    this.changed = changed;
    this.values = {}; // by name: {t: text, f: form} or {b: base64, f: form, n: file's name}
    this.types = {};
  }

  set(values) {
    this.values = values;
    this.types = {};
    this.root.replaceChildren();
  }

  // Have a card for each of these inputs, in their order; those that stay keep focus and text.
  show(types) {
    const names = Object.keys(types);
    for (const card of [...this.root.children]) {
      const name = card.dataset.name;
      if (types[name] !== this.types[name]) card.remove();
    }
    names.forEach((name, at) => {
      let card = [...this.root.children].find((each) => each.dataset.name === name);
      if (!card) card = this.card(name, types[name]);
      if (this.root.children[at] !== card) this.root.insertBefore(card, this.root.children[at] ?? null);
    });
    this.types = types;
  }

  card(name, type) {
    const value = this.values[name] ?? { t: "" };
    const id = `input-${name}`;
    const card = element("div", { class: "input" });
    card.dataset.name = name;
    const change = (next) => {
      this.values[name] = next;
      this.changed();
    };
    const redraw = (next) => {
      change(next);
      card.replaceWith(this.card(name, type));
      document.getElementById(id)?.focus();
    };
    const head = element("div", { class: "head" }, element("label", { for: id }, `${name} `, element("span", { class: "quiet" }, type)));
    const shared = { id, "aria-describedby": `${id}-error`, spellcheck: "false", autocomplete: "off", autocapitalize: "off", placeholder: HINTS[type] };
    let field;
    if (value.b !== undefined) {
      field = element("div", { id, tabindex: "-1" }, `the file ${value.n} (${value.f}) `, element("button", { type: "button", onclick: () => redraw({ t: "" }) }, "Remove"));
    } else if (type === "graph") {
      field = element("textarea", { ...shared, rows: String(Math.min(8, Math.max(2, value.t.split("\n").length, value.t.length / 36))) });
    } else {
      field = element("input", { ...shared, type: "text" });
    }
    if (value.b === undefined) {
      field.value = value.t;
      field.addEventListener("input", () => change({ ...this.values[name], t: field.value }));
    }
    if (type === "graph" && value.b === undefined) {
      const form = element("select", { "aria-label": `form of ${name}`, onchange: () => change({ ...(this.values[name] ?? { t: "" }), f: form.value }) },
        ...FORMS.map(([key, text]) => element("option", { value: key }, text)));
      form.value = value.f ?? "auto";
      const file = element("input", { type: "file", "aria-label": `read ${name} from a file`, onchange: () => file.files[0] && this.read(name, file.files[0], redraw) });
      head.append(element("span", { class: "actions" }, form, element("label", { class: "file" }, element("span", {}, "File …"), file)));
    }
    card.append(head, field, element("div", { id: `${id}-error`, class: "error", role: "alert", hidden: true }));
    return card;
  }

  async read(name, file, redraw) {
    const form = SUFFIXES[file.name.split(".").pop().toLowerCase()] ?? "npz";
    if (file.size > MOST_BYTES) {
      showError(`input-${name}`, { message: `${file.name} has ${file.size} bytes; files may have at most ${MOST_BYTES} here`, hint: "in Python there is no such limit" });
      return;
    }
    if (BINARY.includes(form)) {
      const bytes = new Uint8Array(await file.arrayBuffer());
      let text = "";
      for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
      redraw({ b: btoa(text), f: form, n: file.name });
    } else {
      redraw({ t: await file.text(), f: form });
    }
  }

  // What a request holds of them.
  request() {
    const found = {};
    for (const name of Object.keys(this.values)) {
      const value = this.values[name];
      found[name] = value.b !== undefined ? { base64: value.b, form: value.f } : { text: value.t, form: value.f ?? "auto" };
    }
    return found;
  }
}

// An error under the field that it is in; null: there is none.
export function showError(id, error) {
  const box = document.getElementById(`${id}-error`);
  const field = document.getElementById(id);
  if (!box) return false;
  box.hidden = error === null;
  if (error === null) field?.removeAttribute("aria-invalid");
  else field?.setAttribute("aria-invalid", "true");
  box.replaceChildren(...(error === null ? [] : errorParts(error)));
  return true;
}

export function errorParts(error) {
  const parts = [element("p", {}, error.message)];
  if (error.excerpt) parts.push(element("pre", {}, error.excerpt));
  if (error.hint) parts.push(element("p", {}, `hint: ${error.hint}`));
  return parts;
}
