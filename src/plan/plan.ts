// A plan: one operator, its kernel calls bound, run by tensors.
import { sameShape } from "../base/check.js";
import { DisposedError, ShapeError, show } from "../base/errors.js";
import { type DType, showSpec, type TensorSpec } from "../base/spec.js";
import type { Engine } from "../engine/engine.js";
import type { Builder, PlanDescription } from "./builder.js";
import type { Operand } from "./operand.js";
import { Program } from "./program.js";
import { OWNER, type Tensor } from "./tensor.js";

/** What a plan needs of the runtime that made it. */
export interface PlanOwner {
  readonly engine: Engine;
  readonly disposed: boolean;
  /** Called when the plan is disposed. */
  released(plan: Plan<DType>): void;
}

/**
 * One operator, planned for fixed shapes: validated, algorithm chosen, weights packed, workspace reserved. Made by runtime.plan.*, by
 * shapes of the inputs and parameters by name. D: of its output.
 *
 * @example
 * ```js
 * import { createRuntime } from "lanewise";
 *
 * const rt = await createRuntime();
 * const weight = rt.zeros([32, 16, 3, 3]);
 * const plan = rt.plan.conv2d({ input: [1, 16, 28, 28], weight, padding: 1 });
 * plan.describe().reason; // why this algorithm
 * const x = rt.zeros([1, 16, 28, 28]);
 * const y = rt.empty(plan.outputs[0]);
 * for (let i = 0; i < 10; i++) plan.run(x, y); // writes y; allocates nothing
 * plan.dispose();
 * ```
 */
export class Plan<D extends DType = "float32"> {
  readonly #owner: PlanOwner;
  readonly #builder: Builder;
  readonly #program: Program;
  readonly #pointers: number[] = []; // of the operands of a run: inputs, then outputs
  readonly #resident: Tensor<DType>[]; // parameters that a run reads in place
  #disposed = false;

  /** @internal Use runtime.plan.*. */
  constructor(owner: PlanOwner, builder: Builder, params: readonly (Tensor<DType> | undefined)[]) {
    this.#owner = owner;
    this.#builder = builder;
    this.#program = new Program(
      owner.engine,
      builder,
      params.map((tensor) => tensor?.ptr),
    );
    this.#resident = params.filter(
      (tensor, i): tensor is Tensor<DType> => tensor !== undefined && builder.readsParam(i),
    );
  }

  /** Algorithm, reason, MACs, workspace bytes and output shape. */
  describe(): PlanDescription {
    return this.#builder.describe();
  }

  /** What run() wants its outputs to be, in order. */
  get outputs(): readonly TensorSpec<D>[] {
    return this.#builder.outputs.map((output) => output.spec as TensorSpec<D>);
  }

  /**
   * Runs on inputs and writes the outputs, given in this order; answers the first output. Allocates nothing.
   *
   * @throws ShapeError when a tensor is not as planned, DisposedError when one is gone, TypeError for a wrong number of tensors
   *   or another runtime's, RangeError for an output that is an input (where the operator does not work in place).
   */
  run(...tensors: Tensor<DType>[]): Tensor<D> {
    if (this.#disposed || this.#owner.disposed)
      throw new DisposedError(`"plan" expected a live plan, got a disposed one`);
    const { inputs, outputs, inPlace } = this.#builder;
    if (tensors.length !== inputs.length + outputs.length) {
      throw new TypeError(
        `"run" expected ${inputs.length} input and ${outputs.length} output tensors, got ${tensors.length} tensors`,
      );
    }
    for (let i = 0; i < tensors.length; i++) {
      const output = i - inputs.length;
      const { spec } = (output < 0 ? inputs[i] : outputs[output]) as Operand;
      this.#check(output < 0 ? "input" : "output", output < 0 ? i : output, spec, tensors[i] as Tensor<DType>);
      if (output < 0) continue;
      const first = tensors.indexOf(tensors[i] as Tensor<DType>);
      if (first < i && !inPlace.includes(first)) {
        const taken = first < inputs.length ? "an input" : "another output";
        throw new RangeError(`"output ${output}" expected a tensor of its own, got ${taken}`);
      }
    }
    for (const tensor of this.#resident) tensor.ptr; // throws when disposed
    for (let i = 0; i < tensors.length; i++) this.#pointers[i] = (tensors[i] as Tensor<DType>).ptr;
    this.#program.bind(this.#pointers, inputs.length);
    this.#program.run();
    return tensors[inputs.length] as Tensor<D>;
  }

  #check(kind: "input" | "output", index: number, spec: TensorSpec, tensor: Tensor<DType>): void {
    if (tensor?.[OWNER]?.engine !== this.#owner.engine) {
      throw new TypeError(`"${kind} ${index}" expected a tensor of this runtime, got ${show(tensor)}`);
    }
    tensor.ptr; // throws when disposed
    if (
      sameShape(tensor.shape, spec.shape) &&
      tensor.dtype === spec.dtype &&
      tensor.memoryFormat === spec.memoryFormat
    ) {
      return;
    }
    throw new ShapeError(`"${kind} ${index}" expected ${showSpec(spec)}, got ${showSpec(tensor.spec)}`);
  }

  /** Gives the memory back. Disposing twice is harmless. */
  dispose(): void {
    if (this.#disposed || this.#owner.disposed) return;
    this.#disposed = true;
    this.#program.dispose();
    this.#owner.released(this);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
