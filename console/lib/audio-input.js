// Audio input: samples of the microphone while it records, whole recordings, and samples of audio files.

import { sleep } from "./pauses.js";
import { Problem } from "./problems.js";

// Speech recognition works better without the browser's processing for telephone calls.
const CONSTRAINTS = { audio: { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false } };
const FILE_RATE = 16000;
const MAX_FILE_BYTES = 200e6; // because the decoded samples must fit into memory
const RECORDING_BITS_PER_SECOND = 96000; // enough for the microphone's whole range, so that no sound of a word is dropped
const INPUT_DELAY_MS = 150; // time that sound may take from the microphone to the worklet
const FLUSH_TIMEOUT_MS = 1000; // maximum wait for the last samples, which never come if the browser has stopped the audio thread
const RECORDING_TYPES = ["audio/webm;codecs=opus", "audio/ogg;codecs=opus", "audio/mp4"];

// Pass the microphone's samples and their rate to `onSamples`. Return an object with `stop`, which waits for the last samples.
export async function listen(onSamples) {
  return withMicrophone(async (stream, cleanups) => {
    const context = new AudioContext();
    cleanups.push(() => context.close());
    await context.audioWorklet.addModule(new URL("./microphone-worklet.js", import.meta.url));
    const node = new AudioWorkletNode(context, "sample-sender", { numberOfInputs: 1, numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
    let onFlushed = () => {};
    node.port.onmessage = ({ data }) => (data === "flushed" ? onFlushed() : onSamples(data, context.sampleRate));
    context.createMediaStreamSource(stream).connect(node);
    return {
      stop: async () => {
        await sleep(INPUT_DELAY_MS);
        const flushed = new Promise((resolve) => { onFlushed = resolve; });
        node.port.postMessage("flush");
        await Promise.race([flushed, sleep(FLUSH_TIMEOUT_MS)]);
        node.port.onmessage = null;
        releaseMicrophone(stream);
        await context.close();
      },
    };
  });
}

// Start to record. Return an object with `stop`, which returns the recording.
export async function record() {
  return withMicrophone(async (stream) => {
    const mimeType = RECORDING_TYPES.find((type) => MediaRecorder.isTypeSupported(type));
    const recorder = new MediaRecorder(stream, { mimeType, audioBitsPerSecond: RECORDING_BITS_PER_SECOND });
    const parts = [];
    recorder.addEventListener("dataavailable", (event) => parts.push(event.data));
    const stopped = new Promise((resolve) => recorder.addEventListener("stop", resolve, { once: true }));
    recorder.start();
    return {
      stop: async () => {
        recorder.stop();
        await stopped;
        releaseMicrophone(stream);
        return new Blob(parts, { type: recorder.mimeType.split(";")[0] });
      },
    };
  });
}

// Return the duration of an audio or video file in seconds, or null if this browser cannot read it.
export function readDuration(file) {
  const player = document.createElement("video");
  const url = URL.createObjectURL(file);
  return new Promise((resolve) => {
    player.preload = "metadata";
    player.onloadedmetadata = () => resolve(Number.isFinite(player.duration) ? player.duration : null);
    player.onerror = () => resolve(null);
    player.src = url;
  }).finally(() => URL.revokeObjectURL(url));
}

// Return the audio of a file as one channel of samples.
export async function decodeFile(file) {
  if (file.size > MAX_FILE_BYTES) {
    throw new Problem(`${file.name} has ${Math.round(file.size / 1e6)} MB, but this page decodes at most ${MAX_FILE_BYTES / 1e6} MB.`, {
      todo: "Split the file, or use Meetings for long recordings.",
    });
  }
  const context = new OfflineAudioContext(1, 1, FILE_RATE);
  let decoded;
  try {
    decoded = await context.decodeAudioData(await file.arrayBuffer());
  } catch {
    throw new Problem(`${file.name} is not an audio file that this browser can decode.`, { todo: "Convert it to MP3, WAV, FLAC, Ogg, WebM or M4A." });
  }
  const samples = decoded.getChannelData(0).slice();
  for (let channel = 1; channel < decoded.numberOfChannels; channel += 1) {
    decoded.getChannelData(channel).forEach((sample, index) => { samples[index] += sample; });
  }
  return { sampleRate: FILE_RATE, samples: samples.map((sample) => sample / decoded.numberOfChannels) };
}

async function openMicrophone() {
  try {
    return await navigator.mediaDevices.getUserMedia(CONSTRAINTS);
  } catch (error) {
    const messages = { NotAllowedError: "The browser denied this page the microphone.", NotFoundError: "No microphone was found." };
    throw new Problem(messages[error.name] ?? `The microphone cannot be used (${error.name}).`, {
      todo: "Allow it in the browser's address bar, or choose an audio file.",
    });
  }
}

// Open the microphone and call `make`, which may add functions to `cleanups`. If `make` fails, call these and release the microphone,
// because otherwise the browser would still show that it is in use.
async function withMicrophone(make) {
  const stream = await openMicrophone();
  const cleanups = [];
  try {
    return await make(stream, cleanups);
  } catch (failure) {
    releaseMicrophone(stream);
    await Promise.all(cleanups.map((cleanUp) => cleanUp()));
    throw failure;
  }
}

const releaseMicrophone = (stream) => stream.getTracks().forEach((track) => track.stop());
