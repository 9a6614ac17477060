// Audio worklet that sends the microphone's samples to the page in pieces of about 40 ms.

class Hearing extends AudioWorkletProcessor {
  #piece = new Float32Array(2048);
  #filled = 0;

  process([[samples]]) {
    if (!samples) return true;
    this.#piece.set(samples, this.#filled);
    this.#filled += samples.length;
    if (this.#filled === this.#piece.length) {
      this.port.postMessage(this.#piece);
      this.#filled = 0;
    }
    return true;
  }
}

registerProcessor("hearing", Hearing);
