// Tensors whose bytes are kept in another file.
import { ModelError, show } from "../../base/errors.js";

export type External = (location: string, offset: number, length: number | undefined) => Uint8Array;

/** The bytes of a tensor in another file, which may not lie outside of the model's folder. */
export function externalBytes(
  name: string,
  { location = "", offset = "0", length }: Readonly<Record<string, string>>,
  bytes: number,
  external: External | undefined,
): Uint8Array {
  if (location === "" || /^([/\\]|[a-z]+:)|(^|[/\\])\.\.([/\\]|$)/i.test(location))
    throw new ModelError(`"${name}" expected a path inside the model's folder, got ${show(location)}`);
  for (const value of [offset, length ?? "0"]) {
    if (!/^\d{1,15}$/.test(value))
      throw new ModelError(`"${name}" expected a place in ${show(location)}, got ${show(value)}`);
  }
  if (external === undefined)
    throw new ModelError(`"externalData" expected a function that answers the bytes of ${show(location)}, got none`);
  const answer: unknown = external(location, Number(offset), length === undefined ? bytes : Number(length));
  if (!(answer instanceof Uint8Array))
    throw new TypeError(`"externalData" expected to answer a Uint8Array of ${show(location)}, got ${show(answer)}`);
  return answer;
}
