// Recordings: the list, one of them to be seen and heard, what is proven of it, and who holds it.

import { may, v1 } from "./api.js";
import { word } from "./words.js";
import { ask, attempt, button, form, link, make, mono, rows, seconds, size, sum, tag, time } from "./ui.js";

const LISTENABLE = ["ready", "rendered"];
const STATES = ["", "spooling", "pending", "rendered", "ready", "empty", "failed", "erased"];
const WIDTH = 640, TALL = 34;
const sound = (session) => v1.address(`/recordings/${encodeURIComponent(session)}/sound`);

// Two channels, the caller's above, and a play-head; `seek` gets seconds.
export function waveform(shape, seek) {
  const height = 2 * (2 * TALL + 8);
  const inside = shape.channels.slice(0, 2).map((channel, place) => {
    const middle = TALL + place * (2 * TALL + 8);
    const point = (index, value) => `${((index / Math.max(1, channel.length - 1)) * WIDTH).toFixed(1)} ${(middle - value * TALL).toFixed(1)}`;
    const upper = channel.map((value, index) => point(index, value)), lower = channel.map((value, index) => point(index, -value)).reverse();
    return make("path", { class: place ? "callee" : "caller", opacity: 0.8, d: `M${upper.join("L")}L${lower.join("L")}Z` },
      make("title", {}, word(place ? "callee" : "caller")));
  });
  const head = make("line", { class: "head", x1: 0, x2: 0, y1: 0, y2: height });
  const svg = make("svg", { viewBox: `0 0 ${WIDTH} ${height}`, class: "waveform", role: "img", "aria-label": word("recording") }, inside, head);
  svg.addEventListener("click", (event) => {
    const box = svg.getBoundingClientRect();
    seek(((event.clientX - box.left) / box.width) * shape.seconds);
  });
  return { svg, move: (at) => { const x = (at / Math.max(0.01, shape.seconds)) * WIDTH; head.setAttribute("x1", x); head.setAttribute("x2", x); } };
}

async function play(row) {
  const shape = await attempt(() => v1.get(`/recordings/${encodeURIComponent(row.session)}/outline`, { points: 600 }));
  if (!shape) return;
  const audio = make("audio", { controls: true, preload: "none", "aria-label": word("recording"), src: sound(row.session) });
  const drawn = waveform(shape, (at) => { audio.currentTime = at; audio.play().catch(() => {}); });
  const tick = setInterval(() => { if (!audio.isConnected) { clearInterval(tick); audio.pause(); } else drawn.move(audio.currentTime); }, 60);
  ask(`${word("recording")} · ${time(row.begun)}`, () => make("div", {}, drawn.svg, audio));
}

async function prove(row) {
  const found = await attempt(() => v1.get(`/recordings/${encodeURIComponent(row.name)}/proof`));
  if (!found) return;
  const fact = (name, value) => (value === null || value === undefined || value === "" ? [] : [make("dt", {}, word(name)), make("dd", {}, value)]);
  ask(`${word("proof")} · ${row.session.slice(0, 10)}`, () => make("div", {},
    make("dl", {}, fact("name", mono(found.name)), fact("SHA-256", found.sha256 && mono(found.sha256)), fact("from", time(found.begun)), fact("to", time(found.ended)),
      fact("held", found.held && sum([found.held.by, found.held.why, time(found.held.at)])), fact("reason", found.trouble)),
    rows([["number", "seq", "n"], ["day", "day", "n"], ["kind", (e) => word(e.kind)], ["who", (e) => e.facts.by || ""], ["reason", (e) => e.facts.why || ""],
      ["hash", (e) => mono(e.hash.slice(0, 16))]], found.proof)));
}

const because = (text, send, load) => button(word(text), () => ask(word(text), (close) => form([["why", "reason"]], text, async (given) => {
  if (await attempt(() => send(given), word("done"))) { close(); load(); }
})), text === "erase" ? "danger" : "");

export const recordings = {
  title: "recordings", path: "/recordings", group: "watch", permission: "RECORDS",
  filters: [["application", "application"], ["session", "session"], ["state", "state", "choice", STATES], ["since", "since", "time"], ["before", "before", "time"], ["held", "held", "tick"]],
  columns: [["started", (r) => time(r.begun), "n"], ["session", (r) => link(r.session)], ["application", "application"], ["state", (r) => (r.trouble ? make("span", { title: r.trouble }, tag(r.state), " ", r.trouble.slice(0, 40)) : tag(r.state))],
    ["duration", (r) => seconds(r.seconds), "n"], ["size", (r) => (r.size ? size(r.size) : ""), "n"], ["erased on", (r) => (r.held ? tag("held") : r.state === "erased" ? "" : time(r.erase_at)), "n"]],
  actions: (r, load) => {
    const path = `/recordings/${encodeURIComponent(r.name)}`;
    return [
      ...(LISTENABLE.includes(r.state) ? [button(word("play"), () => play(r)), make("a", { href: sound(r.session), download: r.name, class: "button" }, word("download"))] : []),
      button(word("proof"), () => prove(r)),
      ...(may("OPERATE") && r.state !== "erased" ? [r.held ? because("release", (why) => v1.post(`${path}/release`, why), load) : because("hold", (why) => v1.put(`${path}/hold`, why), load)] : []),
      ...(may("OPERATE") && r.state === "ready" && !r.held ? [because("erase", (why) => v1.post(`${path}/erase`, why), load)] : []),
    ];
  },
};
