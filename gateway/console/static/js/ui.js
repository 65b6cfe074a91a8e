// Small parts that every page is made of. `make` builds elements from plain values: text is always text, never markup.

import { word } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const DRAWN = new Set(["svg", "g", "path", "rect", "line", "circle", "text", "title", "polyline"]);

export function make(tag, given = {}, ...inside) {
  const element = DRAWN.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "disabled") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...inside.flat().filter((one) => one !== null && one !== undefined && one !== false));
  return element;
}

export function note(text, bad = false) {
  const shown = make("div", { class: bad ? "bad" : "" }, text);
  const notes = document.getElementById("notes");
  notes.append(shown);
  while (notes.childElementCount > 3) notes.firstElementChild.remove();
  setTimeout(() => shown.remove(), bad ? 8000 : 4000);
}

// Do what a person asked for; what goes wrong is said where he looks.
export async function attempt(act, done) {
  try { const found = await act(); if (done) note(done); return found; } catch (error) { note(error.message, true); return undefined; }
}

export const time = (text) => (text ? new Date(text).toLocaleString(document.documentElement.lang === "zh" ? "zh-CN" : undefined) : "");
export const clock = (text) => (text ? new Date(text).toLocaleTimeString() : "");
export const seconds = (value) => (value === null || value === undefined ? "" : `${Math.floor(value / 60)}:${String(Math.floor(value % 60)).padStart(2, "0")}`);
export const size = (bytes) => (bytes > 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.ceil(bytes / 1000)} kB`);

const MOODS = { done: "good", approved: "good", normal: "good", up: "good", ready: "good", talking: "good", registered: "good", sent: "good",
  dead: "bad", rejected: "bad", failed: "bad", down: "bad", suspended: "bad", unavailable: "bad", review: "warn", waiting: "warn", held: "warn", ringing: "warn",
  frozen: "warn" };
export const tag = (state) => make("span", { class: `tag ${MOODS[state] || "soft"}` }, word(String(state)));

export const link = (session) => make("a", { href: `#/call/${encodeURIComponent(session)}`, class: "mono" }, session.slice(0, 10));
export const mono = (text) => make("span", { class: "mono" }, text);
export const sum = (texts) => texts.filter(Boolean).join(" · ");

export function button(text, act, kind = "") { return make("button", { type: "button", class: kind, onclick: act }, text); }

// Fields: [name, label, kind, options]; kind: text, number, tick, choice, lines, date, file. Gives an object of what was filled in.
export function form(fields, submit, act, given = {}) {
  const inputs = {};
  const rows = fields.map(([name, label, kind = "text", options]) => {
    let input;
    if (kind === "choice") input = make("select", { name }, options.map((one) => make("option", { value: one }, one === "" ? "" : word(one))));
    else if (kind === "lines") input = make("textarea", { name, rows: 4, cols: 28 });
    else if (kind === "tick") input = make("input", { name, type: "checkbox" });
    else input = make("input", { name, type: kind === "date" ? "date" : kind === "time" ? "datetime-local" : kind, autocomplete: "off" });
    if (given[name] !== undefined && given[name] !== null) input[kind === "tick" ? "checked" : "value"] = given[name];
    inputs[name] = [input, kind];
    return kind === "tick" ? make("label", { class: "tick" }, input, word(label)) : make("label", {}, word(label), input);
  });
  const read = () => Object.fromEntries(Object.entries(inputs).map(([name, [input, kind]]) => {
    if (kind === "tick") return [name, input.checked];
    if (kind === "number") return [name, input.value === "" ? "" : Number(input.value)];
    if (kind === "file") return [name, input.files[0]];
    if (kind === "lines") return [name, input.value.split(/[\s,;]+/).filter(Boolean)];
    if (kind === "time") return [name, input.value ? new Date(input.value).toISOString() : ""];
    return [name, input.value.trim()];
  }));
  const made = make("form", { class: "row", onsubmit: (event) => { event.preventDefault(); act(read()); } },
    rows, make("button", { type: "submit", class: "main" }, word(submit)));
  made.read = read;
  return made;
}

export function ask(title, inside) {
  const box = make("dialog", { "aria-label": title });
  const close = () => box.close();
  box.addEventListener("close", () => box.remove());  // by the Escape key too
  box.append(make("div", { class: "row" }, make("h2", {}, title)), inside(close), make("div", { class: "row" }, button(word("close"), close)));
  document.body.append(box);
  box.showModal();
  return close;
}

export async function sure(text) {
  return new Promise((resolve) => {
    ask(text, (close) => make("div", { class: "row" },
      button(word("yes"), () => { close(); resolve(true); }, "main"), button(word("no"), () => { close(); resolve(false); })));
  });
}

export function rows(columns, items, actions) {
  const head = make("tr", {}, columns.map(([label]) => make("th", { scope: "col" }, word(label))), actions ? make("th", { scope: "col" }, word("actions")) : null);
  const body = items.map((item) => make("tr", {},
    columns.map(([, show, kind]) => { const value = typeof show === "function" ? show(item) : item[show];
      return make("td", { class: kind || "" }, value === null || value === undefined ? "" : value instanceof Node ? value : String(value)); }),
    actions ? make("td", { class: "act" }, actions(item)) : null));
  const empty = make("tr", {}, make("td", { colspan: columns.length + 1, class: "soft" }, word("nothing here")));
  return make("div", { class: "wide" }, make("table", {}, make("thead", {}, head), make("tbody", {}, body.length ? body : empty)));
}
