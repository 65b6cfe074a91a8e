// One call of the softphone: its dialog (RFC 3261 §12, §13) and its audio (WebRTC). The states:
//
//   out  calling -> ringing -> talking -> over        in  offered -> talking -> over

import { address, ALLOW, token } from "./sip.js";

const BUSY = [486, "Busy Here"];
const GATHER_SECONDS = 2;

async function microphone(headset) {
  const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  return navigator.mediaDevices.getUserMedia({ audio: headset ? plain : true });
}

export class CallLeg {
  constructor(agent, { changed, headset, audio }) {
    Object.assign(this, { agent, changed, headset, audio });
    Object.assign(this, { state: "new", why: "", cseq: 0, routes: [], tag: token(4), theirTag: "", callId: token(), answered: "" });
  }

  set(state, why = "") {
    if (this.state === "over" || state === this.state) return;
    Object.assign(this, { state, why });
    if (state === "over") this.close();
    this.changed(this);
  }

  close() {
    this.agent.calls.delete(this.callId);
    this.stream?.getTracks().forEach((track) => track.stop());
    this.peer?.close();
    this.audio.srcObject = null;
  }

  lost() { this.set("over", "the connection is gone"); }

  async open() {
    this.stream = await microphone(this.headset);
    const peer = this.peer = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
    peer.ontrack = (event) => { this.audio.srcObject = event.streams[0] || new MediaStream([event.track]); this.audio.play().catch(() => {}); };
    for (const track of this.stream.getTracks()) peer.addTrack(track, this.stream);
  }

  // A-law first: it passes to the carrier as it is.
  prefer() {
    const known = RTCRtpReceiver.getCapabilities("audio").codecs;
    const wanted = ["audio/PCMA", "audio/PCMU", "audio/telephone-event"].flatMap((name) => known.filter((one) => one.mimeType === name && one.clockRate === 8000));
    for (const one of this.peer.getTransceivers()) one.setCodecPreferences(wanted);
  }

  // The description with all candidates: the node takes none later.
  async described() {
    const { peer } = this;
    await new Promise((resolve) => {
      if (peer.iceGatheringState === "complete") resolve();
      peer.addEventListener("icegatheringstatechange", () => peer.iceGatheringState === "complete" && resolve());
      setTimeout(resolve, GATHER_SECONDS * 1000);
    });
    return peer.localDescription.sdp;
  }

  // --- out ----------------------------------------------------------------------------------------------------------

  async dial(number) {
    this.who = number;
    this.set("calling");
    try {
      await this.open();
      this.prefer();
      await this.peer.setLocalDescription(await this.peer.createOffer());
    } catch (error) { this.set("over", error.message); return; }
    const offer = await this.described();
    if (this.state === "over") return;
    this.target = `sip:${number}@${this.agent.host}`;
    this.mine = `<${this.agent.me}>;tag=${this.tag}`;
    this.theirs = `<${this.target}>`;
    this.cseq = 1;
    this.agent.calls.set(this.callId, this);
    const headers = [["From", this.mine], ["To", this.theirs], ["Call-ID", this.callId], ["Contact", this.agent.contact]];
    this.agent.request("INVITE", this.target, () => this.cseq, headers, offer, (response, sent) => this.told(response, sent), () => (this.cseq += 1));
  }

  async told(response, sent) {
    this.invite = sent;
    if (response.status >= 300) { this.set("over", `${response.status} ${response.reason}`); return; }
    if (response.status === 100) { if (this.leaving) this.cancel(); return; }
    this.theirs = response.first("to");
    if (response.status >= 200) {
      this.target = address(response.first("contact")) || this.target;
      this.routes = [...(response.headers["record-route"] || [])].reverse();
      this.within("ACK", this.invite.number);
      if (this.state === "over") { this.within("BYE"); return; }
      if (this.leaving) { this.hangUp("talking"); return; }
    } else {
      if (this.leaving) { this.cancel(); return; }
      this.set("ringing");
    }
    if (response.body && !this.answered) {
      this.answered = response.body;
      try { await this.peer.setRemoteDescription({ type: "answer", sdp: response.body }); } catch (error) { this.why = error.message; this.hangUp(response.status >= 200 ? "talking" : "ringing"); return; }
    }
    if (response.status >= 200) this.set("talking");
  }

  cancel() {
    if (this.cancelled || !this.invite) { this.leaving = true; return; }
    this.cancelled = true;
    const { uri, via, number, headers } = this.invite;
    const lines = [["Via", via], ["Max-Forwards", 70], ...headers.filter(([name]) => name !== "Contact"), ["CSeq", `${number} CANCEL`]];
    this.agent.send([`CANCEL ${uri} SIP/2.0`, ...lines.map(([name, value]) => `${name}: ${value}`), "Content-Length: 0", "", ""].join("\r\n"));
  }

  // --- in -----------------------------------------------------------------------------------------------------------

  offered(request) {
    this.request = request;
    this.callId = request.callId;
    this.who = (/sip:([^@;>]+)/.exec(request.first("from")) || [])[1] || "";
    this.theirs = request.first("from");
    this.mine = `${request.first("to")};tag=${this.tag}`;
    this.target = address(request.first("contact"));
    this.routes = request.headers["record-route"] || [];
    this.agent.calls.set(this.callId, this);
    this.agent.reply(request, 180, "Ringing", { tag: this.tag, headers: [["Contact", this.agent.contact]] });
    this.set("offered");
  }

  async answer() {
    try {
      await this.open();
      await this.peer.setRemoteDescription({ type: "offer", sdp: this.request.body });
      this.prefer();
      await this.peer.setLocalDescription(await this.peer.createAnswer());
    } catch (error) {
      this.agent.reply(this.request, 488, "Not Acceptable Here", { tag: this.tag });
      this.set("over", error.message);
      return;
    }
    const body = await this.described();
    if (this.state !== "offered") return;
    this.agent.reply(this.request, 200, "OK", { tag: this.tag, headers: [["Contact", this.agent.contact]], body });
    this.set("talking");
  }

  // --- both ---------------------------------------------------------------------------------------------------------

  hangUp(state = this.state) {
    if (state === "talking") { this.within("BYE"); this.set("over"); }
    else if (state === "offered") { this.agent.reply(this.request, ...BUSY, { tag: this.tag }); this.set("over"); }
    else if (state === "calling" || state === "ringing") this.cancel();
  }

  within(method, number) {
    const headers = [["From", this.mine], ["To", this.theirs], ["Call-ID", this.callId], ...this.routes.map((one) => ["Route", one])];
    this.cseq = number || this.cseq + 1;
    const own = this.cseq;
    if (method !== "ACK") { this.agent.request(method, this.target, () => own, headers, "", () => {}); return; }
    this.agent.send([`ACK ${this.target} SIP/2.0`, `Via: SIP/2.0/${this.agent.server.startsWith("wss") ? "WSS" : "WS"} ${address(this.agent.contact).split("@")[1].split(";")[0]};branch=z9hG4bK${token()}`,
      "Max-Forwards: 70", ...headers.map(([name, value]) => `${name}: ${value}`), `CSeq: ${own} ACK`, "Content-Length: 0", "", ""].join("\r\n"));
  }

  async take(request) {
    const { agent } = this, done = (more = {}) => agent.reply(request, 200, "OK", { tag: this.tag, headers: [["Contact", agent.contact]], ...more });
    if (request.method === "ACK") return;
    if (request.method === "BYE") { done(); this.set("over"); return; }
    if (request.method === "CANCEL") {
      done();
      if (this.state === "offered") { agent.reply(this.request, 487, "Request Terminated", { tag: this.tag }); this.set("over", "cancelled"); }
      return;
    }
    if (["INVITE", "UPDATE"].includes(request.method) && request.body && this.peer) {
      try {
        await this.peer.setRemoteDescription({ type: "offer", sdp: request.body });
        await this.peer.setLocalDescription(await this.peer.createAnswer());
        done({ body: this.peer.localDescription.sdp });
      } catch { agent.reply(request, 488, "Not Acceptable Here", { tag: this.tag }); }
      return;
    }
    if (["UPDATE", "INFO", "OPTIONS"].includes(request.method)) done();
    else agent.reply(request, request.method === "INVITE" ? 488 : 405, request.method === "INVITE" ? "Not Acceptable Here" : "Method Not Allowed", { tag: this.tag, headers: [["Allow", ALLOW]] });
  }

  // A key that is pressed, as telephone-event.
  press(key) { this.peer?.getSenders()[0]?.dtmf?.insertDTMF(key); }
}

