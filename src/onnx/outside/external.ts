// Tensors whose bytes are kept in another file: asked for before anything is planned. A chunk of its own: few files have them.
import { asBytes, isBytes } from "../../base/check.js";
import { ModelError, show } from "../../base/errors.js";
import { countOf } from "../../base/shape.js";
import { ARRAYS, elementType, isHalf } from "../file/element-type.js";
import type { ModelProto, TensorProto } from "../file/proto.js";

/** Answers the bytes of a place in another file, or, where that is simpler, the whole file. */
export type External = (
  location: string,
  offset: number,
  length: number | undefined,
) => Uint8Array | ArrayBuffer | PromiseLike<Uint8Array | ArrayBuffer>;

interface Place {
  readonly name: string;
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

/** The place of a tensor, which may not lie outside of the model's folder. */
function placeOf({ name: own, dims, dataType, external }: TensorProto): Place {
  const name = own || "tensor";
  const { location = "", offset = "0", length } = external ?? {};
  if (location === "" || /^([/\\]|[a-z]+:)|(^|[/\\])\.\.([/\\]|$)/i.test(location))
    throw new ModelError(`"${name}" expected a path inside the model's folder, got ${show(location)}`);
  for (const value of [offset, length ?? "0"]) {
    if (!/^\d{1,15}$/.test(value))
      throw new ModelError(`"${name}" expected a place in ${show(location)}, got ${show(value)}`);
  }
  const type = elementType(dataType, name);
  const bytes = countOf(dims) * (isHalf(type) ? 2 : ARRAYS[type].BYTES_PER_ELEMENT);
  return { name, location, offset: Number(offset), length: length === undefined ? bytes : Number(length) };
}

/**
 * Asks for the elements of all tensors in other files, and answers what puts them into this model or another reading of the same
 * file. A file is asked for one place first: where all of it is answered, no more is asked of it, else the rest at once.
 */
export async function askExternal(
  { external: protos }: ModelProto,
  external: External | undefined,
): Promise<(model: ModelProto) => void> {
  const places = [...protos].map(placeOf);
  const found = new Map<Place, Uint8Array>();
  const ask = async ({ location, offset, length }: Place): Promise<Uint8Array> => {
    if (external === undefined)
      throw new ModelError(`"externalData" expected a function that answers the bytes of ${show(location)}, got none`);
    const answer: unknown = await external(location, offset, length);
    if (isBytes(answer)) return asBytes(answer);
    throw new TypeError(`"externalData" expected to answer a Uint8Array of ${show(location)}, got ${show(answer)}`);
  };
  const keep = (place: Place, bytes: Uint8Array) => {
    const { offset, length } = place;
    const isWhole = bytes.length > length && bytes.length >= offset + length;
    found.set(place, isWhole ? bytes.subarray(offset, offset + length) : bytes);
    return isWhole;
  };
  const byFile = new Map<string, Place[]>();
  for (const place of places)
    (byFile.get(place.location) ?? byFile.set(place.location, []).get(place.location))?.push(place);
  await Promise.all(
    [...byFile.values()].map(async ([first, ...rest]) => {
      const bytes = await ask(first as Place);
      const isWhole = keep(first as Place, bytes);
      await Promise.all(rest.map(async (place) => keep(place, isWhole ? bytes : await ask(place))));
    }),
  );
  return (model) => {
    [...model.external].forEach((proto, i) => {
      Object.assign(proto, { raw: found.get(places[i] as Place), external: null });
    });
  };
}
