// A tensor: a shape over a block of linear memory.

import type { Shape } from "../base/check.js";
import { DisposedError } from "../base/errors.js";
import {
  axisOrder,
  bytesOf,
  DTYPES,
  type DType,
  type MemoryFormat,
  type TensorData,
  type TensorSpec,
} from "../base/spec.js";
import type { Engine } from "../engine/engine.js";

/** Where tensors, plans and runtimes keep what is no user's business: release() under a live tensor would give its bytes away. */
export const OWNER = Symbol("owner");

/** What a tensor needs of the runtime or model that made it. */
export interface TensorOwner {
  readonly engine: Engine;
  readonly disposed: boolean;
  /** What tensors' addresses count from: of a model's own, where the arena lies that it ran in. */
  readonly base: number;
  /** What the model's tensors share an arena by. */
  readonly shared?: object;
  /** Called when the tensor is disposed; answers whether that ends it (a model's own tensors live on). */
  release(tensor: Tensor<DType>): boolean;
  clone<D extends DType>(tensor: Tensor<D>): Tensor<D>;
}

/**
 * Elements in linear memory. Made by runtime.tensor(), zeros() and empty(), and by operators. `Tensor` alone is one of float32, as
 * all that computes takes and answers; `Tensor<DType>` is one of any dtype.
 */
export class Tensor<D extends DType = "float32"> {
  /** Shape, dtype and memory format in one. */
  readonly spec: TensorSpec<D>;
  /** @internal */
  readonly [OWNER]: TensorOwner;
  readonly #ptr: number;
  #view: TensorData<D> | undefined;
  #disposed = false;

  /** @internal Use runtime.tensor(). ptr: from owner.base on. */
  constructor(owner: TensorOwner, spec: TensorSpec<D>, ptr: number) {
    this[OWNER] = owner;
    this.spec = spec;
    this.#ptr = ptr;
  }

  /** Logical dimensions, [N, C, H, W] for images, whatever the memory format. */
  get shape(): Shape {
    return this.spec.shape;
  }

  /** Kind of its elements. */
  get dtype(): D {
    return this.spec.dtype;
  }

  /** Order of its elements in memory, and so in `data`. */
  get memoryFormat(): MemoryFormat {
    return this.spec.memoryFormat;
  }

  /** Number of dimensions, 0 to 8. */
  get rank(): number {
    return this.spec.shape.length;
  }

  /** Number of elements. */
  get size(): number {
    return bytesOf(this.spec) / DTYPES[this.spec.dtype].BYTES_PER_ELEMENT;
  }

  /** Bytes of its elements. */
  get bytes(): number {
    return bytesOf(this.spec);
  }

  /** Whether it, or what owns it, has been disposed. */
  get disposed(): boolean {
    return this.#disposed || this[OWNER].disposed;
  }

  /** Address in linear memory, in bytes. @throws DisposedError */
  get ptr(): number {
    if (this.disposed) throw new DisposedError(`"tensor" expected a live tensor, got a disposed one`);
    return this[OWNER].base + this.#ptr;
  }

  /**
   * A live view of the elements in memory order. Read it anew after anything that may allocate: growth detaches old views. It is
   * a view of all of the runtime's memory, and structuredClone() or postMessage() of it copies all of that: send toArray(). Of a
   * runtime with threads its buffer is a SharedArrayBuffer, which these share, and TextDecoder, ImageData and others refuse.
   *
   * @throws DisposedError
   */
  get data(): TensorData<D> {
    const ptr = this.ptr;
    const { heap } = this[OWNER].engine;
    if (this.#view?.buffer !== heap.memory.buffer || this.#view.byteOffset !== ptr) {
      this.#view = heap.view(this.dtype, ptr, this.size) as TensorData<D>;
    }
    return this.#view as TensorData<D>;
  }

  /** A copy of the elements in logical (N, C, H, W) order. @throws DisposedError */
  toArray(): TensorData<D> {
    const { data, shape } = this;
    const copy = data.slice() as TensorData<D>;
    if (this.memoryFormat === "contiguous") return copy;
    // Memory order is N, spatial…, C: one transposition of [spatial, C] a batch element.
    const order = axisOrder(shape.length, this.memoryFormat);
    const batch = shape[0] as number;
    const channels = shape[order.at(-1) as number] as number;
    const spatial = this.size / batch / channels;
    let at = 0;
    for (let n = 0; n < batch; n++) {
      for (let c = 0; c < channels; c++) {
        for (let i = 0; i < spatial; i++) copy[at++] = data[(n * spatial + i) * channels + c] as never;
      }
    }
    return copy;
  }

  /** A new tensor of the runtime's, with the same contents. @throws DisposedError, OutOfMemoryError */
  clone(): Tensor<D> {
    return this[OWNER].clone(this);
  }

  /** Gives the memory back. Disposing twice is harmless. */
  dispose(): void {
    if (this.disposed || !this[OWNER].release(this)) return;
    this.#disposed = true;
    this.#view = undefined;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
