// Audio worklet that sends the microphone's samples to the page in pieces of about 40 ms.

class SampleSender extends AudioWorkletProcessor {
  #buffer = new Float32Array(2048);
  #filled = 0;

  // When the page stops listening, it asks for the incomplete piece, so that the end of the last word is not lost.
  constructor() {
    super();
    this.port.onmessage = () => {
      if (this.#filled) this.port.postMessage(this.#buffer.slice(0, this.#filled));
      this.#filled = 0;
      this.port.postMessage("flushed");
    };
  }

  process([[samples]]) {
    if (!samples) return true;
    this.#buffer.set(samples, this.#filled);
    this.#filled += samples.length;
    if (this.#filled === this.#buffer.length) {
      this.port.postMessage(this.#buffer);
      this.#filled = 0;
    }
    return true;
  }
}

registerProcessor("sample-sender", SampleSender);
