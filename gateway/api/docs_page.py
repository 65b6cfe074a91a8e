"""The page that shows an OpenAPI description: one file, nothing from elsewhere, so it works without the internet."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Maskline API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1c2a3a; }
details { border: 1px solid #d5dde6; border-radius: 6px; margin: .4rem 0; padding: .4rem .8rem; }
summary { cursor: pointer; } code, pre { font: 14px/1.4 ui-monospace, monospace; }
pre { background: #f4f7fa; padding: .8rem; overflow: auto; border-radius: 4px; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; padding: .2rem .6rem .2rem 0; vertical-align: top; }
.get { color: #0a6; } .post { color: #06c; } .put, .patch { color: #a60; } .delete { color: #c03; }
b.method { display: inline-block; width: 4.5rem; font-family: ui-monospace, monospace; }
@media (prefers-color-scheme: dark) { body { background: #10161d; color: #dbe4ee; } pre { background: #1a232d; }
details { border-color: #2c3947; } }
</style></head><body><h1 id="title">Maskline API</h1>
<p>The description itself: <a href="OPENAPI">OPENAPI</a></p><main id="main">The page needs JavaScript.</main>
<script>
const make = (tag, text, name) => { const e = document.createElement(tag); e.textContent = text || "";
  if (name) e.className = name; return e; };
fetch("OPENAPI").then(answer => answer.json()).then(api => {
  document.getElementById("title").textContent = api.info.title;
  const main = document.getElementById("main"); main.textContent = "";
  const look = ref => ref.slice(2).split("/").reduce((value, name) => value[name], api);
  const shape = (schema, depth) => {
    if (!schema || depth > 6) return "...";
    if (schema.$ref) return shape(look(schema.$ref), depth);
    if (schema.anyOf || schema.oneOf) return (schema.anyOf || schema.oneOf).map(s => shape(s, depth + 1));
    if (schema.enum) return schema.enum.join(" | ");
    if (schema.const !== undefined) return String(schema.const);
    if (schema.type === "array") return [shape(schema.items, depth + 1)];
    if (schema.properties) return Object.fromEntries(Object.entries(schema.properties).map(
      ([name, value]) => [name + ((schema.required || []).includes(name) ? "" : "?"), shape(value, depth + 1)]));
    return [schema.type || "any", schema.format, schema.pattern, schema.description].filter(Boolean).join(", ");
  };
  const body = (title, content, into) => Object.entries(content || {}).forEach(([kind, one]) => {
    into.append(make("p", title + " (" + kind + ")"));
    into.append(make("pre", JSON.stringify(shape(one.schema, 0), null, 2))); });
  let tag = null;
  for (const [path, methods] of Object.entries(api.paths)) for (const [method, one] of Object.entries(methods)) {
    const group = (one.tags || [""])[0];
    if (group && group !== tag) main.append(make("h2", tag = group));
    const box = make("details"), head = make("summary");
    head.append(make("b", method.toUpperCase(), "method " + method), make("code", path), " " + (one.summary || ""));
    box.append(head, make("p", one.description));
    if (one.parameters && one.parameters.length) {
      const table = make("table");
      for (const p of one.parameters) { const row = make("tr");
        row.append(make("td", p.name + (p.required ? "" : "?")), make("td", p.in),
          make("td", p.description || JSON.stringify(shape(p.schema, 0)))); table.append(row); }
      box.append(table);
    }
    if (one.requestBody) body("Request", one.requestBody.content, box);
    for (const [status, answer] of Object.entries(one.responses || {}))
      if (status < "300") body("Answer " + status, answer.content, box);
    main.append(box);
  }
});
</script></body></html>
"""


async def docs_page(request: Request) -> HTMLResponse:
    """The page for the description that lies beside it."""
    return HTMLResponse(PAGE.replace("OPENAPI", "openapi.json"))
