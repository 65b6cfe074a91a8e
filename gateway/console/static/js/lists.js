// A page that is a list: its path in /v1, filters, columns, and what can be done. `lists` has one row a page.

import { may, session, v1 } from "./api.js";
import { word } from "./words.js";
import { recordings } from "./recordings.js";
import { ask, attempt, button, form, link, make, mono, note, rows, seconds, size, sum, sure, tag, time } from "./ui.js";

const stateOf = (a) => (a.suspended ? "suspended" : a.frozen ? "frozen" : a.enabled ? "normal" : "unavailable");
const yes = (value) => (value ? "●" : "");

export async function listPage(page, query = {}) {
  const results = make("div");
  let wanted = { ...query }, after = "", items = [];
  const draw = () => {
    results.replaceChildren(rows(page.columns, items, page.actions && ((item) => page.actions(item, load))),
      after ? button(word("more"), () => load(false)) : "");
  };
  async function load(anew = true) {
    const found = await attempt(() => v1.get(page.path, { ...page.fixed, ...wanted, limit: 50, after: anew ? "" : after }));
    if (!found) return;
    items = anew ? found.items : [...items, ...found.items];
    after = found.next || "";
    draw();
  }
  const filters = (page.filters || []).filter(([name]) => name !== "number" || may("REVEAL"));
  const search = filters.length ? form(filters, "search", (given) => { wanted = given; load(); }, query) : null;
  await load();
  return make("div", {}, make("h1", {}, word(page.title)), page.hint ? make("p", { class: "hint" }, word(page.hint)) : null,
    page.tools ? make("div", { class: "row" }, page.tools(load)) : null, search, results);
}

const adding = (text, fields, path, shape = (given) => given) => (load) => button(word(text), () => {
  ask(word(text), (close) => form(fields, "save", async (given) => {
    const clean = Object.fromEntries(Object.entries(shape(given)).filter(([, value]) => value !== "" && value !== undefined));
    const made = await attempt(() => v1.post(path, clean), word("done"));
    if (made !== undefined) { close(); load(); if (made && made.secret) note(`${word("secret")}: ${made.secret}`); }
  }));
}, "main");

// What can be changed stands there already; what was changed is sent. `shape` makes of what was filled in what the API takes.
const differs = (before, after) => after !== undefined && JSON.stringify(before ?? (typeof after === "boolean" ? false : "")) !== JSON.stringify(after);
const editing = (fields, path, given, load, shape = (filled) => filled) => button(word("edit"), () => {
  ask(word("edit"), (close) => form(fields, "save", async (filled) => {
    const changes = Object.fromEntries(Object.entries(shape(filled)).filter(([name, value]) => differs(given[name], value)));
    if (await attempt(() => v1.patch(path, changes), word("done"))) { close(); load(); }
  }, given));
});

const act = (text, work, load, kind = "") => button(word(text), async () => { await attempt(work, word("done")); load(); }, kind);
const doubly = (text, work, load) => button(word(text), async () => { if (await sure(`${word(text)}?`)) { await attempt(work, word("done")); load(); } }, "danger");

// What is typed into a phone; its password is told this once.
const typedIn = (sheet) => ask(word("what to type in"), () => make("div", {}, make("dl", {}, [["number", sheet.number], ["SIP server", sheet.server],
  ["transport and port", sheet.ways.join(", ")], ["user", sheet.user], ["password", sheet.password]].flatMap(([label, value]) => [make("dt", {}, word(label)), make("dd", {}, mono(value))])),
  make("p", { class: "hint" }, word("secrets are shown once"))));

// What a contact is told of by e-mail.
const NOTICES = ["orders", "tones", "enterprises", "numbers", "deadletters"], NOTICE_WORDS = { deadletters: "undelivered events" };
const noticeWord = (name) => NOTICE_WORDS[name] || name;
const CONTACT = [["name", "name"], ["email", "e-mail"], ["phone", "phone number"], ...NOTICES.map((name) => [name, noticeWord(name), "tick"])];
const contactOf = (g) => ({ name: g.name, email: g.email, phone: g.phone, enterprise: g.enterprise, notices: NOTICES.filter((name) => g[name]) });
const rejecting = (path, load) => button(word("reject"), () => ask(word("reject"), (close) => form([["reason", "reason"]], "reject", async (g) => {
  await attempt(() => v1.post(path, g), word("done")); close(); load(); })));

export const lists = {
  recordings,
  calls: {
    title: "calls", path: "/cdrs", group: "watch", permission: "RECORDS",
    filters: [["application", "application"], ["x", "X"], ["number", "number"], ["since", "since", "time"], ["before", "before", "time"], ["result", "cause", "number"]],
    columns: [["started", (c) => time(c.started), "n"], ["session", (c) => link(c.session)], ["application", "application"], ["mode", "mode"],
      ["caller", "caller", "n"], ["X", "x", "n"], ["callee", "callee", "n"], ["duration", (c) => seconds(c.answered ? c.seconds : null), "n"],
      ["cause", (c) => make("span", { class: c.cause ? "bad" : "good", title: c.cause_text }, String(c.cause))],
      ["quality", (c) => mos(c.quality)], ["recorded", (c) => yes(c.recording)]],
    tools: () => [make("a", { href: v1.address("/cdrs/export", { form: "csv" }), download: "calls.csv" }, word("download csv"))],
  },
  bindings: {
    title: "bindings", path: "/bindings", group: "manage", permission: "READ",
    filters: [["application", "application"], ["x", "X"], ["number", "number"]],
    columns: [["created", (b) => time(b.created_at), "n"], ["application", "application"], ["mode", "mode"], ["X", "x", "n"], ["A", "a", "n"], ["B", "b", "n"],
      ["Y", "y", "n"], ["extension", "extension", "n"], ["recorded", (b) => yes(b.record)], ["expires", (b) => time(b.expires_at), "n"]],
    tools: (load) => may("MANAGE") ? [adding("bind", [["application", "application"], ["a", "A"], ["b", "B"], ["x", "X"], ["area_code", "area code"],
      ["extension", "extension"], ["minutes", "minutes", "number"], ["record", "recorded", "tick"]], "/bindings")(load)] : [],
    actions: (b, load) => [
      ...(may("RECORDS") && may("REVEAL") ? [make("a", { href: `#/explain?${new URLSearchParams({ caller: b.a, called: b.x })}`, class: "button" }, word("dry run"))] : []),
      ...(may("MANAGE") ? [doubly("end", () => v1.remove(`/bindings/${b.id}`), load)] : [])],
  },
  numbers: {
    title: "numbers", path: "/numbers", group: "manage", permission: "READ",
    filters: [["application", "application"], ["x", "X"], ["area_code", "area code"], ["status", "status", "choice", ["", "normal", "suspended", "frozen", "unavailable"]]],
    columns: [["X", "x", "n"], ["application", "application"], ["area code", "area_code"], ["province", "province"], ["status", (n) => tag(n.status)],
      ["SMS", (n) => yes(n.sms)], ["bindings", "bindings", "n"]],
    tools: (load) => may("OPERATE") ? [adding("add", [["application", "application"], ["area_code", "area code"], ["numbers", "numbers", "lines"]], "/numbers/import",
      (g) => ({ application: g.application, numbers: g.numbers.map((x) => ({ x, area_code: g.area_code })) }))(load)] : [],
    actions: (n, load) => may("OPERATE") ? [n.status === "normal"
      ? act("suspend", () => v1.post("/numbers/status", { numbers: [n.x], status: "suspended" }), load)
      : act("resume", () => v1.post("/numbers/status", { numbers: [n.x], status: "normal" }), load)] : [],
  },
  orders: {
    title: "orders", path: "/orders", group: "manage", permission: "READ",
    filters: [["application", "application"], ["state", "state", "choice", ["", "review", "rejected", "processing", "done"]]],
    columns: [["created", (o) => time(o.created_at), "n"], ["application", "application"], ["area code", "area_code"], ["number", "count", "n"], ["state", (o) => tag(o.state)], ["reason", "reason"]],
    actions: (o, load) => may("REVIEW") && o.state === "review" ? [act("approve", () => v1.bare(`/orders/${o.id}/approve`), load),
      rejecting(`/orders/${o.id}/reject`, load)] : [],
  },
  tones: {
    title: "tones", path: "/tones", group: "manage", permission: "READ",
    filters: [["application", "application"], ["name", "name"], ["state", "state", "choice", ["", "review", "approved", "rejected"]]],
    columns: [["name", (t) => mono(t.name)], ["application", "application"], ["state", (t) => tag(t.state)], ["reason", "reason"],
      ["duration", (t) => `${t.seconds.toFixed(1)} s`, "n"], ["size", (t) => size(t.size), "n"], ["created", (t) => time(t.uploaded_at), "n"]],
    tools: (load) => may("MANAGE") ? [button(word("upload"), () => ask(word("upload"), (close) => form(
      [["application", "application"], ["name", "name"], ["file", "file", "file"]], "upload", async (g) => {
        if (!g.file) return;
        if (await attempt(() => v1.upload("/tones", g.file, { application: g.application, name: g.name || g.file.name }), word("done"))) { close(); load(); }
      })), "main")] : [],
    actions: (t, load) => [make("audio", { controls: true, preload: "none", "aria-label": `${word("hear")} ${t.name}`, src: v1.address("/tones/sound", { application: t.application, name: t.name, version: t.version }) }),
      ...(may("REVIEW") && t.state === "review" ? [act("approve", () => v1.bare("/tones/approve", { application: t.application, name: t.name }), load),
        button(word("reject"), () => ask(word("reject"), (close) => form([["reason", "reason"]], "reject", async (g) => {
          await attempt(() => v1.post("/tones/reject", g, { application: t.application, name: t.name }), word("done")); close(); load(); })))] : []),
      ...(may("MANAGE") ? [doubly("remove", () => v1.remove("/tones", { application: t.application, name: t.name }), load)] : [])],
  },
  ledger: {
    title: "events", path: "/ledger", group: "watch", permission: "RECORDS",
    filters: [["application", "application"], ["session", "session"], ["kind", "kind", "choice", ["", "callin", "collectInfo", "callout", "alerting", "answer", "disconnect", "fee", "sms", "numStatus", "question"]],
      ["state", "state", "choice", ["", "waiting", "done", "dead"]]],
    columns: [["created", (e) => time(e.created_at), "n"], ["kind", "kind"], ["application", "application"], ["session", (e) => link(e.session)], ["state", (e) => tag(e.state)],
      ["tries", "tries", "n"], ["due", (e) => (e.state === "waiting" ? time(e.due_at) : ""), "n"]],
    actions: (e, load) => [button(word("attempts"), () => showEntry(e.id)),
      ...(may("MANAGE") && e.state !== "waiting" ? [act("replay", () => v1.post("/ledger/replay", { ids: [e.id] }), load)] : [])],
  },
  messages: {
    title: "messages", path: "/messages", group: "watch", permission: "RECORDS",
    filters: [["application", "application"], ["x", "X"], ["number", "number"], ["since", "since", "time"], ["before", "before", "time"], ["result", "result", "number"]],
    columns: [["time", (m) => time(m.at), "n"], ["application", "application"], ["sender", "sender", "n"], ["X", "x", "n"], ["receiver", "receiver", "n"], ["parts", "parts", "n"],
      ["result", (m) => make("span", { class: m.result ? "bad" : "good" }, String(m.result))]],
  },
  enterprises: {
    title: "enterprises", path: "/enterprises", group: "manage", permission: "READ",
    filters: [["state", "state", "choice", ["", "review", "approved", "rejected", "suspended"]]],
    columns: [["ID", "id"], ["name", "name"], ["state", (e) => tag(e.state)], ["reason", "reason"]],
    tools: (load) => may("OPERATE") ? [adding("add", [["id", "ID"], ["name", "name"]], "/enterprises")(load)] : [],
    actions: (e, load) => [...(may("MANAGE") ? [editing([["name", "name"], ...(may("OPERATE") ? [["max_applications", "most applications", "number"]] : [])], `/enterprises/${e.id}`, e, load)] : []),
      ...(may("REVIEW") && e.state === "review" ? [act("approve", () => v1.bare(`/enterprises/${e.id}/approve`), load), rejecting(`/enterprises/${e.id}/reject`, load)] : []),
      ...(may("OPERATE") ? [e.state === "approved" ? doubly("suspend", () => v1.post(`/enterprises/${e.id}/suspend`, { reason: "console" }), load) : null,
      e.state === "suspended" ? act("resume", () => v1.bare(`/enterprises/${e.id}/resume`), load) : null].filter(Boolean) : [])],
  },
  applications: {
    title: "applications", path: "/applications", group: "manage", permission: "READ",
    filters: [["enterprise", "enterprise"], ["mode", "mode", "choice", ["", "AXB", "AX", "AXE", "AXYB", "X"]]],
    columns: [["APP_Key", (a) => mono(a.key)], ["name", "name"], ["mode", "mode"], ["enterprise", "enterprise"], ["state", (a) => tag(stateOf(a))]],
    tools: (load) => may("OPERATE") ? [adding("add", [["mode", "mode", "choice", ["AXB", "AX", "AXE", "AXYB", "X"]], ["enterprise", "enterprise"], ["name", "name"]], "/applications")(load)] : [],
    actions: (a, load) => [...(may("MANAGE") && a.origin === "api" ? [
      editing([["name", "name"], ["waiting", "waiting tone"], ["notice", "notice"], ...(may("OPERATE") ? [["enabled", "enabled", "tick"], ["frozen", "frozen", "tick"]] : [])], `/applications/${a.key}`, { ...a.settings, ...a }, load),
      button(word("new secret"), async () => {
        if (!await sure(`${word("new secret")}?`)) return;
        const made = await attempt(() => v1.bare(`/applications/${a.key}/secret`));
        if (made) ask(word("secret"), () => make("div", {}, mono(made.secret), make("p", { class: "hint" }, word("secrets are shown once")))); })] : []),
    button(word("address"), () => showAddresses(a.key)), make("a", { href: `#/numbers?application=${encodeURIComponent(a.key)}` }, word("numbers"))],
  },
  contacts: {
    title: "contacts", path: "/contacts", group: "manage", permission: "MANAGE",
    filters: [["enterprise", "enterprise"]],
    columns: [["name", "name"], ["e-mail", "email"], ["phone number", "phone"], ["enterprise", "enterprise"], ["told of", (c) => c.notices.map((name) => word(noticeWord(name))).join(", ")]],
    hint: "Who is told by e-mail, and of what",
    tools: (load) => [adding("add", [...(session.who.enterprise ? [] : [["enterprise", "enterprise"]]), ...CONTACT], "/contacts", contactOf)(load)],
    actions: (c, load) => [
      editing(CONTACT, `/contacts/${c.id}`, { ...c, ...Object.fromEntries(c.notices.map((name) => [name, true])) }, load, contactOf),
      doubly("remove", () => v1.remove(`/contacts/${c.id}`), load)],
  },
  lists: {
    title: "lists", path: "/lists", group: "manage", permission: "MANAGE",
    filters: [["application", "application"], ["kind", "kind", "choice", ["", "black", "white"]], ["party", "party", "choice", ["", "caller", "callee"]], ["number", "number"]],
    columns: [["kind", (l) => word(l.kind)], ["party", (l) => word(l.party)], ["number", "number", "n"], ["application", "application"], ["reason", "note"]],
    tools: (load) => may("MANAGE") ? [adding("add", [["application", "application"], ["kind", "kind", "choice", ["black", "white"]], ["party", "party", "choice", ["caller", "callee"]],
      ["numbers", "numbers", "lines"]], "/lists")(load)] : [],
    actions: (l, load) => may("MANAGE") && may("REVEAL") ? [doubly("remove", () => v1.post("/lists/remove", { kind: l.kind, party: l.party, numbers: [l.number],
      ...(l.application ? { application: l.application } : {}) }), load)] : [],
  },
  trunks: {
    title: "trunks", path: "/trunks", group: "operate", permission: "AUDIT",
    columns: [["trunk", "name"], ["peers", (t) => make("div", {}, t.peers.map((p) => make("div", {}, mono(p.address), " ", tag(p.state), p.rests_until ? ` 503, ${time(p.rests_until)}` : "")))],
      ["registration", (t) => (t.registration ? tag(t.registration) : "")], ["calls in", "calls_in", "n"], ["calls out", "calls_out", "n"], ["reason", (t) => t.account_problem]],
  },
  phones: {
    title: "phones", path: "/phones", group: "operate", permission: "OPERATE",
    hint: "Softphones and browsers that register here as a number, and so are A or B",
    columns: [["number", "number", "n"], ["registered at", (p) => make("div", {}, p.registered.map((one) => make("div", {}, mono(one.at), ` ${one.node}, ${time(one.until)}`)))],
      ["realm", "realm"], ["created", (p) => time(p.created_at), "n"]],
    tools: (load) => [button(word("add"), () => ask(word("add"), (close) => form([["number", "number", "tel"]], "save", async (g) => {
      const made = await attempt(() => v1.post("/phones", g));
      if (made) { close(); load(); typedIn(made); } })), "main")],
    actions: (p, load) => may("REVEAL") ? [
      button(word("new password"), async () => {
        if (!await sure(`${word("new password")}?`)) return;
        const made = await attempt(() => v1.post("/phones/password", { number: p.number }));
        if (made) typedIn(made); }),
      doubly("remove", () => v1.post("/phones/remove", { number: p.number }), load)] : [],
  },
  bans: {
    title: "bans", path: "/bans", group: "operate", permission: "OPERATE",
    columns: [["source", (b) => mono(b.source)], ["why", "why"], ["since", (b) => time(b.since), "n"], ["until", (b) => time(b.until), "n"]],
    actions: (b, load) => may("OPERATE") ? [act("lift", () => v1.remove("/bans", { source: b.source }), load)] : [],
  },
  audit: {
    title: "audit log", path: "/audit", group: "operate", permission: "AUDIT",
    filters: [["action", "action"], ["subject", "subject"], ["since", "since", "time"], ["before", "before", "time"]],
    columns: [["time", (a) => time(a.at), "n"], ["who", (a) => sum([a.actor, a.role, a.source])], ["action", (a) => mono(a.action)], ["subject", (a) => mono(a.subject)],
      ["detail", (a) => make("code", {}, typeof a.detail === "string" ? a.detail : JSON.stringify(a.detail))]],
  },
};

export function mos(quality) {
  const values = legs(quality).map((leg) => leg.mos).filter((one) => typeof one === "number");
  if (!values.length) return "";
  const worst = Math.min(...values);
  return make("span", { class: mark(worst) }, worst.toFixed(1));
}
export const mark = (value) => (value >= 4 ? "good" : value >= 3.1 ? "warn" : "bad");
const legs = (quality) => (quality ? [quality.caller, quality.callee].filter(Boolean) : []);

async function showEntry(id) {
  const entry = await attempt(() => v1.get(`/ledger/${id}`));
  if (!entry) return;
  ask(`${entry.kind} · ${entry.session.slice(0, 10)}`, () => make("div", {},
    rows([["time", (a) => time(a.at), "n"], ["result", (a) => make("span", { class: a.status >= 200 && a.status < 300 ? "good" : "bad" }, String(a.status || a.error))],
      ["duration", (a) => `${Math.round(a.seconds * 1000)} ms`, "n"], ["detail", (a) => a.answer]], entry.attempts),
    make("pre", {}, JSON.stringify(entry.payload, null, 2))));
}

async function showAddresses(key) {
  const known = await attempt(() => v1.get(`/applications/${key}/addresses`));
  if (!known) return;
  const flat = Object.fromEntries(Object.entries(known).filter(([name, value]) => name.endsWith("_url") && (typeof value === "string" || value === null)));
  ask(`${word("address")} · ${key}`, (close) => form(Object.keys(flat).map((name) => [name, name]), "save", async (given) => {
    if (await attempt(() => v1.put(`/applications/${key}/addresses`, given), word("done"))) close();
  }, flat));
}
