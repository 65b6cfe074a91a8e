// Requests to /v1 and to the console's own session. A failure is an Error with `code`, `field` and `status`.

export const session = { who: null };
let whenOver = () => {};

export function onSessionOver(act) { whenOver = act; }

async function send(method, url, body, raw) {
  const headers = {};
  if (session.who) headers["X-CSRF-Token"] = session.who.csrf;
  if (body !== undefined && !raw) headers["Content-Type"] = "application/json";
  const answer = await fetch(url, { method, headers, body: raw ? body : body === undefined ? undefined : JSON.stringify(body) });
  if (answer.ok) return answer;
  let fault = { code: "failed", message: `HTTP ${answer.status}` };
  try { fault = (await answer.json()).error || fault; } catch { /* no JSON: the status says it */ }
  if (answer.status === 401 && session.who) { session.who = null; whenOver(); }
  throw Object.assign(new Error(fault.message), fault, { status: answer.status });
}

const read = async (answer) => (answer.status === 204 ? null : answer.json());

function address(path, query) {
  const given = Object.entries(query || {}).filter(([, value]) => value !== "" && value !== undefined && value !== null);
  const text = new URLSearchParams(given).toString();
  return `/v1${path}${text ? "?" + text : ""}`;
}

export const v1 = {
  get: async (path, query) => read(await send("GET", address(path, query))),
  text: async (path, query) => (await send("GET", address(path, query))).text(),
  bytes: async (path, query) => (await send("GET", address(path, query))).arrayBuffer(),
  post: async (path, body, query) => read(await send("POST", address(path, query), body === undefined ? {} : body)),
  bare: async (path, query) => read(await send("POST", address(path, query))),
  put: async (path, body, query) => read(await send("PUT", address(path, query), body)),
  upload: async (path, blob, query) => read(await send("PUT", address(path, query), blob, true)),
  patch: async (path, body) => read(await send("PATCH", address(path), body)),
  remove: async (path, query) => read(await send("DELETE", address(path, query))),
  address,
};

export async function whoIsIt() {
  try { session.who = await read(await send("GET", "session")); } catch { session.who = null; }
  return session.who;
}
export async function signIn(token) { session.who = await read(await send("POST", "session", { token })); }
export async function signOut() { await send("DELETE", "session"); session.who = null; }
export async function showNumbers(shown) { session.who = await read(await send("PUT", "session/numbers", { shown })); }
export const may = (permission) => Boolean(session.who && session.who.may.includes(permission));

// The live feed. `act` gets each new list of calls, null while the node doesn't answer. Returns what ends it.
export function follow(act) {
  const source = new EventSource("feed");
  source.addEventListener("calls", (event) => act(JSON.parse(event.data)));
  source.onerror = () => act(null);
  return () => source.close();
}
