// An ONNX file with one value more among its outputs: what a node in the middle answers. The format's fields are those of onnx.proto:
// ModelProto.graph 7; GraphProto.node 1, output 12; NodeProto.output 2, name 3, op_type 4; ValueInfoProto.name 1.

interface Part {
  readonly field: number;
  /** From the tag to the end. */
  readonly start: number;
  readonly end: number;
  /** Of what it holds, where that is bytes. */
  readonly body: Uint8Array<ArrayBuffer> | undefined;
}

/** The fields of a message. Throws where it is cut. */
function* partsOf(bytes: Uint8Array<ArrayBuffer>): Generator<Part> {
  let at = 0;
  const varint = () => {
    let [value, factor] = [0, 1];
    for (;;) {
      const byte = bytes[at++];
      if (byte === undefined) throw new Error(`"file" expected a whole ONNX file, got one that is cut`);
      value += (byte & 127) * factor;
      if (byte < 128) return value;
      factor *= 128;
    }
  };
  while (at < bytes.length) {
    const start = at;
    const tag = varint();
    const kind = tag % 8;
    let body: Uint8Array<ArrayBuffer> | undefined;
    if (kind === 0) varint();
    else if (kind === 1) at += 8;
    else if (kind === 5) at += 4;
    else {
      const length = varint();
      body = bytes.subarray(at, at + length);
      at += length;
    }
    yield { field: Math.floor(tag / 8), start, end: at, body };
  }
}

const text = new TextDecoder();

function bytesOf(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return [...bytes, rest];
}

/** A field of bytes. */
function field(number: number, ...bodies: Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer>[] {
  const length = bodies.reduce((sum, body) => sum + body.length, 0);
  return [Uint8Array.from([...bytesOf(number * 8 + 2), ...bytesOf(length)]), ...bodies];
}

function joined(parts: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export interface Node {
  readonly name: string;
  readonly op: string;
  readonly output: string;
}

function graphOf(model: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  for (const part of partsOf(model)) if (part.field === 7 && part.body) return part.body;
  throw new Error(`"file" expected a graph, got none`);
}

/** The nodes of the main graph with their first outputs. */
export function nodesOf(model: Uint8Array<ArrayBuffer>): Node[] {
  const nodes: Node[] = [];
  for (const part of partsOf(graphOf(model))) {
    if (part.field !== 1 || !part.body) continue;
    const fields = [...partsOf(part.body)];
    const first = (number: number) => {
      const body = fields.find((one) => one.field === number)?.body;
      return body ? text.decode(body) : "";
    };
    nodes.push({ name: first(3) || first(2), op: first(4), output: first(2) });
  }
  return nodes;
}

/** The file with `value` as its only output. */
export function withOutput(model: Uint8Array<ArrayBuffer>, value: string): Uint8Array<ArrayBuffer> {
  const graph = graphOf(model);
  const kept = [...partsOf(graph)]
    .filter((part) => part.field !== 12)
    .map(({ start, end }) => graph.subarray(start, end));
  const name = field(1, new TextEncoder().encode(value));
  const changed = joined([...kept, ...field(12, ...name)]);
  const parts = [...partsOf(model)].flatMap((part) =>
    part.field === 7 ? field(7, changed) : [model.subarray(part.start, part.end)],
  );
  return joined(parts);
}
