// Descriptor of recurrent layers. What a descriptor is: conv.ts.

/** What kernels/recurrent.ts computes of the sums of a unit. */
export const enum RecurrentCell {
  rnn,
  lstm,
  gruLinear, // the reset gate scales the product of the state
  gruGates, // where it scales the state itself, first these two gates,
  gruState, // then the new state
}

/**
 * One step of one direction for every row of a batch: see kernels/recurrent.ts. One work item is a block of units.
 */
@unmanaged export class RecurrentDesc {
  xPtr: usize; // products of the inputs, with biases: step t of row n at t * xStepBytes + n * xRowBytes, [gate][hidden]
  wPtr: usize; // [gate][hidden / 8 panels][hidden][8]
  biasPtr: usize; // of gruLinear: what the reset gate scales beside the product, [hidden], or 0
  peepPtr: usize; // of lstm: [input, output, forget][hidden], or 0
  lengthsPtr: usize; // i32 a row, or 0: all steps
  hInPtr: usize; // state before the step, of row n at n * inRowBytes
  cInPtr: usize; // of lstm
  hOutPtr: usize; // and after it, at n * outRowBytes; c may be where it was
  cOutPtr: usize;
  yPtr: usize;
  zPtr: usize; // of gruGates and gruState: the update gate, [row][hidden]
  resetPtr: usize; // and the state that the reset gate has scaled
  cell: i32; // a RecurrentCell
  backwards: i32; // 1: from the last step to the first
  rows: i32;
  steps: i32;
  step: i32; // the how-manieth this is
  hidden: i32;
  xStepBytes: i32;
  xRowBytes: i32;
  yStepBytes: i32;
  yRowBytes: i32;
  inRowBytes: i32;
  outRowBytes: i32;
  panels: i32; // most panels that one loop may sum over: 4, or 2 on engines that spill
  coupled: i32; // of lstm: forget = 1 - input
  lo: f32; // what sums are clamped to before an activation; -inf and inf for none
  hi: f32;
  f: i32; // ActivationCodes: of gates,
  g: i32; // of what is new,
  h: i32; // of lstm's state on its way out
  fAlpha: f32;
  fBeta: f32;
  gAlpha: f32;
  gBeta: f32;
  hAlpha: f32;
  hBeta: f32;
}
