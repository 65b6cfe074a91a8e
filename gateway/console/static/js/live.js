// The calls that stand, as they come and go.

import { follow, may, v1 } from "./api.js";
import { mark } from "./lists.js";
import { word } from "./words.js";
import { attempt, button, make, rows, seconds, sure, tag } from "./ui.js";

// How each leg is heard now: MOS, and the rest where one points at it.
function heard(sound) {
  if (!sound) return "";
  return make("span", {}, ["caller", "callee"].flatMap((leg) => {
    const one = sound[leg];
    if (!one || one.mos === null) return [];
    const said = [`${word(leg)}: MOS ${one.mos}`, `${word("loss")} ${one.lost_percent} %`, `${word("jitter")} ${one.jitter_ms} ms`, one.round_trip_ms === null ? "" : `${word("round trip")} ${one.round_trip_ms} ms`];
    return [make("span", { class: mark(one.mos), title: said.filter(Boolean).join(", ") }, one.mos.toFixed(1)), " "];
  }));
}

export function livePage(leave) {
  const figures = make("div", { class: "figures" }), table = make("div");
  let calls = [];
  const figure = (text, value) => make("div", {}, make("b", {}, String(value)), make("span", {}, word(text)));
  const since = (call) => (Date.now() - new Date(call.answered || call.started)) / 1000;
  const draw = () => {
    if (calls === null) { table.replaceChildren(make("p", { class: "bad" }, word("no answer from the node"))); return; }
    figures.replaceChildren(figure("standing calls", calls.length), figure("ringing now", calls.filter((c) => c.state === "ringing").length),
      figure("talking now", calls.filter((c) => c.state === "talking").length));
    table.replaceChildren(rows([["state", (c) => tag(c.state)], ["application", (c) => `${c.application} · ${c.mode}`], ["caller", "caller", "n"], ["X", "x", "n"],
      ["callee", "callee", "n"], ["trunk", "trunk"], ["duration", (c) => seconds(since(c)), "n"], ["quality", (c) => heard(c.sound)], ["recorded", (c) => (c.recorded ? "●" : "")]], calls,
    may("MANAGE") ? (call) => [
      ...(may("OPERATE") ? [button(word("trace"), () => attempt(() => v1.post("/traces", { call: call.session, minutes: 60 }), word("done")))] : []),
      button(word("hang up"), async () => {
        if (await sure(`${word("hang up")}: ${call.caller} → ${call.callee || call.x}?`)) attempt(() => v1.remove(`/calls/${call.session}`), word("done"));
      }, "danger")] : null));
  };
  const stop = follow((found) => { calls = found; draw(); });
  const tick = setInterval(() => { if (calls && calls.length && !document.querySelector("dialog")) draw(); }, 1000);
  leave(() => { stop(); clearInterval(tick); });
  draw();
  return make("div", {}, make("h1", {}, word("live calls")), figures, table);
}
