// The page that is a phone. It lives on while other pages are looked at; who reloads the window hangs up, and reads so.

import { may, v1 } from "./api.js";
import { Agent, token } from "./sip.js";
import { CallLeg } from "./call_leg.js";
import { attempt, button, form, make, note } from "./ui.js";
import { word } from "./words.js";

const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];
const audio = make("audio", { autoplay: true });
const phone = { agent: null, call: null, view: null, last: "" };

const settings = () => { try { return JSON.parse(sessionStorage.getItem("maskline.phone")) || {}; } catch { return {}; } };
const secure = location.protocol.startsWith("https");
const here = () => settings().server || `${secure ? "wss" : "ws"}://${location.hostname}:${secure ? 5063 : 5062}`;

function changed(call) {
  if (call.state === "over") {
    phone.last = call.why;
    if (phone.call === call) phone.call = null;
  }
  draw();
}

const leg = (given) => new CallLeg(phone.agent, { changed, headset: Boolean(settings().headset), audio, ...given });

function connect(given) {
  sessionStorage.setItem("maskline.phone", JSON.stringify({ server: given.server, user: given.user, headset: given.headset }));
  phone.agent?.stop();
  phone.agent = new Agent({
    server: given.server, user: given.user.replace(/^\+/, ""), password: given.password, changed: draw,
    text: (text) => note(text),
    incoming: (request) => {
      if (phone.call) { phone.agent.reply(request, 486, "Busy Here", { tag: token(4) }); return; }
      phone.call = leg();
      phone.call.offered(request);
    },
  });
  phone.agent.start();
  draw();
}

function leave() {
  if (phone.call) phone.call.hangUp();
  phone.agent?.stop();
  phone.agent = null;
  phone.call = null;
  draw();
}

// A page that goes says BYE. Where that doesn't get through, the node ends the call itself: its socket closes, and its audio stops.
addEventListener("pagehide", () => {
  if (phone.call) { sessionStorage.setItem("maskline.cut", "1"); phone.call.hangUp(); }
  phone.agent?.stop();
});
if (sessionStorage.getItem("maskline.cut")) { sessionStorage.removeItem("maskline.cut"); phone.last = "The call ended as the page was loaded anew"; }
// One that comes back as it was (from the browser's cache) has no socket any more.
addEventListener("pageshow", (event) => { if (event.persisted) leave(); });

function signIn() {
  const fields = [["server", "SIP server"], ["user", "number"], ["password", "password", "password"], ["headset", "headset (no echo cancelling)", "tick"]];
  const mine = form(fields, "connect", (given) => attempt(async () => connect(given)), { server: here(), ...settings() });
  const make_one = form([["number", "number"]], "new phone", async (given) => {
    const sheet = await attempt(() => v1.post("/phones", { number: given.number }));
    if (!sheet) return;
    // A page on HTTPS may open wss only; on plain HTTP, a certificate that nobody vouches for would stop wss.
    const way = (secure ? ["wss "] : ["ws ", "wss "]).map((kind) => sheet.ways.find((one) => one.startsWith(kind))).find(Boolean);
    if (!way) { note(word(secure ? "The node listens on no wss: sip.listen" : "The node listens on no WebSocket: sip.listen"), true); return; }
    const [kind, port] = way.split(" ");
    // The node knows a new phone within a second.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    connect({ server: `${kind}://${location.hostname}:${port}`, user: sheet.user, password: sheet.password, headset: false });
    note(`${sheet.number}: ${sheet.password}`);
  });
  return make("div", { class: "card" }, phone.last ? make("p", { class: "hint", role: "status" }, word(phone.last)) : "", mine, make("hr"), make_one);
}

// For trying things out: A is this phone; B and an X of ours are bound, and X is called. Made once, so that what is
// typed outlives what else is drawn anew.
let trying = null;
function throughX() {
  const box = make("div");
  const ready = async () => {
    const found = await attempt(() => v1.get("/numbers", { status: "normal", limit: 100 }));
    if (!found) return;
    const free = found.items.filter((one) => one.remaining > 1);
    if (!free.length) { box.replaceChildren(make("p", { class: "hint" }, word("There is no X to be bound"))); return; }
    box.replaceChildren(form([["b", "the other's number", "tel"], ["x", "X", "tel"]], "bind and call", async (given) => {
      const { application } = free.find((one) => one.x === given.x) || free[0];
      const made = await attempt(() => v1.post("/bindings", { application, a: `+${phone.agent.user}`, b: given.b, x: given.x, record: true }));
      if (made && !phone.call) { phone.last = ""; trying = null; phone.call = leg(); phone.call.dial(given.x); }
    }, { x: free[0].x }));
  };
  return make("details", { ontoggle: (event) => event.target.open && !box.firstChild && ready() }, make("summary", {}, word("through X")), box);
}

function controls() {
  const { agent, call } = phone;
  const rows = [make("p", { class: "row" }, make("strong", {}, agent.user), make("span", { class: `tag ${agent.state === "registered" ? "good" : "warn"}`, "data-state": agent.state }, word(agent.state)),
    button(word("disconnect"), leave))];
  if (!call) {
    rows.push(form([["number", "number", "tel"]], "call", (given) => { phone.last = ""; phone.call = leg(); phone.call.dial(given.number); }));
    if (may("MANAGE")) rows.push(trying ??= throughX());
    if (phone.last) rows.push(make("p", { class: "hint" }, phone.last));
  } else {
    rows.push(make("p", { class: "row", role: "status" }, make("strong", {}, call.who), make("span", { class: "tag", "data-call": call.state }, word(call.state))));
    rows.push(make("div", { class: "row" }, call.state === "offered" ? button(word("answer"), () => call.answer(), "main") : "", button(word("hang up"), () => call.hangUp())));
    if (call.state === "talking") rows.push(make("div", { class: "row", "aria-label": word("keys") }, KEYS.map((key) => button(key, () => call.press(key)))));
  }
  return make("div", { class: "card" }, rows);
}

function draw() {
  phone.view?.replaceChildren(phone.agent ? controls() : signIn());
}

export function softphonePage(leaving) {
  phone.view = make("div");
  trying = null;
  leaving(() => { phone.view = null; });
  draw();
  return make("div", {}, make("h1", {}, word("phone")), phone.view, audio);
}
