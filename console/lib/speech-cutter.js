// Cutter that splits the speech of a microphone or file into utterances of a few seconds, which are sent one by one. It cuts at pauses of
// the speaker, and in long speech at the quietest moment.

const FRAME_SECONDS = 0.02;
const PAUSE_FRAMES = 18; // quiet frames that end an utterance; longer than the gap between two words
const EDGE_FRAMES = 10; // quiet frames that are kept before and after an utterance
const MAX_FRAMES = 230; // 4.6 seconds; the server accepts utterances of up to 5 seconds
const SEARCH_FRAMES = 75; // final part of long speech in which the quietest moment is searched
const MIN_LOUD_FRAMES = 5; // in an utterance, so that a click is not sent as speech
const [MIN_THRESHOLD, MAX_THRESHOLD] = [0.008, 0.03]; // limits of the loudness threshold, which adapts to background noise

export class SpeechCutter {
  #frameSize;
  #incompleteFrame = new Float32Array(0);
  #frames = []; // frames that do not belong to an utterance yet
  #levels = []; // loudness of each of these frames (root mean square)
  #isSpeaking = false;
  #quietFrames = 0; // number of quiet frames after the last loud one
  #noiseLevel = MIN_THRESHOLD / 3;

  constructor(sampleRate) {
    this.#frameSize = Math.round(sampleRate * FRAME_SECONDS);
  }

  // Add samples. Return the utterances that they complete.
  feed(samples) {
    const utterances = [];
    const all = new Float32Array(this.#incompleteFrame.length + samples.length);
    all.set(this.#incompleteFrame);
    all.set(samples, this.#incompleteFrame.length);
    let start = 0;
    for (; start + this.#frameSize <= all.length; start += this.#frameSize) {
      const utterance = this.#addFrame(all.slice(start, start + this.#frameSize));
      if (utterance) utterances.push(utterance);
    }
    this.#incompleteFrame = all.slice(start);
    return utterances;
  }

  // End the speech. Return an array with the last utterance, or an empty one if there is none.
  finish() {
    const utterance = this.#isSpeaking ? this.#cut(this.#frames.length) : null;
    [this.#frames, this.#levels, this.#isSpeaking, this.#quietFrames] = [[], [], false, 0];
    return utterance ? [utterance] : [];
  }

  #addFrame(frame) {
    const level = Math.sqrt(frame.reduce((sum, sample) => sum + sample * sample, 0) / frame.length);
    // The noise level falls at once to a quieter frame and rises slowly, by half a per cent per frame.
    this.#noiseLevel = level < this.#noiseLevel ? level : Math.min(this.#noiseLevel * 1.005 + 1e-6, MAX_THRESHOLD / 3);
    const isLoud = level > this.#threshold;
    this.#frames.push(frame);
    this.#levels.push(level);
    this.#quietFrames = isLoud ? 0 : this.#quietFrames + 1;
    if (!this.#isSpeaking) {
      this.#isSpeaking = isLoud;
      if (!isLoud) this.#dropFrames(this.#frames.length - EDGE_FRAMES);
      return null;
    }
    if (this.#quietFrames >= PAUSE_FRAMES) {
      this.#isSpeaking = false;
      return this.#cut(this.#frames.length - PAUSE_FRAMES + EDGE_FRAMES);
    }
    return this.#frames.length >= MAX_FRAMES ? this.#cut(this.#findCutPosition()) : null;
  }

  get #threshold() {
    return Math.min(MAX_THRESHOLD, Math.max(MIN_THRESHOLD, this.#noiseLevel * 3));
  }

  #findCutPosition() {
    const from = this.#levels.length - SEARCH_FRAMES;
    return from + this.#levels.slice(from).reduce((best, level, index, all) => (level <= all[best] ? index : best), 0) + 1;
  }

  // Remove the first `count` frames. Return them as an utterance, or null if too few of them are loud.
  #cut(count) {
    const [frames, levels] = [this.#frames.slice(0, count), this.#levels.slice(0, count)];
    this.#dropFrames(count);
    if (levels.filter((level) => level > this.#threshold).length < MIN_LOUD_FRAMES) return null;
    const samples = new Float32Array(frames.length * this.#frameSize);
    frames.forEach((frame, index) => samples.set(frame, index * this.#frameSize));
    return samples;
  }

  #dropFrames(count) {
    if (count <= 0) return;
    this.#frames = this.#frames.slice(count);
    this.#levels = this.#levels.slice(count);
  }
}
