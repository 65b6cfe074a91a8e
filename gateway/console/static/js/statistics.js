// Calls by day or month, as bars, and a table of the same.

import { session, v1 } from "./api.js";
import { word } from "./words.js";
import { attempt, form, make, rows } from "./ui.js";

// A day is one of the node's time zone, whatever the browser's is.
const day = (date) => new Intl.DateTimeFormat("en-CA", { timeZone: session.who.zone, year: "numeric", month: "2-digit", day: "2-digit" }).format(date);

function bars(periods) {
  const width = Math.max(560, periods.length * 26), height = 210, foot = 34;
  const most = 2 * Math.max(1, Math.ceil(Math.max(...periods.map((one) => one.calls)) / 2));
  const step = (width - 50) / Math.max(1, periods.length);
  const inside = [0, 0.5, 1].map((part) => make("g", {}, make("line", { class: "grid", x1: 44, x2: width, y1: height - foot - part * (height - foot - 12), y2: height - foot - part * (height - foot - 12) }),
    make("text", { class: "soft", x: 40, y: height - foot - part * (height - foot - 12) + 4, "text-anchor": "end" }, String(Math.round(most * part)))));
  periods.forEach((one, place) => {
    const x = 48 + place * step, tall = (value) => (value / most) * (height - foot - 12);
    inside.push(make("rect", { x, y: height - foot - tall(one.calls), width: Math.max(2, step - 5), height: tall(one.calls), class: "bar", opacity: 0.35 },
      make("title", {}, `${one.name}: ${one.calls} ${word("calls")}`)));
    inside.push(make("rect", { x, y: height - foot - tall(one.answered), width: Math.max(2, step - 5), height: tall(one.answered), class: "bar" },
      make("title", {}, `${one.name}: ${one.answered} ${word("answered")}`)));
    if (place % Math.ceil(periods.length / 12) === 0) inside.push(make("text", { class: "soft", x, y: height - 14 }, one.name.slice(-5)));
  });
  return make("div", { class: "timeline chart" }, make("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": word("statistics") }, inside));
}

export async function statisticsPage() {
  const today = new Date(), results = make("div");
  const given = { first: day(new Date(today - 13 * 86400000)), last: day(today) };
  async function load(wanted) {
    const found = await attempt(() => v1.get("/statistics", wanted));
    if (!found) return;
    const all = found.periods, total = (name) => all.reduce((sum, one) => sum + one[name], 0);
    const figure = (text, value) => make("div", {}, make("b", {}, String(value)), make("span", {}, word(text)));
    const causes = {};
    for (const one of all) for (const [cause, count] of Object.entries(one.causes)) causes[cause] = (causes[cause] || 0) + count;
    results.replaceChildren(
      make("div", { class: "figures" }, figure("calls", total("calls")), figure("answer rate", total("calls") ? `${Math.round((100 * total("answered")) / total("calls"))} %` : "–"),
        figure("talk minutes", Math.round(total("seconds") / 60)), figure("messages", total("messages"))),
      bars(all),
      make("h2", {}, word("cause")),
      rows([["cause", ([cause]) => cause], ["calls", ([, count]) => count, "n"]], Object.entries(causes).sort((one, other) => other[1] - one[1])),
      make("h2", {}, word("time")),
      rows([["time", "name"], ["calls", "calls", "n"], ["answered", "answered", "n"], ["talk minutes", (one) => Math.round(one.seconds / 60), "n"], ["recorded", "recorded", "n"], ["messages", "messages", "n"]], [...all].reverse()));
  }
  await load(given);
  return make("div", {}, make("h1", {}, word("statistics")),
    form([["first", "first day", "date"], ["last", "last day", "date"], ["application", "application"]], "search", load, given), results);
}
