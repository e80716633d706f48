// Operators with weights that a run computes: what is prepared once for constant ones is a step of every run.
import { defineOperator, type Operator } from "../../ops/operator.js";
import type { Builder, Call, Pack } from "../../plan/builder.js";
import { type Ref, shift } from "../../plan/operand.js";

/** An operator with parameters "weight" and, not used here, "bias". */
export function computed(operator: Operator, label: string): Operator {
  return defineOperator({
    name: label,
    inputs: ["input", "weight"],
    options: operator.options as never[],
    infer: (specs, options) => operator.infer(specs, options),
    lower(b, operands, found) {
      operator.lower(b, operands, found);
      packInRuns(b);
      b.algorithm ||= operator.name;
    },
  });
}

/** Forms that are packed in every run lie in its workspace: those that are packed once are shared with other layers and shapes. */
function packInRuns(b: Builder): void {
  const rooms = new Map<number, Ref>();
  for (const { pack } of b.prepares) if (!rooms.has(pack)) rooms.set(pack, b.workspace((b.packs[pack] as Pack).bytes));
  const left = b.packs.filter((_, i) => !rooms.has(i));
  const moved = (value: Ref | number): Ref | number => {
    if (typeof value === "number" || value.area !== "packed") return value;
    const room = rooms.get(value.index);
    return room ? shift(room, value.offset) : { ...value, index: left.indexOf(b.packs[value.index] as Pack) };
  };
  const steps = [...b.prepares, ...b.steps].map(
    (call): Call => ({
      ...call,
      values: Object.fromEntries(Object.entries(call.values).map(([field, value]) => [field, moved(value)])),
      pack: -1,
    }),
  );
  b.prepares.length = 0;
  b.replaceSteps(steps);
  b.packs.splice(0, b.packs.length, ...left);
}
