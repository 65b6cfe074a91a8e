// MD5 (RFC 1321) as hexadecimal text, since browsers have none and old digest wants it (RFC 7616): for what is no secret by itself.

const SHIFTS = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];
const SINES = Array.from({ length: 64 }, (_, index) => Math.floor(Math.abs(Math.sin(index + 1)) * 2 ** 32) >>> 0);
const MIXES = [
  (b, c, d) => (b & c) | (~b & d), (b, c, d) => (d & b) | (~d & c), (b, c, d) => b ^ c ^ d, (b, c, d) => c ^ (b | ~d),
];
const PLACES = [(step) => step, (step) => (5 * step + 1) % 16, (step) => (3 * step + 5) % 16, (step) => (7 * step) % 16];

export function md5(text) {
  const bytes = new TextEncoder().encode(text), size = bytes.length;
  const view = new DataView(new ArrayBuffer(((size + 8 >> 6) + 1) * 64));
  bytes.forEach((one, index) => view.setUint8(index, one));
  view.setUint8(size, 0x80);
  view.setUint32(view.byteLength - 8, size * 8, true);
  const state = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476];
  for (let start = 0; start < view.byteLength; start += 64) {
    let [a, b, c, d] = state;
    for (let step = 0; step < 64; step += 1) {
      const round = step >> 4, shift = SHIFTS[round][step & 3];
      const sum = (a + MIXES[round](b, c, d) + SINES[step] + view.getUint32(start + 4 * PLACES[round](step), true)) | 0;
      [a, d, c, b] = [d, c, b, (b + ((sum << shift) | (sum >>> (32 - shift)))) | 0];
    }
    [a, b, c, d].forEach((one, index) => { state[index] = (state[index] + one) | 0; });
  }
  const out = new DataView(new ArrayBuffer(16));
  state.forEach((one, index) => out.setInt32(4 * index, one, true));
  return Array.from(new Uint8Array(out.buffer), (one) => one.toString(16).padStart(2, "0")).join("");
}
