// Cuts speech into utterances where the speaker pauses, and long ones where they are quietest. Pure.

const FRAME_SECONDS = 0.02;
const PAUSE_FRAMES = 18; // longer than the gap between two words
const EDGE_FRAMES = 10; // of silence that stays around an utterance
const LONGEST_FRAMES = 230; // below the five seconds that an utterance may have
const SEARCH_FRAMES = 75; // in which a long one is cut
const FEWEST_LOUD = 5; // a click is no speech
const [QUIETEST, LOUDEST] = [0.008, 0.03]; // between which the threshold follows the room

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

  // Utterances that these samples complete.
  feed(samples) {
    const found = [];
    const all = new Float32Array(this.#rest.length + samples.length);
    all.set(this.#rest);
    all.set(samples, this.#rest.length);
    let start = 0;
    for (; start + this.#size <= all.length; start += this.#size) {
      const one = this.#hear(all.slice(start, start + this.#size));
      if (one) found.push(one);
    }
    this.#rest = all.slice(start);
    return found;
  }

  // What the end completes.
  finish() {
    const one = this.#speaking ? this.#cut(this.#frames.length) : null;
    [this.#frames, this.#levels, this.#speaking, this.#quiet] = [[], [], false, 0];
    return one ? [one] : [];
  }

  #hear(frame) {
    const level = Math.sqrt(frame.reduce((sum, one) => sum + one * one, 0) / frame.length);
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
    return from + this.#levels.slice(from).reduce((best, one, at, all) => (one <= all[best] ? at : best), 0) + 1;
  }

  // Takes the first frames out, as an utterance if somebody speaks in them.
  #cut(count) {
    const [frames, levels] = [this.#frames.slice(0, count), this.#levels.slice(0, count)];
    this.#keep(count);
    if (levels.filter((one) => one > this.#threshold).length < FEWEST_LOUD) return null;
    const samples = new Float32Array(frames.length * this.#size);
    frames.forEach((one, at) => samples.set(one, at * this.#size));
    return samples;
  }

  #keep(from) {
    if (from <= 0) return;
    this.#frames = this.#frames.slice(from);
    this.#levels = this.#levels.slice(from);
  }
}
