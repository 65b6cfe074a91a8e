// One call on one axis: both ladders, what was heard, quality, events with their attempts, the recording with a play-head.

import { may, v1 } from "./api.js";
import { decision } from "./explain.js";
import { word } from "./words.js";
import { pcap, showLadder } from "./traces.js";
import { bars, lasting, playWord, quality, tonesOf } from "./lanes.js";
import { ask, attempt, button, clock, make, mono, rows, seconds, sum, tag, time } from "./ui.js";

const WIDTH = 1080, LEFT = 118, RIGHT = 24;

// What is there of a call; each part may be missing, by right or because nobody traced or recorded it.
async function gather(session) {
  const or = (promise, other) => promise.catch(() => other);
  const cdr = await v1.get(`/cdrs/${encodeURIComponent(session)}`);
  const [why, entries, trace, shape] = await Promise.all([
    or(v1.get(`/explain/${encodeURIComponent(session)}`), null),
    or(v1.get("/ledger", { session, limit: 100 }), { items: [] }),
    or(v1.get(`/traces/${encodeURIComponent(session)}`), null),
    cdr.recording ? or(v1.get(`/recordings/${encodeURIComponent(session)}/outline`, { points: 900 }), null) : null,
  ]);
  const events = await Promise.all(entries.items.map((one) => or(v1.get(`/ledger/${one.id}`), { ...one, attempts: [] })));
  events.sort((one, other) => one.created_at.localeCompare(other.created_at));
  return { cdr, why, events, trace, shape };
}

// Moments of the call, from its events: [what, when].
function moments({ cdr, events }) {
  const found = { started: cdr.started, answered: cdr.answered, ended: cdr.ended };
  for (const one of events) {
    const at = one.payload && (one.payload.at || null);
    if (one.kind === "callout") found.forwarded = at;
    if (one.kind === "alerting") found.rang = at;
    if (one.kind === "fee" && one.payload.notice) found.notice = one.payload.notice;
    if (one.kind === "fee") { found.forwarded = one.payload.forwarded || found.forwarded; found.rang = one.payload.rang || found.rang; found.recordStarted = one.payload.record_started; }
  }
  return found;
}

export function draw(parts, seek) {
  const known = moments(parts), start = new Date(known.started).getTime();
  const stamps = [known.ended, ...parts.events.flatMap((one) => one.attempts.map((a) => a.at)), ...(parts.trace ? parts.trace.messages.map((m) => m.at) : [])];
  const ended = new Date(known.ended).getTime();
  // What is pushed long after the end stands at the right edge rather than pressing the call together.
  const last = Math.min(Math.max(...stamps.map((one) => new Date(one).getTime())), ended + Math.max(2000, (ended - start) * 0.25));
  const span = Math.max(1000, last - start);
  const x = (moment) => LEFT + (Math.min(Math.max(new Date(moment).getTime() - start, 0), span) / span) * (WIDTH - LEFT - RIGHT);
  const inside = [];
  let y = 26;
  const label = (text, at) => inside.push(make("text", { x: LEFT - 10, y: at, "text-anchor": "end", class: "soft" }, text));
  const hit = (act, name) => ({ class: "hit", tabindex: 0, role: "button", "aria-label": name, onclick: act, onkeydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); act(); } } });

  const step = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1800].find((one) => span / 1000 / one <= 12) || 3600;
  const grid = make("g");
  for (let at = 0; at * 1000 <= span; at += step) {
    const place = LEFT + ((at * 1000) / span) * (WIDTH - LEFT - RIGHT);
    grid.append(make("line", { class: "grid", x1: place, x2: place, y1: 18, y2: 2000 }), make("text", { class: "soft", x: place, y: 12, "text-anchor": "middle" }, seconds(at)));
  }
  inside.push(grid);

  // Signalling: a lane a leg; a message is an arrow to or from the gateway.
  for (const leg of ["caller", "callee"]) {
    label(`SIP ${word(leg)}`, y + 18);
    inside.push(make("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y + 14, y2: y + 14 }));
    const mine = parts.trace ? parts.trace.messages.filter((one) => one.leg === leg) : [];
    // Messages within a moment of each other have their names below each other.
    let first = -99, row = 0, deepest = 0;
    for (const one of mine) {
      const at = x(one.at), name = `${clock(one.at)} ${one.sent ? "→" : "←"} ${one.title}`;
      if (at - first < 52) row += 1; else { first = at; row = 0; }
      deepest = Math.max(deepest, row);
      const title = `${one.sent ? "▲" : "▼"} ${one.title.replace(/^(\d{3}).*/, "$1").slice(0, 9)}`;
      inside.push(make("g", hit(() => ask(name, () => make("pre", {}, one.text)), name), make("title", {}, name),
        make("path", { class: leg, d: one.sent ? `M${at - 4} ${y + 14}h8l-4 -7z` : `M${at - 4} ${y + 7}h8l-4 7z` }),
        make("text", { x: first, y: y + 26 + row * 12, "text-anchor": first < LEFT + 40 ? "start" : "middle" }, title)));
    }
    if (!mine.length) inside.push(make("text", { class: "soft", x: LEFT + 6, y: y + 18 }, "–"));
    y += 34 + deepest * 12;
  }

  // How far the call was, what we played to each party, and how well they were heard.
  const tones = tonesOf(parts, known);
  const course = [[known.rang, known.answered || known.ended, "tone", "ringing"], [known.answered, known.ended, "good", "talking"]];
  const lane = (name, items) => { label(name, y + 11); y += bars(inside, items, x, y, WIDTH - RIGHT) + 6; };
  lane(word("state"), course.filter(([from, to]) => from && to).map(([from, to, kind, name]) => ({ from, to, kind, name: word(name) })));
  for (const leg of ["caller", "callee"]) {
    lane(word(`${leg} hears`), tones.filter((tone) => tone.leg === leg).map((tone) => ({ from: tone.begin, to: tone.end, kind: leg, name: sum([playWord(tone), tone.file]) })));
  }
  y += 8;
  if (parts.cdr.quality && known.answered) y = quality(inside, label, parts.cdr, x, y, [LEFT, WIDTH - RIGHT]);

  // Events: a mark where it happened, one for each attempt.
  label(word("events"), y + 12);
  const marks = parts.events.map((one) => [x((one.payload && one.payload.at) || one.created_at), one]);
  let deepest = 0;
  for (let first = 0, next; first < marks.length; first = next) {
    // Events within a moment of each other have their names below each other, beside all their marks.
    for (next = first + 1; next < marks.length && marks[next][0] - marks[next - 1][0] < 62;) next += 1;
    const group = marks.slice(first, next), right = group.at(-1)[0] > WIDTH - 110;
    group.forEach(([at, one], row) => {
      const name = `${one.kind}: ${one.state}, ${one.tries}`;
      inside.push(make("g", hit(() => ask(name, () => make("div", {}, rows([["time", (a) => time(a.at), "n"], ["result", (a) => String(a.status || a.error)], ["duration", (a) => `${Math.round(a.seconds * 1000)} ms`]], one.attempts),
        make("pre", {}, JSON.stringify(one.payload, null, 2)))), name), make("title", {}, name),
      make("circle", { class: one.state === "done" ? "good" : one.state === "dead" ? "bad" : "tone", cx: at, cy: y + 8, r: 4 }),
      make("text", { x: right ? group[0][0] - 8 : group.at(-1)[0] + 8, y: y + 12 + row * 13, "text-anchor": right ? "end" : "start" }, one.kind)));
      for (const a of one.attempts) inside.push(make("line", { class: a.status >= 200 && a.status < 300 ? "good" : "bad", x1: x(a.at), x2: x(a.at), y1: y + 1, y2: y + 15 }));
    });
    deepest = Math.max(deepest, group.length);
  }
  y += 22 + deepest * 13;

  // The recording: the caller above, the callee below, on the same axis.
  let headLine = null;
  const from = known.recordStarted || known.answered;
  if (parts.shape && from) {
    const begin = new Date(from).getTime(), tall = 26;
    parts.shape.channels.slice(0, 2).forEach((channel, place) => {
      const leg = place ? "callee" : "caller", middle = y + tall;
      label(`${word("recording")} ${word(leg)}`, middle + 4);
      const point = (index, value) => `${x(begin + (index / channel.length) * parts.shape.seconds * 1000).toFixed(1)} ${(middle - value * tall).toFixed(1)}`;
      const upper = channel.map((value, index) => point(index, value)), lower = channel.map((value, index) => point(index, -value)).reverse();
      inside.push(make("path", { class: leg, opacity: 0.8, d: `M${upper.join("L")}L${lower.join("L")}Z` }));
      y += 2 * tall + 6;
    });
    headLine = make("line", { class: "head", x1: x(from), x2: x(from), y1: 18, y2: y });
    inside.push(headLine);
  }
  const svg = make("svg", { viewBox: `0 0 ${WIDTH} ${y + 8}`, width: WIDTH, height: y + 8, role: "group", "aria-label": word("timeline") }, inside);
  if (headLine) svg.addEventListener("click", (event) => {
    if (event.target.closest(".hit")) return;
    const box = svg.getBoundingClientRect(), at = ((event.clientX - box.left) / box.width) * WIDTH;
    seek(((at - LEFT) / (WIDTH - LEFT - RIGHT)) * (span / 1000) - (new Date(from).getTime() - start) / 1000);
  });
  return { svg, move: (at) => { if (headLine) { const place = x(new Date(from).getTime() + at * 1000); headLine.setAttribute("x1", place); headLine.setAttribute("x2", place); } } };
}

// Every real number of the call, starred wherever it stands and however it is written. X is nobody's.
function masking({ cdr, events }) {
  const found = new Set();
  const look = (value) => {
    if (typeof value === "string" && /^\+\d{5,15}$/.test(value) && value !== cdr.x) found.add(value.slice(1));
    else if (value && typeof value === "object") Object.values(value).forEach(look);
  };
  look([cdr, events.map((one) => one.payload)]);
  // The longest first: with the country's code, then as it is written at home.
  const forms = [...found].flatMap((digits) => [digits, digits.replace(/^86/, "")]).sort((one, other) => other.length - one.length);
  return (text) => forms.reduce((made, digits) => made.replaceAll(digits, digits.slice(0, 3) + "*".repeat(Math.max(0, digits.length - 5)) + digits.slice(-2)), text);
}

// The page as one file without links to anything, numbers masked whatever is shown now.
async function exported(title, parts, body) {
  const css = await (await fetch("console.css")).text();
  const copy = body.cloneNode(true);
  for (const one of copy.querySelectorAll("audio, button")) one.remove();
  const ladder = parts.trace ? `<h2>SIP</h2><pre>${escaped(parts.trace.ladder)}</pre>` : "";
  const text = `<!doctype html><html lang="${document.documentElement.lang}"><meta charset="utf-8"><title>${escaped(title)}</title><style>${css}</style><main>${masking(parts)(copy.outerHTML + ladder)}</main></html>`;
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type: "text/html" })), download: `call-${title.slice(0, 10)}.html` });
  link.click();
  URL.revokeObjectURL(link.href);
}
const escaped = (text) => text.replace(/[&<>"]/g, (one) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[one]);

const AGAIN_MS = 2000, AGAIN_TIMES = 8;

// The page; what comes a little behind the call (its trace, its recording) is looked for again for a while.
export async function callPage(session, leave) {
  const first = await attempt(() => gather(session));
  if (!first) return make("div", {}, make("h1", {}, word("timeline")));
  const page = make("div");
  let clear = () => {}, timer = null;
  const show = (parts) => { clear(); clear = fill(page, session, parts); };
  const again = (parts, times) => {
    if (!times || (parts.trace && (parts.shape || !parts.cdr.recording))) return;
    timer = setTimeout(async () => {
      const found = await gather(session).catch(() => parts);
      if (Boolean(found.trace) !== Boolean(parts.trace) || Boolean(found.shape) !== Boolean(parts.shape) || found.events.length !== parts.events.length) show(found);
      again(found, times - 1);
    }, AGAIN_MS);
  };
  leave(() => { clearTimeout(timer); clear(); });
  show(first);
  if (Date.now() - new Date(first.cdr.ended) < 60000) again(first, AGAIN_TIMES);
  return page;
}

function fill(page, session, parts) {
  const { cdr } = parts, body = make("div"), heard = tonesOf(parts, moments(parts));
  const sound = parts.shape && make("audio", { controls: true, preload: "none", "aria-label": word("recording"), src: v1.address(`/recordings/${encodeURIComponent(session)}/sound`) });
  const drawn = draw(parts, (at) => { if (sound) { sound.currentTime = Math.max(0, at); sound.play().catch(() => {}); } });
  let tick = null;
  if (sound) {
    const follow = () => drawn.move(sound.currentTime);
    sound.addEventListener("timeupdate", follow);
    tick = setInterval(() => { if (!sound.paused) follow(); }, 60);
  }
  const fact = (name, value) => [make("dt", {}, word(name)), make("dd", {}, value === null || value === undefined ? "" : value)];
  body.append(...[make("div", { class: "card" }, make("dl", {},
    fact("application", `${cdr.application} · ${cdr.mode}`), fact("caller", cdr.caller), fact("X", cdr.x), fact("callee", cdr.callee), fact("started", time(cdr.started)),
    fact("duration", cdr.answered ? seconds(cdr.seconds) : ""), fact("cause", make("span", { class: cdr.cause ? "bad" : "good" }, `${cdr.cause} ${cdr.cause_text}`)),
    fact("trunk", [cdr.trunk, cdr.way].filter(Boolean).join(" → ")))),
  make("div", { class: "timeline" }, drawn.svg), sound || "",
  parts.why ? make("div", {}, make("h2", {}, word("why")), make("div", { class: "card" }, decision(parts.why.lines))) : "",
  heard.length ? [make("h2", {}, word("tones")), rows([["party", (t) => word(t.leg)], ["tone", playWord], ["file", (t) => mono(t.file)], ["from", (t) => clock(t.begin), "n"], ["to", (t) => clock(t.end), "n"], ["duration", lasting, "n"]], heard)] : "",
  make("h2", {}, word("events")), rows([["kind", "kind"], ["created", (e) => time(e.created_at), "n"], ["state", (e) => tag(e.state)], ["tries", "tries", "n"]], parts.events)].flat());
  page.replaceChildren(make("h1", {}, `${word("timeline")} `, make("span", { class: "mono soft" }, session.slice(0, 12))),
    make("div", { class: "row" }, button(word("export"), () => attempt(() => exported(session, parts, body))),
      parts.trace && may("AUDIT") ? [button(word("ladder"), () => showLadder(session)), pcap(session)] : ""), body);
  return () => { clearInterval(tick); if (sound) sound.pause(); };
}
