// Branches and loops that only a run decides: their graphs, a node at a time in JavaScript. An operator here is given the inputs of
// its node, then the values that its graphs may read outside themselves, in the order of readsOf().
import { ModelError, show, UnsupportedError } from "../../base/errors.js";
import { countOf } from "../../base/shape.js";
import { elementType } from "../file/element-type.js";
import { atNode, opsetOf } from "../file/node.js";
import { readsOf, sorted } from "../file/order.js";
import { int64s, type PlainTensor, reshaped } from "../file/plain-tensor.js";
import type { GraphProto, TensorProto, ValueInfoProto } from "../file/proto.js";
import { readTensorProto } from "../file/tensor.js";
import { concat } from "./arranging.js";
import { type Context, type HostOp, need } from "./context.js";
import { pick } from "./indexing.js";
import { make } from "./make.js";

/** Of one loop. */
const MOST_ITERATIONS = 2 ** 16;
/** Of what iterations hand on: those of a tensor. */
const MOST_AXES = 8;
/** What a node costs of maxMacs besides its elements: loops in loops end, too. */
const MACS_OF_NODE = 1024;

type Given = readonly (PlainTensor | undefined)[];

/** A graph of a node's attribute, ready to run on its inputs. */
function graphOf(c: Context, name: string, given: Given): (inputs: readonly PlainTensor[]) => PlainTensor[] {
  const graph = c.node.attributes.find((attribute) => attribute.name === name)?.g;
  if (!graph) throw new ModelError(`"${name}" expected a graph, got none`);
  const outside = new Map<string, PlainTensor>();
  readsOf(c.node).forEach((read, i) => {
    const value = given[i];
    if (value) outside.set(read, value);
  });
  for (const proto of graph.initializers) outside.set(proto.name, readTensorProto(proto as TensorProto, c.budget));
  const names = new Set([...outside.keys(), ...graph.inputs.map((input) => input.name)]);
  const nodes = sorted(graph, names);
  const opsets = new Map([["", c.opset]]);
  return (inputs) => {
    if (inputs.length !== graph.inputs.length)
      throw new ModelError(`"${name}" expected ${inputs.length} inputs, got ${graph.inputs.length}`);
    const values = new Map(outside);
    graph.inputs.forEach((input, i) => {
      values.set(input.name, inputs[i] as PlainTensor);
    });
    for (const node of nodes) {
      const answers = atNode(node, () => {
        const own = readsOf(node).map((read) => (read === "" ? undefined : values.get(read)));
        return c.evaluate?.(node, opsetOf(opsets, node), own) ?? [];
      });
      node.outputs.forEach((output, i) => {
        const answer = answers[i];
        if (output === "" || !answer) return;
        c.budget.spend(MACS_OF_NODE + countOf(answer.shape));
        values.set(output, answer);
      });
    }
    return graph.outputs.map((output) => need(values.get(output.name), output.name));
  };
}

const bodyOf = ({ node }: Context): GraphProto => node.attributes.find(({ name }) => name === "body")?.g as GraphProto;

const choose: HostOp = (c, ...given) => {
  const name = need(given[0], "cond").data[0] ? "then_branch" : "else_branch";
  return graphOf(c, name, given)([]);
};

/** What iterations made, along a new axis; of none, what the graph says of it. */
function stacked(
  c: Context,
  parts: readonly PlainTensor[],
  axis: number,
  info: ValueInfoProto | undefined,
): PlainTensor {
  const [first] = parts;
  if (!first) {
    const dims = (info?.dims ?? []).map((size) => (typeof size === "number" ? size : 0));
    return make(c, elementType(info?.elementType ?? 1, info?.name ?? ""), dims.toSpliced(axis, 0, 0));
  }
  const at = c.axis("scan_output_axes", axis, first.shape.length + 1);
  const slices = parts.map((part) => reshaped(part, part.shape.toSpliced(at, 0, 1)));
  return concat(c, slices, at);
}

/** Runs an iteration; what it made on the way is gone then, but for its outputs. */
function iterate(c: Context, run: () => PlainTensor[]): PlainTensor[] {
  const answers = c.budget.trying(run);
  for (const { type, shape } of answers) {
    if (shape.length > MOST_AXES)
      throw new ModelError(`"body" expected at most ${MOST_AXES} axes, got ${shape.length}`);
    c.budget.take(type, shape);
  }
  return answers;
}

const truth = (value: boolean): PlainTensor => ({ type: "bool", shape: [], data: Uint8Array.of(value ? 1 : 0) });

const loop: HostOp = (c, most, condition, ...given) => {
  const all = [most, condition, ...given];
  const body = graphOf(c, "body", all);
  let state = given.slice(0, c.node.inputs.length - 2).map((t) => need(t, "v_initial"));
  const trips = most ? Number(most.data[0]) : Infinity;
  let goesOn = condition ? Boolean(condition.data[0]) : true;
  const scans: PlainTensor[][] = Array.from({ length: c.node.outputs.length - state.length }, () => []);
  for (let i = 0; i < trips && goesOn; i++) {
    if (i === MOST_ITERATIONS) throw new ModelError(`"body" expected at most ${MOST_ITERATIONS} iterations, got more`);
    const answers = iterate(c, () => body([int64s([i], []), truth(goesOn), ...state]));
    goesOn = Boolean(need(answers[0], "cond").data[0]);
    state = answers.slice(1, 1 + state.length);
    scans.forEach((scan, k) => {
      scan.push(need(answers[1 + state.length + k], "scan_outputs"));
    });
  }
  const { outputs } = bodyOf(c);
  return [...state, ...scans.map((scan, k) => stacked(c, scan, 0, outputs[1 + state.length + k]))];
};

const scan: HostOp = (c, ...given) => {
  if (c.opset < 9) throw new UnsupportedError(`"Scan" expected operator set 9 or newer, got ${c.opset}`);
  const body = graphOf(c, "body", given);
  const inputs = given.slice(0, c.node.inputs.length).map((t) => need(t, "inputs"));
  const count = c.int("num_scan_inputs", 0);
  const first = inputs.length - count;
  if (!(count >= 1 && first >= 0))
    throw new ModelError(`"num_scan_inputs" expected 1 to ${inputs.length}, got ${count}`);
  let state = inputs.slice(0, first);
  const sequences = inputs.slice(first);
  const axes = sequences.map((t, i) => c.axis("scan_input_axes", c.ints("scan_input_axes")?.[i] ?? 0, t.shape.length));
  const lengths = sequences.map((t, i) => t.shape[axes[i] as number] as number);
  const [length = 0] = lengths;
  if (lengths.some((size) => size !== length))
    throw new ModelError(`"inputs" expected sequences of one length, got ${show(lengths)}`);
  if (length > MOST_ITERATIONS)
    throw new ModelError(`"body" expected at most ${MOST_ITERATIONS} iterations, got ${length}`);
  const isBackwards = (name: string, i: number) => c.ints(name)?.[i] === 1;
  const scans: PlainTensor[][] = Array.from({ length: bodyOf(c).outputs.length - first }, () => []);
  for (let t = 0; t < length; t++) {
    const answers = iterate(c, () => {
      const slices = sequences.map((sequence, i) => {
        const at = isBackwards("scan_input_directions", i) ? length - 1 - t : t;
        return pick(c, sequence, int64s([at], []), axes[i] as number);
      });
      return body([...state, ...slices]);
    });
    state = answers.slice(0, first);
    scans.forEach((parts, k) => {
      parts.push(answers[first + k] as PlainTensor);
    });
  }
  const { outputs } = bodyOf(c);
  const stacks = scans.map((parts, k) => {
    const order = isBackwards("scan_output_directions", k) ? parts.reverse() : parts;
    return stacked(c, order, c.ints("scan_output_axes")?.[k] ?? 0, outputs[first + k]);
  });
  return [...state, ...stacks];
};

export const CONTROL: Readonly<Record<string, HostOp>> = {
  If: choose,
  Loop: loop,
  Scan: scan,
};
