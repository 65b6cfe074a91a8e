// The frame: who is signed in, where one is, and the page that is shown. Addresses are #/page?filter=value.

import { may, onSessionOver, session, showNumbers, signIn, signOut, whoIsIt } from "./api.js";
import { callPage } from "./call.js";
import { explainPage } from "./explain.js";
import { listPage, lists } from "./lists.js";
import { livePage } from "./live.js";
import { softphonePage } from "./softphone.js";
import { statisticsPage } from "./statistics.js";
import { tracesPage } from "./traces.js";
import { attempt, button, form, make } from "./ui.js";
import { language, setLanguage, word } from "./words.js";

const pages = {
  live: { title: "live calls", group: "watch", permission: "RECORDS", show: (leave) => livePage(leave) },
  call: { title: "timeline", permission: "RECORDS", show: (leave, query, rest) => callPage(rest, leave) },
  statistics: { title: "statistics", group: "watch", permission: "RECORDS", show: () => statisticsPage() },
  phone: { title: "phone", group: "operate", permission: "OPERATE", show: (leave) => softphonePage(leave) },
  traces: { title: "traces", group: "watch", permission: "AUDIT", show: () => tracesPage() },
  explain: { title: "explain", group: "watch", permission: "RECORDS", show: (leave, query) => explainPage(query) },
};
for (const [name, page] of Object.entries(lists)) pages[name] = { ...page, show: (leave, query) => listPage(page, query) };
const ORDER = ["live", "calls", "recordings", "messages", "ledger", "traces", "statistics", "explain", "bindings", "numbers", "orders", "tones", "lists", "applications",
  "enterprises", "contacts", "trunks", "phones", "phone", "bans", "audit"];

let leaving = [];
const main = document.getElementById("main"), nav = document.getElementById("nav"), top = document.getElementById("top");

function theme(wanted) {
  localStorage.setItem("maskline.theme", wanted);
  document.documentElement.dataset.theme = wanted;
}
const dark = () => (document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

function frame() {
  const who = session.who;
  document.getElementById("frame").classList.toggle("alone", !who);
  top.replaceChildren(make("span", { class: "mark" }, "Maskline"),
    ...(who ? [make("span", { class: "soft" }, `${who.name} · ${who.role}`),
      who.may_reveal ? button(word(may("REVEAL") ? "mask numbers" : "show real numbers"), async () => { await attempt(() => showNumbers(!may("REVEAL"))); frame(); route(); }) : ""] : []),
    button(language === "zh" ? "English" : "中文", () => { setLanguage(language === "zh" ? "en" : "zh"); frame(); route(); }),
    button(word(dark() ? "light" : "dark"), () => { theme(dark() ? "light" : "dark"); frame(); }),
    who ? button(word("sign out"), async () => { await attempt(signOut); location.hash = ""; frame(); route(); }) : "");
  if (!who) { nav.replaceChildren(); return; }
  const links = [];
  for (const group of ["watch", "manage", "operate"]) {
    const mine = ORDER.filter((name) => pages[name].group === group && may(pages[name].permission));
    if (mine.length) links.push(make("h2", {}, word(group)), ...mine.map((name) => make("a", { href: `#/${name}`, "data-page": name }, word(pages[name].title))));
  }
  nav.replaceChildren(...links);
}

function signInPage() {
  const hint = word("A token is made at the terminal: maskline token create --config FILE \"me\"");
  const box = form([["token", "token", "password"]], "sign in", async (given) => {
    if (await attempt(async () => { await signIn(given.token); return true; })) { frame(); route(); }
  });
  return make("div", { class: "card narrow" }, make("h1", {}, word("sign in")), box, make("p", { class: "hint" }, hint));
}

async function route() {
  leaving.forEach((act) => act());
  leaving = [];
  for (const open of document.querySelectorAll("dialog")) open.close();
  if (!session.who) { document.title = "Maskline"; main.replaceChildren(signInPage()); main.querySelector("input").focus(); return; }
  const [path, text] = location.hash.replace(/^#\/?/, "").split("?");
  const [first, ...others] = path.split("/");
  const fallback = ORDER.find((name) => may(pages[name].permission));
  const name = pages[first] && may(pages[first].permission) ? first : fallback;
  const page = pages[name];
  document.title = `${word(page.title)} · Maskline`;
  for (const link of nav.querySelectorAll("a")) {
    if (link.dataset.page === (name === "call" ? "calls" : name)) { link.setAttribute("aria-current", "page"); nav.scrollLeft = link.offsetLeft - nav.clientWidth / 2; } else link.removeAttribute("aria-current");
  }
  const mine = leaving;
  const shown = await page.show((act) => mine.push(act), Object.fromEntries(new URLSearchParams(text || "")), decodeURIComponent(others.join("/")));
  if (mine === leaving) { main.replaceChildren(shown); main.dataset.page = name; main.focus({ preventScroll: true }); } else mine.forEach((act) => act());
}

const kept = localStorage.getItem("maskline.theme");
if (kept) document.documentElement.dataset.theme = kept;
onSessionOver(() => { frame(); route(); });
addEventListener("hashchange", route);
await whoIsIt();
frame();
route();
