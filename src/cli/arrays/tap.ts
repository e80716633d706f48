// An ONNX file whose inner values are outputs, too: bytes are put behind its graph's, nothing else is touched. By onnx.proto3: field 7
// of a model is its graph, and of a graph 1 are nodes and 12 outputs; of a node 2 are outputs, 3 is its name, 4 its operator.

const GRAPH = 7;
const NODE = 1;
const OUTPUT = 12;

interface Field {
  readonly tag: number;
  readonly from: number;
  /** Where its contents are, of those with a length. */
  readonly start: number;
  readonly end: number;
}

/** Fields of a message that has been read before, so that it holds together. */
function* fieldsOf(bytes: Uint8Array, from: number, to: number): Generator<Field> {
  let at = from;
  const varint = () => {
    let [value, scale] = [0, 1];
    for (;;) {
      const byte = bytes[at++] as number;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
  };
  while (at < to) {
    const begin = at;
    const key = varint();
    const [tag, wire] = [Math.floor(key / 8), key & 7];
    let start = at;
    if (wire === 0) varint();
    else if (wire === 1) at += 8;
    else if (wire === 5) at += 4;
    else {
      const length = varint();
      start = at;
      at += length;
    }
    yield { tag, from: begin, start, end: at };
  }
}

const textOf = (bytes: Uint8Array, { start, end }: Field) => new TextDecoder().decode(bytes.subarray(start, end));

function graphOf(bytes: Uint8Array): Field {
  let graph: Field | undefined;
  for (const field of fieldsOf(bytes, 0, bytes.length)) if (field.tag === GRAPH) graph = field;
  if (graph === undefined) throw new Error("a file without a graph");
  return graph;
}

/** First outputs of nodes by what lanewise calls the node: its name, or operator and output where it has none. */
export function outputsByNode(bytes: Uint8Array): Map<string, string> {
  const found = new Map<string, string>();
  const graph = graphOf(bytes);
  for (const field of fieldsOf(bytes, graph.start, graph.end)) {
    if (field.tag !== NODE) continue;
    let [name, operator, output]: (string | undefined)[] = [];
    for (const one of fieldsOf(bytes, field.start, field.end)) {
      if (one.tag === 2) output ??= textOf(bytes, one);
      else if (one.tag === 3) name = textOf(bytes, one);
      else if (one.tag === 4) operator = textOf(bytes, one);
    }
    if (output) found.set(name || `${operator} ${output}`, output);
  }
  return found;
}

function varintOf(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return [...bytes, rest];
}

const lengthy = (tag: number, contents: Uint8Array): number[] => [
  ...varintOf(tag * 8 + 2),
  ...varintOf(contents.length),
  ...contents,
];

/** The file with these values among its outputs. */
export function withOutputs(bytes: Uint8Array, names: readonly string[]): Uint8Array {
  const graph = graphOf(bytes);
  const more = Uint8Array.from(
    names.flatMap((name) => lengthy(OUTPUT, Uint8Array.from(lengthy(1, new TextEncoder().encode(name))))),
  );
  const head = Uint8Array.from([...varintOf(GRAPH * 8 + 2), ...varintOf(graph.end - graph.start + more.length)]);
  return new Uint8Array(
    Buffer.concat([
      bytes.subarray(0, graph.from),
      head,
      bytes.subarray(graph.start, graph.end),
      more,
      bytes.subarray(graph.end),
    ]),
  );
}
