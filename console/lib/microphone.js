// Audio input: samples of the microphone while it records, whole recordings, and samples of audio files.

import { Problem } from "./problems.js";

// Speech recognition works better without the browser's processing for telephone calls.
const CONSTRAINTS = { audio: { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false } };
const FILE_RATE = 16000;
const LONGEST_FILE = 200e6; // bytes, because the decoded samples must fit into memory
const RECORDED_AS = ["audio/webm;codecs=opus", "audio/ogg;codecs=opus", "audio/mp4"];

// Pass samples of the microphone to `hear` until it is stopped.
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

// Record until `stop` is called, which returns the recording.
export async function record() {
  return holding(async (stream) => {
    const mimeType = RECORDED_AS.find((type) => MediaRecorder.isTypeSupported(type));
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

// Return the audio of a file as one channel of samples.
export async function samplesOf(file) {
  if (file.size > LONGEST_FILE) {
    throw new Problem(`${file.name} has ${Math.round(file.size / 1e6)} MB, but this page decodes at most ${LONGEST_FILE / 1e6} MB.`, {
      todo: "Split the file, or use Meetings for long recordings.",
    });
  }
  const context = new OfflineAudioContext(1, 1, FILE_RATE);
  let sound;
  try {
    sound = await context.decodeAudioData(await file.arrayBuffer());
  } catch {
    throw new Problem(`${file.name} is not an audio file that this browser can decode.`, { todo: "Convert it to MP3, WAV, FLAC, Ogg, WebM or M4A." });
  }
  const samples = sound.getChannelData(0).slice();
  for (let channel = 1; channel < sound.numberOfChannels; channel += 1) {
    sound.getChannelData(channel).forEach((sample, at) => { samples[at] += sample; });
  }
  return { sampleRate: FILE_RATE, samples: samples.map((sample) => sample / sound.numberOfChannels) };
}

async function opened() {
  try {
    return await navigator.mediaDevices.getUserMedia(CONSTRAINTS);
  } catch (error) {
    const why = { NotAllowedError: "The browser denied this page the microphone.", NotFoundError: "No microphone was found." };
    throw new Problem(why[error.name] ?? `The microphone cannot be used (${error.name}).`, {
      todo: "Allow it in the browser's address bar, or choose an audio file.",
    });
  }
}

// Open the microphone and pass it to `make`. Release it if `make` fails, because the browser shows that it is in use.
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

const closed = (stream) => stream.getTracks().forEach((track) => track.stop());
