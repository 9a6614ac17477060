// Conversion of samples to a lower sample rate. A low-pass filter (a windowed sinc) removes the tones that are too high for the new rate,
// because they would be heard as wrong lower tones (aliasing).

const ZERO_CROSSINGS = 16; // on each side of a sample; more of them make the filter steeper
const PASSED_SHARE = 0.94; // cutoff frequency, as a share of half the new rate

// Return the samples at the new rate, or unchanged if their rate is not above it.
export function resample(samples, sampleRate, newRate) {
  if (sampleRate <= newRate) return { samples, sampleRate };
  const step = sampleRate / newRate;
  const cutoff = PASSED_SHARE / step; // as a share of half the old rate
  const halfWidth = ZERO_CROSSINGS / cutoff;
  const resampled = Float32Array.from({ length: Math.floor(samples.length / step) }, (_, index) => {
    const center = index * step;
    const [from, to] = [Math.max(0, Math.ceil(center - halfWidth)), Math.min(samples.length - 1, Math.floor(center + halfWidth))];
    let [sum, weights] = [0, 0];
    for (let position = from; position <= to; position += 1) {
      const weight = filterWeight(position - center, cutoff, halfWidth);
      sum += weight * samples[position];
      weights += weight;
    }
    return sum / weights;
  });
  return { samples: resampled, sampleRate: newRate };
}

// Sinc function with a Hann window.
function filterWeight(distance, cutoff, halfWidth) {
  const angle = Math.PI * distance * cutoff;
  const sinc = angle === 0 ? 1 : Math.sin(angle) / angle;
  return sinc * (0.5 + 0.5 * Math.cos((Math.PI * distance) / halfWidth));
}
