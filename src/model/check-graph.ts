// The structure of a graph, checked before it is planned: it may have come as JSON. What the planner checks itself (names
// that are not known, shapes that do not fit) is not checked here.
import { oneOf } from "../base/check.js";
import { ModelError, show } from "../base/errors.js";
import { DTYPES, type DType, MEMORY_FORMATS } from "../base/spec.js";
import { OPERATORS, type OperatorName } from "../ops/index.js";
import { type Operator, outputNames, takesInputs } from "../ops/operator.js";
import type { GraphData } from "./graph.js";

type Fields = Readonly<Record<string, unknown>>;

function object(name: string, value: unknown): Fields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  throw new TypeError(`"${name}" expected an object, got ${show(value)}`);
}

function array(name: string, value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new TypeError(`"${name}" expected an array, got ${show(value)}`);
}

function text(name: string, value: unknown): void {
  if (typeof value !== "string") throw new TypeError(`"${name}" expected a name, got ${show(value)}`);
}

/** The rows of a list of objects, each with how messages call it. */
function rows(graph: Fields, list: string): (readonly [string, Fields])[] {
  const given = array(`graph.${list}`, graph[list]);
  return Array.from(given, (row, i) => [`${list}[${i}]`, object(`${list}[${i}]`, row)] as const);
}

function names(name: string, value: unknown, count: number | undefined): void {
  const list = array(name, value);
  for (const [i, entry] of list.entries()) text(`${name}[${i}]`, entry);
  if (count !== undefined && list.length !== count) {
    throw new ModelError(`"${name}" expected ${count} names, got ${list.length}`);
  }
}

/** Throws TypeError for a field of a wrong kind, RangeError for an unknown dtype or memory format, ModelError for counts. */
export function checkGraph(graph: GraphData): void {
  const given = object("graph", graph);
  for (const [at, { name, shape, dtype, memoryFormat }] of rows(given, "inputs")) {
    text(`${at}.name`, name);
    array(`${at}.shape`, shape);
    oneOf(`${at}.dtype`, dtype, Object.keys(DTYPES) as DType[]);
    if (memoryFormat !== undefined) oneOf(`${at}.memoryFormat`, memoryFormat, MEMORY_FORMATS);
  }
  for (const [at, { name, shape }] of rows(given, "parameters")) {
    text(`${at}.name`, name);
    if (shape !== undefined) array(`${at}.shape`, shape);
  }
  for (const [at, { name, op, inputs, params, options, outputs }] of rows(given, "nodes")) {
    text(`${at}.name`, name);
    text(`${at}.op`, op);
    if (!Object.hasOwn(OPERATORS, op as string)) {
      throw new ModelError(`${show(name)} expected a known operator, got ${show(op)}`);
    }
    const operator: Operator = OPERATORS[op as OperatorName];
    const isCount = takesInputs(operator, array(`${at}.inputs`, inputs).length);
    names(`${at}.inputs`, inputs, isCount ? undefined : operator.inputs.length);
    const given = array(`${at}.params`, params);
    for (const [i, param] of given.entries()) if (param !== null) text(`${at}.params[${i}]`, param);
    if (given.length > operator.params.length) {
      throw new ModelError(`"${at}.params" expected at most ${operator.params.length} names, got ${given.length}`);
    }
    object(`${at}.options`, options);
    names(`${at}.outputs`, outputs, outputNames(operator, options as object)?.length ?? 1);
  }
  for (const [at, { name, value, memoryFormat }] of rows(given, "outputs")) {
    text(`${at}.name`, name);
    text(`${at}.value`, value);
    oneOf(`${at}.memoryFormat`, memoryFormat, MEMORY_FORMATS);
  }
}
