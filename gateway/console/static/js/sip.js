// A small SIP user agent on a WebSocket (RFC 3261, RFC 7118): one registration and one call at a time.
//
//   Agent   connects, registers with digest (SHA-256, else MD5), keeps both up, hands requests to their call
//   a call  see call_leg.js: it gets what belongs to its Call-ID
//
// A WebSocket loses nothing, so nothing is sent twice but an ACK that is asked for again. What the node says is text of
// SIP; nothing of it is ever markup.

import { md5 } from "./md5.js";

const COMPACT = { v: "via", f: "from", t: "to", i: "call-id", m: "contact", l: "content-length", c: "content-type", k: "supported" };
const ANSWER_SECONDS = 32, KEEP_ALIVE_SECONDS = 25, LIFE_SECONDS = 600, RETRY_SECONDS = [1, 2, 5, 10, 30];
const ECHOED = ["via", "from", "call-id", "cseq"];
export const ALLOW = "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, MESSAGE";

export const token = (bytes = 9) => [...crypto.getRandomValues(new Uint8Array(bytes))].map((one) => one.toString(16).padStart(2, "0")).join("");
export const parameter = (text, name) => (new RegExp(`;\\s*${name}=([^;,\\s>]+)`, "i").exec(text || "") || [])[1];
export const address = (text) => { const inside = /<([^>]+)>/.exec(text || ""); return inside ? inside[1] : (text || "").split(";")[0].trim(); };

export function read(text) {
  const split = text.indexOf("\r\n\r\n");
  const [start, ...lines] = (split < 0 ? text : text.slice(0, split)).replace(/\r\n[ \t]+/g, " ").split("\r\n");
  const headers = {};
  for (const line of lines) {
    const colon = line.indexOf(":"), said = line.slice(0, colon).trim().toLowerCase(), name = COMPACT[said] || said;
    (headers[name] = headers[name] || []).push(line.slice(colon + 1).trim());
  }
  const message = { headers, body: split < 0 ? "" : text.slice(split + 4), first: (name) => (headers[name] || [])[0] };
  const [number, method] = (message.first("cseq") || "").split(/\s+/);
  const words = start.split(" ");
  const reply = words[0] === "SIP/2.0";
  return Object.assign(message, { cseq: Number(number), method: reply ? method : words[0], uri: reply ? "" : words[1],
    status: reply ? Number(words[1]) : 0, reason: reply ? words.slice(2).join(" ") : "", callId: message.first("call-id") });
}

export function write(start, headers, body = "", type = "application/sdp") {
  const lines = headers.map(([name, value]) => `${name}: ${value}`);
  if (body) lines.push(`Content-Type: ${type}`);
  return [start, ...lines, `Content-Length: ${new TextEncoder().encode(body).length}`, "", body].join("\r\n");
}

async function sha256(text) {
  const sum = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(sum)].map((one) => one.toString(16).padStart(2, "0")).join("");
}

const HASHES = [["SHA-256", sha256], ["MD5", async (text) => md5(text)]];
const said = (text, name) => { const found = new RegExp(`[\\s,]${name}=(?:"([^"]*)"|([^\\s,]+))`, "i").exec(text); return found ? found[1] ?? found[2] : ""; };

// The answer to the challenges of a 401 or 407 (RFC 7616, RFC 8760): [header, value], or undefined when none is for us.
async function answer(response, method, uri, user, password) {
  const proxy = response.status === 407, challenges = response.headers[proxy ? "proxy-authenticate" : "www-authenticate"] || [];
  for (const [algorithm, hash] of HASHES) {
    const text = challenges.find((one) => /^digest\s/i.test(one) && (said(one, "algorithm") || "MD5").toUpperCase() === algorithm);
    if (!text) continue;
    const realm = said(text, "realm"), nonce = said(text, "nonce"), opaque = said(text, "opaque"), cnonce = token();
    const first = await hash(`${user}:${realm}:${password}`), second = await hash(`${method}:${uri}`);
    const value = `Digest username="${user}", realm="${realm}", nonce="${nonce}", uri="${uri}", algorithm=${algorithm}, qop=auth, nc=00000001, cnonce="${cnonce}", `
      + `response="${await hash(`${first}:${nonce}:00000001:${cnonce}:auth:${second}`)}"${opaque ? `, opaque="${opaque}"` : ""}`;
    return [proxy ? "Proxy-Authorization" : "Authorization", value];
  }
  return undefined;
}

export class Agent {
  // changed(state): "connecting", "registered", "refused", "disconnected"; incoming(request): an INVITE of a new call.
  constructor({ server, user, password, changed, incoming, text }) {
    Object.assign(this, { server, user, password, changed, incoming, text });
    this.host = new URL(server.replace(/^ws/, "http")).hostname;
    this.me = `sip:${user}@${this.host}`;
    this.contact = `<sip:${user}@${token(6)}.invalid;transport=ws>`;
    this.state = "disconnected";
    this.calls = new Map();
    this.waiting = new Map();
    this.registration = { callId: token(), tag: token(4), cseq: 0 };
    this.failures = 0;
    this.stopped = false;
  }

  start() {
    this.set("connecting");
    const socket = this.socket = new WebSocket(this.server, "sip");
    socket.onopen = () => this.register();
    socket.onmessage = (event) => this.take(event.data);
    socket.onclose = () => this.closed(socket);
    this.beat = setInterval(() => socket.readyState === 1 && socket.send("\r\n\r\n"), KEEP_ALIVE_SECONDS * 1000);
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.again);
    if (this.state === "registered") this.register(0);
    this.socket?.close();
    this.set("disconnected");
  }

  set(state) { if (state !== this.state) { this.state = state; this.changed(state); } }

  closed(socket) {
    clearInterval(this.beat);
    if (socket !== this.socket) return;
    for (const call of [...this.calls.values()]) call.lost();
    clearTimeout(this.again);
    if (this.stopped || this.state === "refused") return;
    this.set("disconnected");
    this.again = setTimeout(() => this.start(), 1000 * RETRY_SECONDS[Math.min(this.failures++, RETRY_SECONDS.length - 1)]);
  }

  register(expires = LIFE_SECONDS) {
    const one = this.registration, uri = `sip:${this.host}`;
    one.cseq += 1;
    const headers = [["From", `<${this.me}>;tag=${one.tag}`], ["To", `<${this.me}>`], ["Call-ID", one.callId],
      ["Contact", `${this.contact};expires=${expires}`], ["Expires", expires]];
    this.request("REGISTER", uri, () => one.cseq, headers, "", (response) => {
      if (this.stopped) return;
      if (response.status < 300) {
        this.failures = 0;
        const ours = (response.headers.contact || []).find((text) => text.includes(address(this.contact))) || "";
        const life = Number(parameter(ours, "expires") || response.first("expires") || expires);
        this.set("registered");
        this.again = setTimeout(() => this.register(), 800 * life);
      } else if ([401, 403, 404, 407].includes(response.status)) { this.set("refused"); this.socket.close(); } else this.socket.close();
    }, () => (one.cseq += 1));
  }

  // Send a request; `done` gets each response. A challenge is answered once: `next` then gives the number of the repetition.
  request(method, uri, cseq, headers, body, done, next) {
    const send = (more, mayTry) => {
      const branch = `z9hG4bK${token()}`, number = cseq();
      const via = `SIP/2.0/${this.server.startsWith("wss") ? "WSS" : "WS"} ${address(this.contact).split("@")[1].split(";")[0]};branch=${branch};rport`;
      const head = [["Via", via], ["Max-Forwards", 70], ...headers, ["CSeq", `${number} ${method}`], ["Allow", ALLOW], ["User-Agent", "Maskline console"], ...more];
      const sent = { branch, via, number, uri, headers };
      const over = setTimeout(() => this.waiting.delete(branch + method) && done({ status: 408, reason: "no answer", headers: {}, first: () => undefined }, sent), method === "INVITE" ? 180000 : 1000 * ANSWER_SECONDS);
      this.waiting.set(branch + method, async (response) => {
        if (response.status >= 200 && !(method === "INVITE" && response.status < 300)) this.waiting.delete(branch + method);
        if (response.status >= 200) clearTimeout(over);
        if (method === "INVITE" && response.status >= 300) this.acknowledge(sent, response);
        if (mayTry && next && (response.status === 401 || response.status === 407)) {
          const given = await answer(response, method, uri, this.user, this.password);
          if (given) { next(); return send([given], false); }
        }
        return done(response, sent);
      });
      this.send(write(`${method} ${uri} SIP/2.0`, head, body));
      return sent;
    };
    return send([], true);
  }

  // The ACK of a refusal belongs to the transaction (RFC 3261 §17.1.1.3).
  acknowledge(sent, response) {
    const from = sent.headers.find(([name]) => name === "From")[1];
    this.send(write(`ACK ${sent.uri} SIP/2.0`, [["Via", sent.via], ["Max-Forwards", 70], ["From", from], ["To", response.first("to")],
      ["Call-ID", response.callId], ["CSeq", `${sent.number} ACK`]]));
  }

  reply(request, status, reason, { tag = "", headers = [], body = "" } = {}) {
    const echoed = ECHOED.flatMap((name) => request.headers[name].map((value) => [name === "via" ? "Via" : name === "from" ? "From" : name === "cseq" ? "CSeq" : "Call-ID", value]));
    const routes = (request.headers["record-route"] || []).map((value) => ["Record-Route", value]);
    const to = request.first("to");
    this.send(write(`SIP/2.0 ${status} ${reason}`, [...echoed, ["To", tag && !parameter(to, "tag") ? `${to};tag=${tag}` : to], ...routes, ...headers, ["Allow", ALLOW]], body));
  }

  send(text) { if (this.socket?.readyState === 1) this.socket.send(text); }

  take(text) {
    if (!text.trim()) return;
    const message = read(text);
    if (message.status) { this.waiting.get(parameter(message.first("via"), "branch") + message.method)?.(message); return; }
    const call = this.calls.get(message.callId);
    if (call) { call.take(message); return; }
    if (message.method === "ACK") return;
    if (message.method === "INVITE" && !parameter(message.first("to"), "tag")) this.incoming(message);
    else if (message.method === "OPTIONS") this.reply(message, 200, "OK", { tag: token(4) });
    else if (message.method === "MESSAGE") { this.reply(message, 200, "OK", { tag: token(4) }); this.text(message.body); }
    else this.reply(message, 481, "Call/Transaction Does Not Exist", { tag: token(4) });
  }
}
