// An activation by element, as an operator of its own: see lib/activate.ts.
import { CHUNK } from "../abi/constants";
import { ActivationDesc } from "../abi/elements";
import { activate } from "../lib/activate";

/** Work items: chunks of CHUNK elements. y may be x. */
export function activation_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<ActivationDesc>(desc);
  const first = begin * CHUNK;
  const last = end * CHUNK;
  const count = (last < d.count ? last : d.count) - first;
  const offset = <usize>first << 2;
  activate(d.activation, d.yPtr + offset, d.xPtr + offset, 1, count, 0, d.alpha, d.beta);
}
