// Splitter of speech into utterances: at pauses of the speaker, and in long speech at the quietest moment.

const FRAME_SECONDS = 0.02;
const PAUSE_FRAMES = 18; // longer than the gap between two words
const EDGE_FRAMES = 10; // silence that is kept before and after an utterance
const LONGEST_FRAMES = 230; // 4.6 seconds; the server accepts utterances of up to 5 seconds
const SEARCH_FRAMES = 75; // final part of long speech in which the quietest moment is searched
const FEWEST_LOUD = 5; // minimum of loud frames, so that a click is not sent as speech
const [QUIETEST, LOUDEST] = [0.008, 0.03]; // limits of the loudness threshold, which adapts to background noise

export class Cutter {
  #size;
  #rest = new Float32Array(0);
  #frames = [];
  #levels = [];
  #speaking = false;
  #quiet = 0;
  #floor = QUIETEST / 3;

  constructor(sampleRate) {
    this.#size = Math.round(sampleRate * FRAME_SECONDS);
  }

  // Add samples. Return the utterances that they complete.
  feed(samples) {
    const utterances = [];
    const all = new Float32Array(this.#rest.length + samples.length);
    all.set(this.#rest);
    all.set(samples, this.#rest.length);
    let start = 0;
    for (; start + this.#size <= all.length; start += this.#size) {
      const utterance = this.#addFrame(all.slice(start, start + this.#size));
      if (utterance) utterances.push(utterance);
    }
    this.#rest = all.slice(start);
    return utterances;
  }

  // End the speech. Return the last utterance, if there is one.
  finish() {
    const utterance = this.#speaking ? this.#cut(this.#frames.length) : null;
    [this.#frames, this.#levels, this.#speaking, this.#quiet] = [[], [], false, 0];
    return utterance ? [utterance] : [];
  }

  #addFrame(frame) {
    const level = Math.sqrt(frame.reduce((sum, sample) => sum + sample * sample, 0) / frame.length);
    this.#floor = level < this.#floor ? level : Math.min(this.#floor * 1.005 + 1e-6, LOUDEST / 3);
    const loud = level > this.#threshold;
    this.#frames.push(frame);
    this.#levels.push(level);
    this.#quiet = loud ? 0 : this.#quiet + 1;
    if (!this.#speaking) {
      this.#speaking = loud;
      if (!loud) this.#keep(this.#frames.length - EDGE_FRAMES);
      return null;
    }
    if (this.#quiet >= PAUSE_FRAMES) {
      this.#speaking = false;
      return this.#cut(this.#frames.length - PAUSE_FRAMES + EDGE_FRAMES);
    }
    return this.#frames.length >= LONGEST_FRAMES ? this.#cut(this.#quietest()) : null;
  }

  get #threshold() {
    return Math.min(LOUDEST, Math.max(QUIETEST, this.#floor * 3));
  }

  #quietest() {
    const from = this.#levels.length - SEARCH_FRAMES;
    return from + this.#levels.slice(from).reduce((best, level, at, all) => (level <= all[best] ? at : best), 0) + 1;
  }

  // Remove the first frames. Return them as an utterance if enough of them are loud.
  #cut(count) {
    const [frames, levels] = [this.#frames.slice(0, count), this.#levels.slice(0, count)];
    this.#keep(count);
    if (levels.filter((level) => level > this.#threshold).length < FEWEST_LOUD) return null;
    const samples = new Float32Array(frames.length * this.#size);
    frames.forEach((frame, at) => samples.set(frame, at * this.#size));
    return samples;
  }

  #keep(from) {
    if (from <= 0) return;
    this.#frames = this.#frames.slice(from);
    this.#levels = this.#levels.slice(from);
  }
}
