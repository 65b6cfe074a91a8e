// The SIP of single calls: what is traced now, begun and ended here; what was traced, as a ladder or for Wireshark.

import { may, v1 } from "./api.js";
import { word } from "./words.js";
import { ask, attempt, button, form, link, make, rows, time } from "./ui.js";

// A call's messages on three lines, caller, gateway and callee; each opens by click or key.
export function ladder(trace) {
  const WIDTH = 640, ROW = 24, lines = { caller: 90, gateway: 320, callee: 550 };
  const height = 46 + trace.messages.length * ROW, begin = trace.messages.length ? new Date(trace.messages[0].at).getTime() : 0;
  const inside = Object.entries(lines).flatMap(([name, x]) => [make("text", { x, y: 14, "text-anchor": "middle", class: "soft" }, word(name)),
    make("line", { class: "axis", x1: x, x2: x, y1: 20, y2: height })]);
  trace.messages.forEach((one, place) => {
    const y = 44 + place * ROW, right = (one.leg === "callee") === one.sent;
    const [left, other] = one.leg === "caller" ? [lines.caller, lines.gateway] : [lines.gateway, lines.callee];
    const tip = right ? other : left, name = `${((new Date(one.at).getTime() - begin) / 1000).toFixed(3)} s ${one.title}`;
    const open = () => ask(name, () => make("div", {}, make("p", { class: "hint" }, `${one.transport} ${one.sent ? one.here : one.peer} → ${one.sent ? one.peer : one.here}`), make("pre", {}, one.text)));
    inside.push(make("g", { class: "hit", tabindex: 0, role: "button", "aria-label": name, onclick: open,
      onkeydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); open(); } } },
    make("rect", { x: left, y: y - 15, width: other - left, height: ROW - 4, fill: "transparent" }),
    make("line", { class: one.leg, x1: left, x2: other, y1: y, y2: y }),
    make("path", { class: one.leg, d: right ? `M${tip} ${y}l-8 -4v8z` : `M${tip} ${y}l8 -4v8z` }),
    make("text", { x: (left + other) / 2, y: y - 4, "text-anchor": "middle" }, one.title.slice(0, 32)),
    make("text", { x: 4, y: y + 3, class: "soft" }, `${((new Date(one.at).getTime() - begin) / 1000).toFixed(3)}`)));
  });
  return make("div", { class: "timeline tall" }, make("svg", { viewBox: `0 0 ${WIDTH} ${height + 8}`, width: WIDTH, height: height + 8, role: "group", "aria-label": word("ladder") }, inside));
}

export async function showLadder(session) {
  const trace = await attempt(() => v1.get(`/traces/${encodeURIComponent(session)}`));
  if (trace) ask(`${word("ladder")} · ${session.slice(0, 10)}`, () => ladder(trace));
}

export const pcap = (session) => make("a", { href: v1.address(`/traces/${encodeURIComponent(session)}/pcap`), download: `${session.slice(0, 12)}.pcap`, class: "button" }, "pcap");

export async function tracesPage() {
  const now = make("div"), kept = make("div");
  const load = async () => {
    const [switches, traces] = await Promise.all([attempt(() => v1.get("/traces/switches")), attempt(() => v1.get("/traces"))]);
    if (!switches || !traces) return;
    now.replaceChildren(rows([["kind", (s) => word(s.kind)], ["value", "value", "n"], ["calls", (s) => (s.kind === "next" ? s.calls : ""), "n"], ["until", (s) => time(s.until), "n"]], switches.items,
      may("OPERATE") ? (s) => [button(word("end"), async () => { await attempt(() => v1.remove(`/traces/switches/${s.id}`), word("done")); load(); })] : null));
    kept.replaceChildren(rows([["started", (t) => time(t.started), "n"], ["session", (t) => link(t.session)], ["node", "node"], ["parts", "messages", "n"]], traces.items,
      (t) => [button(word("ladder"), () => showLadder(t.session)), pcap(t.session)]));
  };
  const begin = may("OPERATE") && form([["kind", "kind", "choice", ["next", "number", "call"]], ["value", "value"], ["minutes", "minutes", "number"]], "trace", async (given) => {
    const value = given.kind === "next" ? Number(given.value || 1) : given.value;
    if (await attempt(() => v1.post("/traces", { [given.kind]: value, minutes: given.minutes || 10 }), word("done"))) load();
  }, { minutes: 10 });
  await load();
  return make("div", {}, make("h1", {}, word("traces")), make("p", { class: "hint" }, word("next: so many calls of each node; number: a party's or an X; call: a session that stands")),
    begin || "", make("h2", {}, word("traced now")), now, make("h2", {}, word("traced calls")), make("div", { class: "row" }, button(word("look again"), load)), kept);
}
