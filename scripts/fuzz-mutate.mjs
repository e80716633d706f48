// Mutations of ONNX files: of bytes anywhere but in weights, and of the structure (names, sizes, attributes, operators).
import { PbfReader, PbfWriter } from "pbf";

/** Fields that hold messages, by message. Numbers as in onnx.proto3. */
const SHAPE = { 1: {} };
const VALUE = { 2: { 1: { 2: SHAPE } } };
const TENSOR = {};
const ATTRIBUTE = { 5: TENSOR };
const GRAPH = { 1: { 5: ATTRIBUTE }, 5: TENSOR, 11: VALUE, 12: VALUE };
const MODEL = { 7: GRAPH, 8: {} };
const [VARINT, FIXED64, BYTES] = [0, 1, 2];

/** A file as a tree: [{ field, wire, value, fields }]; fields in place of a value where it is a message. */
function treeOf(bytes, schema = MODEL) {
  const reader = new PbfReader(bytes);
  const entries = [];
  while (reader.pos < bytes.length) {
    const tag = reader.readVarint();
    const [field, wire] = [tag >> 3, tag & 7];
    if (wire === VARINT) {
      const start = reader.pos;
      const value = reader.readVarint(true);
      // Numbers beyond 2^53 stay as they were written.
      entries.push({ field, wire, value, was: value, raw: bytes.slice(start, reader.pos) });
    } else if (wire === BYTES) {
      const value = reader.readBytes();
      entries.push(schema[field] ? { field, wire, fields: treeOf(value, schema[field]) } : { field, wire, value });
    } else {
      const length = wire === FIXED64 ? 8 : 4;
      entries.push({ field, wire, value: bytes.slice(reader.pos, reader.pos + length) });
      reader.pos += length;
    }
  }
  return entries;
}

export function bytesOf(tree) {
  const writer = new PbfWriter();
  write(tree, writer);
  return writer.finish();
}

function write(entries, writer) {
  for (const { field, wire, value, was, raw, fields } of entries) {
    const plain = wire === VARINT ? (value === was ? raw : undefined) : value;
    if (fields) writer.writeMessage(field, write, fields);
    else if (plain === undefined) writer.writeVarintField(field, value);
    else if (wire === BYTES) writer.writeBytesField(field, plain);
    else {
      writer.writeTag(field, wire);
      writer.realloc(plain.length);
      for (const byte of plain) writer.buf[writer.pos++] = byte;
    }
  }
}

/** Numbers drawn from a seed. Source: Steele, Lea and Flood (2014), SplitMix32. */
export function randomOf(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32;
  };
  const below = (n) => Math.floor(next() * n);
  return { next, below, pick: (list) => list[below(list.length)] };
}

const text = (value) => new TextEncoder().encode(value);
const SIZES = [0, 1, 2, 3, 7, 65_536, 2 ** 24, 2 ** 31 - 1, 2 ** 31, 2 ** 40, 2 ** 53 - 1, -1, -2, -(2 ** 31)];
const OPERATORS =
  "Conv ConvTranspose MaxPool AveragePool GlobalAveragePool BatchNormalization Gemm MatMul Add Mul Div Concat Reshape Transpose Slice Split Pad Resize Upsample Gather GatherND ScatterND Expand Tile Range ConstantOfShape OneHot TopK NonZero NonMaxSuppression RoiAlign GridSample CumSum Einsum Softmax LRN PRelu Clip Cast ReduceMean ArgMax InstanceNormalization LayerNormalization QuantizeLinear DequantizeLinear QLinearConv Where Shape Squeeze Unsqueeze Flatten DepthToSpace SpaceToDepth MaxUnpool Loop If Scan LSTM GRU RNN DFT STFT MelWeightMatrix HannWindow ReverseSequence Col2Im AffineGrid Det Unique BitwiseAnd BitShift Attention RotaryEmbedding SimplifiedLayerNormalization".split(
    " ",
  );

/** Every message below a graph: nodes, their attributes, initialisers, inputs and outputs. */
function partsOf(tree) {
  const graph = tree.find(({ field, fields }) => field === 7 && fields)?.fields ?? [];
  const of = (field) => graph.filter((entry) => entry.field === field && entry.fields);
  const nodes = of(1);
  const attributes = nodes.flatMap(({ fields }) => fields.filter(({ field, fields: own }) => field === 5 && own));
  return {
    graph,
    nodes,
    attributes,
    tensors: of(5),
    values: [...of(11), ...of(12)],
    opsets: tree.filter(({ field }) => field === 8),
  };
}

/** Changes of structure: each changes a tree in place, or leaves it where there is nothing to change. */
const STRUCTURAL = {
  wire(parts, random) {
    const from = random.pick(parts.nodes);
    const to = random.pick(parts.nodes);
    const names = from?.fields.filter(({ field }) => field === random.pick([1, 2])) ?? [];
    const slots = to?.fields.filter(({ field }) => field === random.pick([1, 1, 2])) ?? [];
    if (names.length && slots.length) random.pick(slots).value = random.pick(names).value;
  },
  dropInput(parts, random) {
    const node = random.pick(parts.nodes);
    const at = node?.fields.findIndex(({ field }) => field === random.pick([1, 2])) ?? -1;
    if (at >= 0) node.fields.splice(at, 1);
  },
  dropPart(parts, random) {
    if (parts.graph.length) parts.graph.splice(random.below(parts.graph.length), 1);
  },
  repeatPart(parts, random) {
    if (parts.graph.length) parts.graph.push(random.pick(parts.graph));
  },
  operator(parts, random) {
    const type = random.pick(parts.nodes)?.fields.find(({ field }) => field === 4);
    if (type) type.value = text(random.pick(OPERATORS));
  },
  tensorSize(parts, random) {
    const tensor = random.pick(parts.tensors);
    const dim = random.pick(tensor?.fields.filter(({ field }) => field === 1) ?? []);
    if (dim && dim.wire === VARINT) dim.value = random.pick(SIZES);
    else if (dim) dim.value = Uint8Array.from([random.below(256), random.below(128)]);
    else tensor?.fields.push({ field: 1, wire: VARINT, value: random.pick(SIZES) });
  },
  tensorType(parts, random) {
    const type = random.pick(parts.tensors)?.fields.find(({ field }) => field === 2);
    if (type) type.value = random.below(24);
  },
  integers(parts, random) {
    // int64 constants hold shapes, axes and pads
    const small = parts.tensors.filter(({ fields }) => fields.some(({ field, value }) => field === 2 && value === 7));
    const raw = random.pick(small)?.fields.find(({ field, value }) => field === 9 && value.length >= 8);
    if (!raw) return;
    raw.value = raw.value.slice();
    const at = 8 * random.below(raw.value.length >> 3);
    new DataView(raw.value.buffer, raw.value.byteOffset).setBigInt64(at, BigInt(random.pick(SIZES)), true);
  },
  attributeType(parts, random) {
    const type = random.pick(parts.attributes)?.fields.find(({ field }) => field === 20);
    if (type) type.value = random.below(12);
  },
  attributeValue(parts, random) {
    const attribute = random.pick(parts.attributes);
    const value = random.pick(attribute?.fields.filter(({ field }) => [2, 3, 4, 7, 8].includes(field)) ?? []);
    if (!value) return;
    if (value.wire === VARINT) value.value = random.pick(SIZES);
    else value.value = Uint8Array.from({ length: random.below(12) }, () => random.below(256));
  },
  attributeDrop(parts, random) {
    const node = random.pick(parts.nodes);
    const at = node?.fields.findIndex(({ field }) => field === 5) ?? -1;
    if (at >= 0) node.fields.splice(at, 1);
  },
  attributeMove(parts, random) {
    const attribute = random.pick(parts.attributes);
    if (attribute) random.pick(parts.nodes)?.fields.push(attribute);
  },
  inputSize(parts, random) {
    const tensor = random
      .pick(parts.values)
      ?.fields.find(({ fields }) => fields)
      ?.fields?.find(({ fields }) => fields);
    const dims = tensor?.fields.find(({ field, fields }) => field === 2 && fields)?.fields ?? [];
    const dim = random.pick(dims);
    if (dim?.fields) dim.fields.splice(0, dim.fields.length, { field: 1, wire: VARINT, value: random.pick(SIZES) });
    else if (dim) dims.splice(dims.indexOf(dim), 1);
  },
  opset(parts, random) {
    const version = random.pick(parts.opsets)?.fields.find(({ field }) => field === 2);
    if (version) version.value = random.pick([0, 1, 5, 6, 7, 9, 10, 11, 12, 13, 18, 21, 24, 99, 2 ** 40]);
  },
};

/** Spans of a file that are no weights: everything but raw data and packed numbers of more than 64 bytes. */
function spansOf(bytes) {
  const spans = [];
  let from = 0;
  const walk = (start, end, schema) => {
    const reader = new PbfReader(bytes);
    reader.pos = start;
    while (reader.pos < end) {
      const tag = reader.readVarint();
      const [field, wire] = [tag >> 3, tag & 7];
      if (wire !== BYTES) {
        reader.skip(tag);
        continue;
      }
      const length = reader.readVarint();
      const at = reader.pos;
      if (schema[field]) walk(at, at + length, schema[field]);
      else if (length > 64) {
        spans.push([from, at]);
        from = at + length;
      }
      reader.pos = at + length;
    }
  };
  walk(0, bytes.length, MODEL);
  spans.push([from, bytes.length]);
  return spans.filter(([start, end]) => end > start);
}

/** Draws mutations of one file. */
export function mutatorOf(bytes) {
  const spans = spansOf(bytes);
  const total = spans.reduce((sum, [start, end]) => sum + end - start, 0);
  const place = (random) => {
    let at = random.below(total);
    for (const [start, end] of spans) {
      if (at < end - start) return start + at;
      at -= end - start;
    }
    return 0;
  };
  const BYTEWISE = {
    cut: (random) => bytes.slice(0, random.below(bytes.length)),
    flip(random) {
      const changed = bytes.slice();
      for (let i = random.below(4); i >= 0; i--) changed[place(random)] ^= 1 << random.below(8);
      return changed;
    },
    put(random) {
      const changed = bytes.slice();
      changed[place(random)] = random.pick([0, 1, 0x7f, 0x80, 0xff, random.below(256)]);
      return changed;
    },
    remove(random) {
      const at = place(random);
      return Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(at + 1 + random.below(8))]);
    },
    repeat(random) {
      const at = place(random);
      const length = 1 + random.below(64);
      return Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)]);
    },
  };
  return (random) => {
    const isStructural = random.next() < 0.6;
    const kind = random.pick(Object.keys(isStructural ? STRUCTURAL : BYTEWISE));
    if (!isStructural) return { kind, bytes: BYTEWISE[kind](random) };
    const tree = treeOf(bytes);
    const parts = partsOf(tree);
    for (let i = random.below(2); i >= 0; i--) STRUCTURAL[kind](parts, random);
    return { kind, bytes: bytesOf(tree) };
  };
}
