// Writer of Ogg files with Opus packets (RFC 3533, RFC 7845), the format in which a browser sends speech to transcription.

import { concatenate } from "./bytes.js";

const RATE = 48000; // unit of positions in an Ogg Opus file, independent of the recording's rate
const PRE_SKIP = 312; // samples that the encoder adds at the start; decoders drop them
const FIRST_PAGE_FLAG = 2;
const LAST_PAGE_FLAG = 4;
const PACKETS_PER_PAGE = 50;
// Samples of a frame, by the kind of its packet (`config` in RFC 6716). From kind 16 on, the codec is CELT, and the lengths repeat after
// every four kinds.
const FRAME_SAMPLES = [480, 960, 1920, 2880, 480, 960, 1920, 2880, 480, 960, 1920, 2880, 480, 960, 480, 960];
const CELT_FRAME_SAMPLES = [120, 240, 480, 960];

const CRC = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte << 24;
  for (let bit = 0; bit < 8; bit += 1) value = value & 0x80000000 ? (value << 1) ^ 0x04c11db7 : value << 1;
  return value >>> 0;
});

// Return one utterance as an Ogg file, given its Opus packets in order.
export function createOggFile(packets, serial = crypto.getRandomValues(new Uint32Array(1))[0]) {
  const pages = [createPage([createHeader()], 0, FIRST_PAGE_FLAG, serial, 0), createPage([createTags()], 0, 0, serial, 1)];
  let position = 0;
  for (let start = 0; start < packets.length; start += PACKETS_PER_PAGE) {
    const pagePackets = packets.slice(start, start + PACKETS_PER_PAGE);
    position += pagePackets.reduce((sum, packet) => sum + countSamples(packet), 0);
    const isLast = start + PACKETS_PER_PAGE >= packets.length;
    pages.push(createPage(pagePackets, position, isLast ? LAST_PAGE_FLAG : 0, serial, pages.length));
  }
  return concatenate(pages);
}

// Return the number of samples in a packet. Its first byte contains the kind (five bits), which determines the length of a frame, the
// channel count (one bit), and a code for the number of frames (two bits). For code 3 the second byte contains this number (RFC 6716, 3.1).
function countSamples(packet) {
  const kind = packet[0] >> 3;
  const frames = [1, 2, 2, packet[1] & 63][packet[0] & 3];
  return frames * (kind < 16 ? FRAME_SAMPLES[kind] : CELT_FRAME_SAMPLES[kind & 3]);
}

function createPage(packets, position, flags, serial, number) {
  const table = packets.flatMap((packet) => [...new Array(Math.floor(packet.length / 255)).fill(255), packet.length % 255]);
  const bytes = new Uint8Array(27 + table.length + packets.reduce((sum, packet) => sum + packet.length, 0));
  const view = new DataView(bytes.buffer);
  bytes.set(ascii("OggS"), 0);
  view.setUint8(5, flags);
  view.setBigUint64(6, BigInt(position), true);
  view.setUint32(14, serial, true);
  view.setUint32(18, number, true);
  view.setUint8(26, table.length);
  bytes.set(table, 27);
  bytes.set(concatenate(packets), 27 + table.length);
  view.setUint32(22, checksum(bytes), true);
  return bytes;
}

function createHeader() {
  const bytes = new Uint8Array(19);
  const view = new DataView(bytes.buffer);
  bytes.set(ascii("OpusHead"), 0);
  view.setUint8(8, 1); // version
  view.setUint8(9, 1); // channels
  view.setUint16(10, PRE_SKIP, true);
  view.setUint32(12, RATE, true);
  return bytes;
}

const createTags = () => concatenate([ascii("OpusTags"), Uint8Array.of(9, 0, 0, 0), ascii("polyphony"), Uint8Array.of(0, 0, 0, 0)]);

const ascii = (text) => Uint8Array.from(text, (character) => character.charCodeAt(0));

function checksum(bytes) {
  let value = 0;
  for (const byte of bytes) value = ((value << 8) ^ CRC[((value >>> 24) ^ byte) & 255]) >>> 0;
  return value;
}
