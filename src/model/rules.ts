// The rewrites that models are compiled by, each a small pure function: see rewrite.ts. A rule must only fit what is never
// slower afterwards.
import { type Shape, sameShape } from "../base/check.js";
import { type ConvShape, convShape } from "../base/shape.js";
import { type BatchNormOptions, type BatchNormParameters, foldBatchNorm } from "../ops/batch-norm.js";
import type { Conv2dOptions } from "../ops/conv/conv2d.js";
import { separableRows } from "../ops/conv/separable-conv2d.js";
import type { Activation } from "../ops/parts/epilogue.js";
import { type LayerNode, operatorOf } from "./layers.js";
import type { Rule, Scope } from "./rewrite.js";
import type { HostTensor } from "./weights.js";

/** Whether a node's store could apply an activation and does not. */
function hasFreeStore({ options }: LayerNode): boolean {
  const { activation = "none" } = options as { activation?: Activation };
  return activation === "none";
}

/** x ─▶ op ─▶ activation   ==>   x ─▶ op { activation } */
export const fuseActivation: Rule = (node, scope) => {
  if (!operatorOf(node).isActivation) return undefined;
  const absorbed = scope.soleProducer(node.inputs[0] as string);
  if (absorbed === undefined || !operatorOf(absorbed).options.includes("activation")) return undefined;
  if (!hasFreeStore(absorbed)) return undefined;
  const given = Object.entries(node.options).filter(([, value]) => value !== undefined);
  const activation = given.length > 0 ? { type: node.op, ...Object.fromEntries(given) } : node.op;
  return { ...absorbed, options: { ...absorbed.options, activation }, outputs: node.outputs };
};

/** Whether a tensor that broadcasts as prelu's slope does is one number for each index of an axis. */
function isAlong(axis: number, slope: Shape, shape: Shape): boolean {
  const isPerChannel = slope.length === 1 && slope[0] !== 1 && shape.length > 1;
  const own = isPerChannel ? [slope[0], ...shape.slice(2).map(() => 1)] : slope;
  const rank = shape.length;
  return (
    own.every((size, i) => {
      const at = i + rank - own.length;
      return size === (at === axis ? shape[axis] : 1);
    }) && own.length >= rank - axis
  );
}

/** x ─▶ conv ─▶ prelu by channel   ==>   x ─▶ conv { leakyRelu, slopes } */
export const fuseSlopes: Rule = (node, scope) => {
  if (node.op !== "prelu") return undefined;
  const absorbed = scope.soleProducer(node.inputs[0] as string);
  if (absorbed === undefined || !hasFreeStore(absorbed)) return undefined;
  const { inner, params, filters } = operatorOf(absorbed);
  if (!inner.includes("slope") || filters === undefined) return undefined;
  const { shape } = scope.specOf(node.inputs[0] as string);
  const slope = node.params[0] as string;
  const axis = filters.axis < 0 ? shape.length + filters.axis : filters.axis;
  if (!isAlong(axis, scope.specOf(slope).shape, shape)) return undefined;
  return {
    ...absorbed,
    params: [...params.map((_, i) => absorbed.params[i] ?? null), slope],
    options: { ...absorbed.options, activation: "leakyRelu" },
    outputs: node.outputs,
  };
};

/** conv ─▶ add ◀─ y   ==>   conv { residual: y }, of the operands that are convolutions the one computed last. */
export const fuseResidual: Rule = (node, scope) => {
  if (node.op !== "add") return undefined;
  const [a, b] = node.inputs as [string, string];
  const pairs =
    scope.orderOf(a) > scope.orderOf(b)
      ? ([
          [a, b],
          [b, a],
        ] as const)
      : ([
          [b, a],
          [a, b],
        ] as const);
  for (const [sum, residual] of pairs) {
    const absorbed = scope.soleProducer(sum);
    if (absorbed === undefined || !takesResidual(absorbed, scope)) continue;
    if (!sameShape(scope.specOf(sum).shape, scope.specOf(residual).shape)) continue;
    return {
      ...absorbed,
      inputs: [...absorbed.inputs, residual],
      options: { ...absorbed.options, ...node.options },
      outputs: node.outputs,
    };
  }
  return undefined;
};

/** Depthwise kernels have their fastest loops for stores without one. */
function takesResidual(node: LayerNode, scope: Scope): boolean {
  const { inputs, extras } = operatorOf(node);
  const isFree = extras.includes("residual") && node.inputs.length === inputs.length && hasFreeStore(node);
  return isFree && !isDepthwise(node, scope);
}

function isDepthwise({ op, inputs, options }: LayerNode, scope: Scope): boolean {
  const { groups = 1 } = options as Conv2dOptions;
  return op === "conv2d" && groups > 1 && groups === scope.specOf(inputs[0] as string).shape[1];
}

/** depthwise ─▶ 1x1 conv   ==>   separableConv2d, where that runs by rows */
export const joinSeparable: Rule = (node, scope) => {
  if (node.op !== "conv2d") return undefined;
  const [between, ...residual] = node.inputs as [string];
  const absorbed = scope.soleProducer(between);
  if (absorbed === undefined || absorbed.inputs.length > 1 || !isDepthwise(absorbed, scope)) return undefined;
  if (absorbed.params.length > operatorOf(absorbed).params.length) return undefined; // slopes between the halves
  const options = [absorbed.options, node.options] as readonly Conv2dOptions[];
  if (
    options.some(({ algorithm, precision, memory, tune }) => (algorithm ?? precision ?? memory ?? tune) !== undefined)
  )
    return undefined;
  const [depthwise, pointwise] = [absorbed, node].map(({ inputs, params, options }) =>
    convShape(scope.specOf(inputs[0] as string).shape, scope.specOf(params[0] as string).shape, options),
  ) as [ConvShape, ConvShape];
  const { R, S, P, Q, strideH, strideW, groups, M } = pointwise;
  const isPointwise = R * S * strideH * strideW * groups === 1 && P === depthwise.P && Q === depthwise.Q;
  if (!isPointwise || separableRows(depthwise, M) === undefined) return undefined;
  const [{ activation: depthwiseActivation, groups: _, ...windows }, { activation }] = options as [
    Conv2dOptions,
    Conv2dOptions,
  ];
  return {
    name: `${absorbed.name} + ${node.name}`,
    op: "separableConv2d",
    inputs: [...absorbed.inputs, ...residual],
    params: [absorbed.params[0], node.params[0], node.params[1], absorbed.params[1]].map((param) => param ?? null),
    options: { ...windows, ...(depthwiseActivation && { depthwiseActivation }), ...(activation && { activation }) },
    outputs: node.outputs,
  };
};

/** conv ─▶ batchNorm   ==>   conv with scaled filters and another bias */
export const foldNormalisation: Rule = (node, scope) => {
  if (node.op !== "batchNorm") return undefined;
  const absorbed = scope.soleProducer(node.inputs[0] as string);
  if (absorbed === undefined || !hasFreeStore(absorbed)) return undefined;
  const { filters, params: names } = operatorOf(absorbed);
  if (filters?.layout !== "first") return undefined;
  const at = [names.indexOf(filters.weight), names.indexOf(filters.bias)] as const;
  if (absorbed.inputs.length > operatorOf(absorbed).inputs.length) return undefined; // a residual is added already
  const channels = scope.specOf(node.inputs[0] as string).shape;
  if (filters.axis !== 1 && channels.length !== 2) return undefined;
  const [weight, bias = null] = at.map((i) => absorbed.params[i] ?? null) as [string, string | null];
  const { epsilon, activation } = node.options as BatchNormOptions;
  type WeightOf = (name: string) => HostTensor;
  const numbers = (weightOf: WeightOf, name: string | null | undefined) =>
    name ? (weightOf(name).data as Float32Array) : null;
  const parameters = (weightOf: WeightOf): BatchNormParameters => {
    const [mean, variance, gamma, beta] = node.params.map((name) => numbers(weightOf, name));
    return { mean, variance, gamma, beta, ...(epsilon !== undefined && { epsilon }) } as BatchNormParameters;
  };
  const tensor = (spec: HostTensor["shape"], data: Float32Array): HostTensor => ({
    shape: spec,
    dtype: "float32",
    data,
  });
  const spec = scope.specOf(weight);
  const M = spec.shape[0] as number;
  const params = [...absorbed.params];
  while (params.length <= at[1]) params.push(null);
  params[at[0]] = scope.derive(`${weight} (${node.name})`, {
    spec,
    compute: (weightOf) =>
      tensor(spec.shape, foldBatchNorm(numbers(weightOf, weight) as Float32Array, null, parameters(weightOf)).weight),
    identity: (identityOf) =>
      `normalised ${[weight, ...node.params].map((name) => name && identityOf(name))} ${epsilon}`,
  });
  params[at[1]] = scope.derive(`${absorbed.name}.bias (${node.name})`, {
    spec: { ...spec, shape: [M] },
    compute: (weightOf) => tensor([M], foldBatchNorm([], numbers(weightOf, bias), parameters(weightOf)).bias),
  });
  return {
    ...absorbed,
    params,
    options: { ...absorbed.options, ...(activation && { activation }) },
    outputs: node.outputs,
  };
};

/** All of them; the first one that fits is applied. */
export const RULES: readonly Rule[] = [foldNormalisation, fuseResidual, fuseActivation, fuseSlopes, joinSeparable];
