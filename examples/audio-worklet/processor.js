// Denoises inside of process(): a network runs on the audio thread, in less than a tenth of the 2.7 ms that there are, and leaves nothing for
// the garbage collector. import() is forbidden here, so: lanewise/inline.
import { createRuntimeSync } from "lanewise/inline";
import { loadOnnx } from "lanewise/inline/onnx";

const BLOCK = 128;

/** Power of white noise of 0 dB in a frequency, by the window, and how far above that a sound has to be to be kept. */
const FLOOR = 128 * 4;

class Denoise extends AudioWorkletProcessor {
  static get parameterDescriptors() {
    return [{ name: "noise", defaultValue: -50, minValue: -100, maxValue: 0, automationRate: "k-rate" }];
  }

  #model;
  #past = new Float32Array(3 * BLOCK); // the last blocks: a run may write over its inputs
  #sound;
  #floor;
  #whole; // the middle block of what comes out

  constructor({ processorOptions: { file } }) {
    super();
    this.#load(file).then(
      () => this.port.postMessage("ready"),
      (error) => this.port.postMessage({ error: error.message }),
    );
  }

  async #load(file) {
    const rt = createRuntimeSync({ maxBytes: 8e6 });
    const model = await loadOnnx(rt, file);
    this.#sound = model.input("sound");
    this.#floor = model.input("floor");
    this.#whole = model.output("clean").subarray(BLOCK, 2 * BLOCK);
    this.#model = model; // views stay as they are: nothing else takes memory of this runtime
  }

  /** Until the network is there, and for blocks of another size, sound goes through as it is. */
  process(inputs, outputs, parameters) {
    const input = inputs[0][0];
    const output = outputs[0][0];
    if (input === undefined) return true;
    if (this.#model === undefined || input.length !== BLOCK) {
      output.set(input);
      return true;
    }
    this.#past.copyWithin(0, BLOCK);
    this.#past.set(input, 2 * BLOCK);
    this.#sound.set(this.#past);
    this.#floor[0] = FLOOR * 10 ** (parameters.noise[0] / 10);
    this.#model.run();
    output.set(this.#whole);
    return true;
  }
}

registerProcessor("denoise", Denoise);
