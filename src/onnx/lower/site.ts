// What a lowering sees of a node: its operands, constant or computed, its attributes, and the network that it adds to.
import { UnsupportedError } from "../../base/errors.js";
import type { OperatorName } from "../../ops/index.js";
import type { Context } from "../host/context.js";
import type { HostTensor } from "../host/tensor.js";
import type { Dynamic, Network } from "../network.js";

/** A node with its operands: a constant has a tensor, everything else a value of the network. */
export interface Site {
  readonly c: Context;
  readonly network: Network;
  readonly layer: string;
  readonly inputs: readonly (Dynamic | HostTensor | undefined)[];
}

export type Lowering = (site: Site) => readonly Dynamic[] | undefined;

export const isConstant = (operand: Dynamic | HostTensor | undefined): operand is HostTensor =>
  operand !== undefined && "data" in operand;

export function tensorAt({ inputs }: Site, i: number): HostTensor | undefined {
  const operand = inputs[i];
  return isConstant(operand) ? operand : undefined;
}

export function dynamicAt({ inputs }: Site, i: number): Dynamic | undefined {
  const operand = inputs[i];
  return operand === undefined || isConstant(operand) ? undefined : operand;
}

/** Whether an input that the node has is not a constant. */
export const varies = (site: Site, i: number): boolean => dynamicAt(site, i) !== undefined;

export function param(site: Site, tensor: HostTensor | undefined, suffix: string): string | null {
  return tensor === undefined ? null : site.network.constant(tensor, `${site.layer}.${suffix}`);
}

/** The first input through one operator without parameters. */
export function through(op: OperatorName, options: (site: Site) => object | undefined = () => ({})): Lowering {
  return (site) => {
    const x = dynamicAt(site, 0);
    const given = options(site);
    return x && given && site.network.add(site.layer, op, [x], [], given);
  };
}

/** Any input as an operand: constants are parameters. */
export function operand(site: Site, i: number): Dynamic | string {
  const given = site.inputs[i];
  if (given === undefined) throw new UnsupportedError(`"inputs" expected an input ${i}, got none`);
  return isConstant(given) ? (param(site, given, `operand${i}`) as string) : given;
}

export const list = (site: Site, i: number, name: string): readonly number[] | undefined =>
  site.c.list(name, tensorAt(site, i));
