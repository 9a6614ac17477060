// What a microphone hears: as samples while it goes on, or as a whole recording; and what a file holds, as samples.

import { Problem } from "./problems.js";

// Recognisers do better with what was said than with what a browser makes of it for a telephone call.
const CONSTRAINTS = { audio: { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false } };
const FILE_RATE = 16000;
const LONGEST_FILE = 200e6; // bytes: what is decoded has to fit into memory
const RECORDED_AS = ["audio/webm;codecs=opus", "audio/ogg;codecs=opus", "audio/mp4"];

// Gives samples to `hear` until it is stopped.
export async function listen(hear) {
  return holding(async (stream, held) => {
    const context = new AudioContext();
    held.push(() => context.close());
    await context.audioWorklet.addModule(new URL("./microphone-worklet.js", import.meta.url));
    const node = new AudioWorkletNode(context, "hearing", { numberOfInputs: 1, numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
    node.port.onmessage = (event) => hear(event.data);
    context.createMediaStreamSource(stream).connect(node);
    return {
      sampleRate: context.sampleRate,
      stop: async () => {
        node.port.onmessage = null;
        closed(stream);
        await context.close();
      },
    };
  });
}

// Records until it is stopped, which gives the recording.
export async function record() {
  return holding(async (stream) => {
    const mimeType = RECORDED_AS.find((one) => MediaRecorder.isTypeSupported(one));
    const recorder = new MediaRecorder(stream, { mimeType, audioBitsPerSecond: 32000 });
    const parts = [];
    recorder.addEventListener("dataavailable", (event) => parts.push(event.data));
    const ended = new Promise((resolve) => recorder.addEventListener("stop", resolve, { once: true }));
    recorder.start();
    return {
      stop: async () => {
        recorder.stop();
        await ended;
        closed(stream);
        return new Blob(parts, { type: recorder.mimeType.split(";")[0] });
      },
    };
  });
}

// A file's sound, as one channel.
export async function samplesOf(file) {
  if (file.size > LONGEST_FILE) {
    throw new Problem(`${file.name} has ${Math.round(file.size / 1e6)} MB; this page decodes up to ${LONGEST_FILE / 1e6}.`, {
      todo: "Cut it into parts. For recordings of hours there is Meetings.",
    });
  }
  const context = new OfflineAudioContext(1, 1, FILE_RATE);
  let sound;
  try {
    sound = await context.decodeAudioData(await file.arrayBuffer());
  } catch {
    throw new Problem(`${file.name} is no audio that this browser can decode.`, { todo: "Give it as MP3, WAV, FLAC, Ogg, WebM or M4A." });
  }
  const samples = sound.getChannelData(0).slice();
  for (let channel = 1; channel < sound.numberOfChannels; channel += 1) {
    sound.getChannelData(channel).forEach((one, at) => { samples[at] += one; });
  }
  return { sampleRate: FILE_RATE, samples: samples.map((one) => one / sound.numberOfChannels) };
}

async function opened() {
  try {
    return await navigator.mediaDevices.getUserMedia(CONSTRAINTS);
  } catch (error) {
    const why = { NotAllowedError: "The microphone was refused to this page.", NotFoundError: "There is no microphone." };
    throw new Problem(why[error.name] ?? `The microphone cannot be used (${error.name}).`, {
      todo: "Allow it in the browser's address bar, or choose an audio file.",
    });
  }
}

// What is made of a microphone. Where nothing comes of it, nobody listens on: the browser would show that somebody does.
async function holding(make) {
  const stream = await opened();
  const held = [];
  try {
    return await make(stream, held);
  } catch (failure) {
    closed(stream);
    await Promise.all(held.map((close) => close()));
    throw failure;
  }
}

const closed = (stream) => stream.getTracks().forEach((one) => one.stop());
