// Photos into a model's input, one after another: what is the same for pictures of one size is made once.
import { knownOptions } from "../base/check.js";
import { DisposedError, ModelError, show } from "../base/errors.js";
import type { Global } from "../base/globals.js";
import type { TensorSpec } from "../base/spec.js";
import { requireGoing } from "../model/run-options.js";
import type { Tensor } from "../plan/tensor.js";
import { type Runtime, requireRuntime } from "../runtime/runtime.js";
import { explained } from "./explain.js";
import { type Geometry, geometryOf, type Source } from "./geometry.js";
import type { Frame, FrameSource } from "./picture/frame.js";
import { channelsIn, infoOf, type Picture, type RawPicture, requireSize } from "./picture/picture.js";
import { ByteRows, SampledRows } from "./picture/rows.js";
import { type Binary, type KernelOptions, type Kernels, kernelsOf } from "./resample/binary.js";
import { type Band, Resampler } from "./resample/resampler.js";
import { checkedOrientation, checkedRegion, type PreprocessSpec, type Region, SPEC_KEYS } from "./spec.js";
import {
  type ImageDType,
  type ImageModel,
  inputOf,
  requireSame,
  storeOf,
  type Target,
  type TensorOptions,
  targetOfModel,
  targetOfTensor,
} from "./target.js";
import type { View } from "./view.js";

/** What is done to photos, and where they go. */
export interface PreprocessorOptions<D extends ImageDType = ImageDType>
  extends PreprocessSpec,
    TensorOptions<D>,
    KernelOptions {
  /** Whose input is written. Default: a tensor of the preprocessor's own. */
  readonly model?: ImageModel;
  /** Which of the model's inputs; default: the only one. */
  readonly input?: string;
}

/** What is done to one photo. */
export interface PreprocessOptions<D extends ImageDType = ImageDType>
  extends PreprocessSpec,
    TensorOptions<D>,
    KernelOptions {}

/** What one photo has of its own. */
export interface PhotoOptions {
  /** In place of the spec's. */
  readonly orientation?: number;
  /** In place of the spec's. */
  readonly region?: Region;
}

/** And one that comes from a page. */
export interface FrameOptions extends PhotoOptions {
  /** Ends the run when it is aborted; what was written by then stays. Default: none. */
  readonly signal?: Global<"AbortSignal">;
}

const TENSOR_KEYS = ["dtype", "memoryFormat", "wasm"];
const NO_OPTIONS: PhotoOptions = {};
const sameRegion = (a: Region | undefined, b: Region | undefined): boolean =>
  a === b ||
  (a !== undefined &&
    b !== undefined &&
    a.x === b.x &&
    a.y === b.y &&
    a.width === b.width &&
    a.height === b.height &&
    (a.angle ?? 0) === (b.angle ?? 0));

/** Tables and room for pictures of one size. */
interface Plan {
  readonly source: Source;
  readonly geometry: Geometry;
  readonly resampler: Resampler;
  readonly rows: ByteRows | SampledRows;
}

/** Writes photos where a model reads. Made by createPreprocessor(). D: of its tensor. */
export class Preprocessor<D extends ImageDType = "float32"> {
  /** What it writes, where that is no model's: [1, C, H, W]. */
  readonly tensor: Tensor<D> | undefined;
  readonly #runtime: Runtime;
  readonly #kernels: Kernels;
  readonly #target: Target;
  readonly #model: ImageModel | undefined;
  readonly #input: string;
  /** The view of the model's input that was found to be right. */
  #checkedView: ArrayBufferView | undefined;
  #plan: Plan | undefined;
  #isRunning = false;
  #disposed = false;

  /** @internal Use createPreprocessor(). */
  constructor(runtime: Runtime, kernels: Kernels, options: PreprocessorOptions) {
    this.#runtime = runtime;
    this.#kernels = kernels;
    const { model } = options;
    if (model === undefined) {
      this.#target = targetOfTensor(options);
      this.#input = "";
      this.tensor = runtime.empty(this.#target.spec as TensorSpec<D>);
      return;
    }
    const input = inputOf(model, options.input);
    const target = targetOfModel(input, options);
    this.#target = target;
    this.#input = input.name;
    if (target.isOpen) this.tensor = runtime.empty(target.spec as TensorSpec<D>);
    else this.#model = model;
  }

  /** Whether it or its runtime has been disposed. */
  get disposed(): boolean {
    return this.#disposed || this.#runtime.disposed;
  }

  /**
   * Writes a photo where the model reads, to be followed by model.run() without tensors, or to `tensor`. Answers how the photo lies
   * there. Synchronous; allocates only when the photo's size, region or orientation is not that of the one before.
   *
   * @throws TypeError or RangeError for what is no picture or a region outside of it, ShapeError for a model that has come to
   *   other sizes, ModelError while another run goes on, OutOfMemoryError, DisposedError; it can run again.
   */
  run(image: Picture | RawPicture, options: PhotoOptions = NO_OPTIONS): View {
    this.#requireFree();
    if (options !== NO_OPTIONS) knownOptions("run options", options, ["orientation", "region"]);
    const channels = channelsIn(image);
    const { width, height } = infoOf(image);
    const plan = this.#planFor(width, height, channels, options);
    const address = this.#address();
    plan.resampler.run(plan.rows.use(image.data), address);
    plan.rows.done();
    return plan.geometry.view;
  }

  /**
   * As run(), of what a page has: a video, canvas, ImageBitmap, VideoFrame or <img>. Bands of its rows go straight into linear
   * memory (VideoFrame.copyTo), or through a canvas where that is missing.
   *
   * @throws (rejects with) the signal's reason when it is aborted, TypeError for a source without pixels or with such as may not
   *   be read, and what run() throws; it can run again.
   */
  async runFrom(source: FrameSource, options: FrameOptions = {}): Promise<View> {
    this.#requireFree();
    knownOptions("run options", options, ["orientation", "region", "signal"]);
    const { signal } = options;
    if (signal !== undefined && typeof signal?.aborted !== "boolean")
      throw new TypeError(`"signal" expected an AbortSignal, got ${show(signal)}`);
    requireGoing(signal);
    this.#isRunning = true;
    let frame: Frame | undefined;
    try {
      const { openFrame } = await import("./picture/frame.js"); // only pages need it
      this.#requireGoing(signal);
      frame = openFrame(source);
      requireSize(frame.width, frame.height);
      const plan = this.#planFor(frame.width, frame.height, 4, options);
      if (plan.geometry.sampled !== undefined || plan.geometry.isTransposed) {
        const data = new Uint8Array(frame.width * frame.height * 4);
        await frame.bring(() => data, 0, 0, frame.height);
        this.#requireGoing(signal);
        plan.resampler.run(plan.rows.use(data), this.#address());
        plan.rows.done();
      } else {
        for (const band of plan.resampler.bands) await this.#bring(frame, plan, band, signal);
      }
      return plan.geometry.view;
    } finally {
      this.#isRunning = false;
      frame?.close();
      if (this.#disposed) this.#free();
    }
  }

  async #bring(
    frame: Frame,
    { resampler }: Plan,
    band: Band,
    signal: Global<"AbortSignal"> | undefined,
  ): Promise<void> {
    const { heap } = this.#kernels.engine;
    for (const { from, to } of band.runs) {
      await frame.bring(() => heap.u8, resampler.addressOf(band, from), from, to);
      this.#requireGoing(signal);
    }
    resampler.runBand(band, this.#address());
  }

  /**
   * What is done to a picture, in words, a step after another: "1920x1080 -> 455x256 bilinear antialiased -> crop 224x224 at (116,
   * 16) -> RGB -> …". Of a picture of this size; default: the one that ran last.
   *
   * @throws ModelError where none has run yet, TypeError or RangeError for what is no size, DisposedError.
   */
  explain(size?: Pick<Picture, "width" | "height">): string {
    this.#requireAlive();
    const target = this.#target;
    if (size === undefined) {
      if (this.#plan === undefined)
        throw new ModelError(`"size" expected { width, height } before the first run, got none`);
      return explained(target, this.#plan.source, this.#plan.geometry);
    }
    requireSize(size?.width, size?.height);
    const { orientation, region } = target.checked;
    const source = { width: size.width, height: size.height, channels: 4, orientation, region };
    return explained(target, source, geometryOf(target.checked, source, target.width, target.height));
  }

  /** Gives its memory back, and that of its tensor. Disposing twice is harmless. */
  dispose(): void {
    if (this.disposed) return;
    this.#disposed = true;
    if (!this.#isRunning) this.#free(); // else when nobody writes there any more
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #free(): void {
    if (this.#runtime.disposed) return;
    this.#plan?.resampler.dispose();
    this.tensor?.dispose();
  }

  #requireAlive(): void {
    if (this.disposed) throw new DisposedError(`"preprocessor" expected a live preprocessor, got a disposed one`);
  }

  #requireFree(): void {
    this.#requireAlive();
    if (this.#isRunning) throw new ModelError(`"preprocessor" expected one run at a time, got two`);
  }

  #requireGoing(signal: Global<"AbortSignal"> | undefined): void {
    requireGoing(signal);
    this.#requireAlive();
  }

  /** Where the model's input lies now. */
  #address(): number {
    if (this.#model === undefined) return (this.tensor as Tensor<D>).ptr;
    const view = this.#model.input(this.#input);
    if (view !== this.#checkedView) {
      requireSame(inputOf(this.#model, this.#input), this.#target);
      if (view.buffer !== this.#kernels.engine.heap.memory.buffer)
        throw new TypeError(`"model" expected a model of this runtime, got another runtime's`);
      this.#checkedView = view;
    }
    return view.byteOffset;
  }

  #planFor(width: number, height: number, channels: number, options: PhotoOptions): Plan {
    const { checked } = this.#target;
    const { orientation = checked.orientation, region = checked.region } = options;
    const known = this.#plan;
    if (known !== undefined) {
      const { source } = known;
      const isSize = source.width === width && source.height === height && source.channels === channels;
      if (isSize && source.orientation === orientation && sameRegion(source.region, region)) return known;
    }
    const source = {
      ...{ width, height, channels },
      orientation: checkedOrientation(orientation),
      region: region && checkedRegion(region),
    };
    const plan = planOf(this.#kernels, this.#target, source, () => {
      this.#plan = undefined;
      known?.resampler.dispose();
    });
    this.#plan = plan;
    return plan;
  }
}

/** replace: called when all is checked, before memory is taken. */
function planOf(kernels: Kernels, target: Target, source: Source, replace: () => void): Plan {
  const geometry = geometryOf(target.checked, source, target.width, target.height);
  const { sampling, sampled, isTransposed, isSame } = geometry;
  const store = storeOf(target, isSame);
  replace();
  const resampler = new Resampler(kernels, sampling, store);
  const { width, height, channels } = source;
  const rows = sampled
    ? new SampledRows(sampled, [width, height, channels], sampling.width, target.checked.fill)
    : new ByteRows(width * channels, channels, isTransposed ? width : undefined);
  return { source, geometry, resampler, rows };
}

/** What createPreprocessor() is. */
export interface CreatePreprocessor {
  /**
   * Without a model: what it writes is its `tensor`.
   *
   * @throws TypeError or RangeError for an option, UnsupportedError for a binary that does not do, OutOfMemoryError, DisposedError.
   */
  <D extends ImageDType = "float32">(
    runtime: Runtime,
    options: PreprocessorOptions<D> & { readonly model?: undefined },
  ): Preprocessor<D> & { readonly tensor: Tensor<D> };
  /**
   * Of a model: what it writes is the model's input, or its `tensor` where that leaves sizes open.
   *
   * @throws as without one, and ModelError for an input that the model lacks, ShapeError for one that is no image, of other channels
   *   or sizes, or of open sizes without `size`.
   */
  <D extends ImageDType = "float32">(runtime: Runtime, options: PreprocessorOptions<D>): Preprocessor<D>;
}

/** createPreprocessor() of an entry that has its binary so. */
export const makeCreatePreprocessor = (binary: Binary): CreatePreprocessor =>
  ((runtime: Runtime, options: PreprocessorOptions): Preprocessor => {
    requireRuntime(runtime);
    knownOptions("preprocessor options", options, [...SPEC_KEYS, ...TENSOR_KEYS, "model", "input"]);
    return new Preprocessor(runtime, kernelsOf(runtime, binary, options.wasm), options);
  }) as CreatePreprocessor;

/** preprocess() of an entry that has its binary so. */
export const makePreprocess =
  (binary: Binary) =>
  <D extends ImageDType = "float32">(
    runtime: Runtime,
    image: Picture | RawPicture,
    options: PreprocessOptions<D>,
  ): Tensor<D> => {
    requireRuntime(runtime);
    knownOptions("preprocess options", options, [...SPEC_KEYS, ...TENSOR_KEYS]);
    const kernels = kernelsOf(runtime, binary, options.wasm);
    const target = targetOfTensor(options);
    const { orientation, region } = target.checked;
    const channels = channelsIn(image);
    const { width, height } = infoOf(image);
    const { resampler, rows } = planOf(kernels, target, { width, height, channels, orientation, region }, () => {});
    try {
      const tensor = runtime.empty(target.spec as TensorSpec<D>);
      resampler.run(rows.use(image.data), tensor.ptr);
      return tensor;
    } finally {
      resampler.dispose();
    }
  };
