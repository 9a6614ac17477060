// Encoder of speech as Ogg Opus, with the browser's WebCodecs.

import { createOggFile } from "./ogg-writer.js";
import { Problem } from "./problems.js";
import { resample } from "./resample.js";

const BITS_PER_SECOND = 24000;
// Sample rate at which speech is encoded, because recognition uses no more than 16 kHz. At the 44.1 or 48 kHz of a microphone, Opus would
// spread its few bits over sounds up to 20 kHz, and drop some that are necessary for words.
const SPEECH_RATE = 16000;

export const canEncode = () => "AudioEncoder" in globalThis;

// Return an utterance as an Ogg file, given the samples of its only channel.
export async function encodeOpus(recordedSamples, recordedRate) {
  const { samples, sampleRate } = resample(recordedSamples, recordedRate, SPEECH_RATE);
  const packets = [];
  let failure = null;
  const encoder = new AudioEncoder({
    output: (chunk) => {
      const packet = new Uint8Array(chunk.byteLength);
      chunk.copyTo(packet);
      packets.push(packet);
    },
    error: (error) => { failure = error; },
  });
  try {
    encoder.configure({ codec: "opus", sampleRate, numberOfChannels: 1, bitrate: BITS_PER_SECOND });
    const data = new AudioData({
      format: "f32-planar", sampleRate, numberOfFrames: samples.length, numberOfChannels: 1, timestamp: 0, data: samples,
    });
    encoder.encode(data);
    data.close();
    await encoder.flush();
  } catch (error) {
    failure ??= error;
  } finally {
    if (encoder.state !== "closed") encoder.close();
  }
  if (failure || !packets.length) {
    throw new Problem(`This browser could not encode the audio (${failure?.message ?? "the encoder returned nothing"}).`, {
      todo: "Use a current Chrome, Edge, Firefox or Safari.",
    });
  }
  return createOggFile(packets);
}
