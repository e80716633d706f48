// Every operator of the importer, loaded, for tests that call them directly.
import { FAMILIES, type FamilyName } from "../src/onnx/families/table.js";
import { Budget } from "../src/onnx/file/budget.js";
import type { PlainTensor } from "../src/onnx/file/plain-tensor.js";
import type { NodeProto } from "../src/onnx/file/proto.js";
import { type Family, type Loaders, Operators } from "../src/onnx/operators.js";

export const NAMES = Object.keys(FAMILIES) as readonly FamilyName[];

export const LOADERS = Object.fromEntries(
  NAMES.map((name) => [name, (): Promise<Family> => import(`../src/onnx/families/${name}.ts`)]),
) as Loaders;

/** What no budget limits. */
export const UNLIMITED = { budget: new Budget() };

export const operators = new Operators(LOADERS, async () => {});
await operators.load(NAMES);

export function evaluate(node: NodeProto, opset: number, inputs: readonly (PlainTensor | undefined)[]): PlainTensor[] {
  return operators.evaluate(node, opset, inputs, new Budget());
}
