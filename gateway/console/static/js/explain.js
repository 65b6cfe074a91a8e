// Where a call would go and why, without placing it.

import { v1 } from "./api.js";
import { word } from "./words.js";
import { attempt, form, make } from "./ui.js";

export const decision = (lines) => make("dl", {}, lines.flatMap((line) => [make("dt", {}, word(line.what)),
  make("dd", { class: line.good === null ? "" : line.good ? "good" : "bad" }, line.text)]));

export async function explainPage(query = {}) {
  const results = make("div");
  return make("div", {}, make("h1", {}, word("explain")),
    form([["caller", "caller"], ["called", "X"], ["at", "when", "time"], ["extension", "extension"]], "dry run", async (given) => {
      const found = await attempt(() => v1.get("/explain", given));
      if (found) results.replaceChildren(make("div", { class: "card" }, decision(found.lines)));
    }, query), results);
}
