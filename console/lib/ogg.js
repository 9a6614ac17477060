// Writer of Ogg files with Opus packets (RFC 3533, RFC 7845), the format in which a browser sends speech to transcription.

const RATE = 48000; // unit of positions in an Ogg Opus file, independent of the recording's rate
const PRE_SKIP = 312; // samples that the encoder adds at the start; decoders drop them
const FIRST = 2;
const LAST = 4;
const PACKETS_OF_A_PAGE = 50;
const FRAME = [480, 960, 1920, 2880, 480, 960, 1920, 2880, 480, 960, 1920, 2880, 480, 960, 480, 960];
const FRAME_CELT = [120, 240, 480, 960];

const CRC = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte << 24;
  for (let bit = 0; bit < 8; bit += 1) value = value & 0x80000000 ? (value << 1) ^ 0x04c11db7 : value << 1;
  return value >>> 0;
});

// Return one utterance as an Ogg file, given its packets in order.
export function oggOf(packets, serial = crypto.getRandomValues(new Uint32Array(1))[0]) {
  const pages = [page([head()], 0, FIRST, serial, 0), page([tags()], 0, 0, serial, 1)];
  let position = 0;
  for (let start = 0; start < packets.length; start += PACKETS_OF_A_PAGE) {
    const some = packets.slice(start, start + PACKETS_OF_A_PAGE);
    position += some.reduce((sum, packet) => sum + samplesOf(packet), 0);
    const last = start + PACKETS_OF_A_PAGE >= packets.length;
    pages.push(page(some, position, last ? LAST : 0, serial, pages.length));
  }
  return joined(pages);
}

// Return the number of samples in a packet, from its first bytes.
export function samplesOf(packet) {
  const kind = packet[0] >> 3;
  const frames = [1, 2, 2, packet[1] & 63][packet[0] & 3];
  return frames * (kind < 16 ? FRAME[kind] : FRAME_CELT[kind & 3]);
}

export function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function page(packets, position, flags, serial, number) {
  const table = packets.flatMap((packet) => [...new Array(Math.floor(packet.length / 255)).fill(255), packet.length % 255]);
  const made = new Uint8Array(27 + table.length + packets.reduce((sum, packet) => sum + packet.length, 0));
  const view = new DataView(made.buffer);
  made.set(ascii("OggS"), 0);
  view.setUint8(5, flags);
  view.setBigUint64(6, BigInt(position), true);
  view.setUint32(14, serial, true);
  view.setUint32(18, number, true);
  view.setUint8(26, table.length);
  made.set(table, 27);
  made.set(joined(packets), 27 + table.length);
  view.setUint32(22, checksum(made), true);
  return made;
}

function head() {
  const made = new Uint8Array(19);
  const view = new DataView(made.buffer);
  made.set(ascii("OpusHead"), 0);
  view.setUint8(8, 1); // version
  view.setUint8(9, 1); // channels
  view.setUint16(10, PRE_SKIP, true);
  view.setUint32(12, RATE, true);
  return made;
}

const tags = () => joined([ascii("OpusTags"), Uint8Array.of(9, 0, 0, 0), ascii("polyphony"), Uint8Array.of(0, 0, 0, 0)]);

const ascii = (text) => Uint8Array.from(text, (character) => character.charCodeAt(0));

function checksum(bytes) {
  let value = 0;
  for (const byte of bytes) value = ((value << 8) ^ CRC[((value >>> 24) ^ byte) & 255]) >>> 0;
  return value;
}
