// JsSIP and SIP.js behind one face each, so that one test can play with either: window.phone is made by use(name).
//
//   register(server, user, password)   dial(number)   answer()   hangUp()   press(key)
//   document.body.dataset.state: "", registered, offered, ringing, talking, over     opusAlone(): of this browser

import * as JsSIP from "jssip";
import * as SIP from "sip.js";

const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
const state = (word) => { document.body.dataset.state = word; };
const hear = (peer) => { document.querySelector("audio").srcObject = new MediaStream(peer.getReceivers().map((one) => one.track)); };
const host = (server) => new URL(server.replace(/^ws/, "http")).hostname;

// A browser that has nothing but Opus, from now on: whatever makes a description first leaves all else out.
function opusAlone() {
  const kept = RTCRtpReceiver.getCapabilities("audio").codecs.filter((one) => one.clockRate === 48000 && /opus|telephone-event/.test(one.mimeType));
  for (const name of ["createOffer", "createAnswer"]) {
    const made = RTCPeerConnection.prototype[name];
    RTCPeerConnection.prototype[name] = function make(...given) {
      for (const one of this.getTransceivers()) one.setCodecPreferences(kept);
      return made.apply(this, given);
    };
  }
}

class Jssip {
  register(server, user, password) {
    this.host = host(server);
    this.agent = new JsSIP.UA({ sockets: [new JsSIP.WebSocketInterface(server)], uri: `sip:${user}@${this.host}`, password });
    this.agent.on("registered", () => state("registered"));
    this.agent.on("registrationFailed", ({ cause }) => state(`refused: ${cause}`));
    this.agent.on("newRTCSession", ({ session, originator }) => {
      this.session = session;
      if (originator === "remote") state("offered");
      session.on("progress", () => originator === "local" && state("ringing"));
      session.on("confirmed", () => { hear(session.connection); state("talking"); });
      for (const end of ["ended", "failed"]) session.on(end, ({ cause }) => { this.cause = cause; state("over"); });
    });
    this.agent.start();
  }

  dial(number) { this.agent.call(`sip:${number}@${this.host}`, { mediaConstraints: { audio, video: false } }); }
  answer() { this.session.answer({ mediaConstraints: { audio, video: false } }); }
  hangUp() { this.session.terminate(); }
  press(key) { this.session.sendDTMF(key, { transportType: "RFC2833" }); }
}

class Sipjs {
  async register(server, user, password) {
    this.host = host(server);
    const options = { constraints: { audio, video: false }, iceGatheringTimeout: 1000 };
    this.options = { sessionDescriptionHandlerOptions: options };
    this.agent = new SIP.UserAgent({
      uri: SIP.UserAgent.makeURI(`sip:${user}@${this.host}`), transportOptions: { server }, authorizationUsername: user, authorizationPassword: password,
      sessionDescriptionHandlerFactoryOptions: { peerConnectionConfiguration: { iceServers: [] } }, logLevel: "error",
      delegate: { onInvite: (session) => { this.follow(session); state("offered"); } },
    });
    await this.agent.start();
    const registerer = new SIP.Registerer(this.agent);
    registerer.stateChange.addListener((told) => told === "Registered" && state("registered"));
    await registerer.register({ requestDelegate: { onReject: ({ message }) => message.statusCode !== 401 && state(`refused: ${message.statusCode}`) } });
  }

  follow(session) {
    this.session = session;
    session.stateChange.addListener((told) => {
      if (told === "Established") { hear(session.sessionDescriptionHandler.peerConnection); state("talking"); }
      if (told === "Terminated") state("over");
    });
  }

  dial(number) {
    const session = new SIP.Inviter(this.agent, SIP.UserAgent.makeURI(`sip:${number}@${this.host}`), this.options);
    this.follow(session);
    session.invite({ requestDelegate: { onProgress: () => state("ringing") } });
  }

  answer() { this.session.accept(this.options); }
  hangUp() { if (this.session.state === "Established") this.session.bye(); else this.session.cancel ? this.session.cancel() : this.session.reject(); }
  press(key) { this.session.sessionDescriptionHandler.sendDtmf(key); }
}

export { opusAlone };
export const use = (name) => { window.phone = new { jssip: Jssip, sipjs: Sipjs }[name](); };
