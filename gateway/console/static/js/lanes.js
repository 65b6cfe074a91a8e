// Lanes of a call's timeline: bars with their names (what a party hears), and quality as curves.

import { word } from "./words.js";
import { clock, make } from "./ui.js";

const LETTER = 6.4, TALL = 14, PLAYS = { waiting: "waiting tone", ringback: "ring-back" };
const moment = (text) => new Date(text).getTime();

export const lasting = (tone) => `${((moment(tone.end) - moment(tone.begin)) / 1000).toFixed(1)} s`;
export const playWord = (tone) => word(PLAYS[tone.play] || tone.play);

// What each party heard of ours. Calls from before there were names know at least when the notice was heard.
export function tonesOf({ cdr }, known) {
  if (cdr.heard && cdr.heard.length) return cdr.heard;
  return (known.notice || []).flatMap((span, place) => (span ? [{ leg: place ? "callee" : "caller", play: "notice", file: "", begin: span[0], end: span[1] }] : []));
}

// Bars of one lane. A name that is longer than its bar stands beside it; what would overlap goes a row lower. Gives the lane's height.
export function bars(inside, items, x, y, edge) {
  const ends = [];
  for (const { from, to, kind, name } of items) {
    const left = x(from), width = Math.max(2, x(to) - left), wide = [...name].reduce((sum, one) => sum + (one > "\u2e80" ? 11.5 : LETTER), 6);
    const within = wide <= width, before = !within && left + width + wide > edge;
    const first = before ? left - wide : left, last = within ? left + width : before ? left + width : left + width + wide;
    let row = ends.findIndex((end) => end < first + 1);
    if (row < 0) row = ends.length;
    ends[row] = within ? last : last + 4;
    const at = y + row * (TALL + 2), place = within ? left + 4 : before ? left - 4 : left + width + 4;
    const told = `${name}, ${clock(from)}–${clock(to)}, ${lasting({ begin: from, end: to })}`;
    inside.push(make("g", { class: "span", role: "img", "aria-label": told }, make("title", {}, told), make("rect", { class: kind, x: left, y: at, width, height: TALL, "fill-opacity": 0.35 }),
      make("text", { x: place, y: at + 11, "text-anchor": before ? "end" : "start" }, name)));
  }
  return Math.max(1, ends.length) * (TALL + 2);
}

// Of a leg: [when, row] of each interval in which it was heard. The last interval may end with the call.
function points({ quality, answered, started, ended }, leg) {
  const begin = quality.after === undefined ? moment(answered) : moment(started) + quality.after * 1000, long = quality.seconds * 1000;
  return ((quality[leg] && quality[leg].series) || []).map((row, place) => {
    const from = begin + place * long;
    return [(from + Math.max(from, Math.min(from + long, moment(ended)))) / 2, row];
  }).filter(([, row]) => row[0] !== null);
}

function curve(inside, leg, spots, place, told) {
  if (spots.length > 1) inside.push(make("polyline", { class: `curve ${leg}`, fill: "none", points: spots.map(([at, row]) => `${at.toFixed(1)},${place(row).toFixed(1)}`).join(" ") }));
  for (const [at, row] of spots) inside.push(make("circle", { class: leg, cx: at, cy: place(row), r: 2.4 }, make("title", {}, `${word(leg)}: ${told(row)}`)));
}

// MOS 1 to 5, loss and jitter of both legs, a lane each. Gives where the next lane begins.
export function quality(inside, label, cdr, x, y, [left, right]) {
  const legs = ["caller", "callee"].map((leg) => [leg, points(cdr, leg).map(([at, row]) => [x(at), row])]);
  const line = (at) => inside.push(make("line", { class: "grid", x1: left, x2: right, y1: at, y2: at }));
  const mark = (at, text) => inside.push(make("text", { class: "soft", x: right + 4, y: at + 4 }, text));
  label("MOS", y + 30);
  const level = (mos) => y + 48 - ((mos - 1) / 4) * 44;
  for (const one of [1, 3, 5]) { line(level(one)); mark(level(one), String(one)); }
  for (const [leg, spots] of legs) curve(inside, leg, spots, (row) => level(row[0]), (row) => `MOS ${row[0]}, ${word("loss")} ${row[1]} %, ${word("jitter")} ${row[2]} ms`);
  y += 62;
  for (const [column, name, unit, least] of [[1, "loss", "%", 5], [2, "jitter", "ms", 40]]) {
    const scale = Math.max(least, ...legs.flatMap(([, spots]) => spots.map(([, row]) => row[column]))), bottom = y + 26;
    label(word(name), y + 18);
    line(bottom);
    inside.push(make("text", { class: "soft", x: right, y: y + 9, "text-anchor": "end" }, `${Math.round(scale)} ${unit}`));
    for (const [leg, spots] of legs) curve(inside, leg, spots, (row) => bottom - (row[column] / scale) * 22, (row) => `${word(name)} ${row[column]} ${unit}`);
    y += 36;
  }
  return y;
}
