// A model's weights as they lie on the host, by name.

import { elements, tagOf } from "../base/check.js";
import { digest } from "../base/digest.js";
import { ModelError, show } from "../base/errors.js";
import { countOf } from "../base/shape.js";
import { DTYPES, type DType, holds, makeSpec, type TensorData, type TensorSpec } from "../base/spec.js";

/** A tensor outside of linear memory, contiguous. */
export interface HostTensor {
  /** Logical dimensions. */
  readonly shape: readonly number[];
  /** Kind of the elements: that of `data`. */
  readonly dtype: DType;
  /** As many elements as the shape has, last axis fastest. */
  readonly data: TensorData;
}

/** A tensor that holds no elements, only where they come from: they are made for who asks, anew every time. */
export class DeferredTensor implements HostTensor {
  constructor(
    readonly shape: readonly number[],
    readonly dtype: DType,
    /** Writes the bytes from `from` on, as many as there is room for; `to` starts on a whole element. */
    readonly write: (to: Uint8Array, from: number) => void,
    /** The same of the transposed matrix, where that is what there is. */
    readonly turned?: DeferredTensor["write"],
  ) {}

  get data(): TensorData {
    const data = new DTYPES[this.dtype](countOf(this.shape));
    this.write(new Uint8Array(data.buffer), 0);
    return data;
  }
}

/** Writes bytes of a tensor from `from` on: see DeferredTensor. */
export function writerOf(tensor: HostTensor): DeferredTensor["write"] {
  if (tensor instanceof DeferredTensor) return tensor.write;
  const { buffer, byteOffset } = tensor.data;
  return (to, from) => to.set(new Uint8Array(buffer, byteOffset + from, to.length));
}

/** Tensors by parameter name. */
export type WeightMap = ReadonlyMap<string, HostTensor>;
/** What createModel takes: a map as readSafetensors answers it, or a plain object. */
export type Weights = WeightMap | Readonly<Record<string, HostTensor>>;

/** The weight of this name, checked. Throws ModelError where there is none, or its data is not of its shape and dtype. */
function weightOf(weights: Weights, name: string): HostTensor {
  if (typeof weights !== "object" || weights === null)
    throw new TypeError(`"weights" expected a map of tensors, got ${show(weights)}`);
  const record = weights as Readonly<Record<string, HostTensor>>;
  const tensor =
    tagOf(weights) === "Map"
      ? (weights as WeightMap).get(name)
      : Object.hasOwn(record, name)
        ? record[name]
        : undefined;
  if (tensor === undefined) throw new ModelError(`"weights" expected a tensor ${show(name)}, got none`);
  if (tensor instanceof DeferredTensor) return tensor;
  if (typeof tensor !== "object" || tensor === null) {
    throw new ModelError(`${show(name)} expected a tensor with shape, dtype and data, got ${show(tensor)}`);
  }
  const type = Object.hasOwn(DTYPES, tensor.dtype) ? DTYPES[tensor.dtype] : undefined;
  if (type === undefined || !holds(tensor.dtype, tensor.data)) {
    throw new ModelError(`${show(name)} expected data of its dtype ${show(tensor.dtype)}, got ${show(tensor.data)}`);
  }
  const count = elements(name, tensor.shape, type.BYTES_PER_ELEMENT);
  if (tensor.data.length !== count) {
    throw new ModelError(
      `${show(name)} expected ${count} elements for ${show(tensor.shape)}, got ${tensor.data.length}`,
    );
  }
  return tensor;
}

/** Where parameters come from. All throw ModelError for a name they do not know. */
export interface Source {
  specOf(name: string): TensorSpec;
  tensorOf(name: string): HostTensor;
  /** What a parameter holds: the same for the same bytes. `tensor` answers one that is made of others. */
  identityOf(name: string, tensor?: () => HostTensor): string;
}

/** Names for what tensors hold. Those whose elements come from somewhere go by that, others by their elements. */
export class Identities {
  readonly #known = new WeakMap<object, string>();
  #count = 0;

  of(tensor: HostTensor): string {
    const from = tensor instanceof DeferredTensor ? tensor.write : tensor.data;
    const known = this.#known.get(from);
    if (known !== undefined) return known;
    const identity = tensor instanceof DeferredTensor ? `#${this.#count++}` : digest(tensor.data);
    this.#known.set(from, identity);
    return identity;
  }
}

/** identities: for graphs that have other names for the same parameters, and the same for others; without them names say it. */
export function sourceOf(weights: Weights, identities?: Identities): Source {
  const tensorOf = (name: string) => weightOf(weights, name);
  const identityOf: Source["identityOf"] = (name, tensor = () => tensorOf(name)) => identities?.of(tensor()) ?? name;
  const specOf = (name: string) => {
    const { shape, dtype } = tensorOf(name);
    return makeSpec(shape, dtype, "contiguous", name);
  };
  return { specOf, tensorOf, identityOf };
}
