// The processor of the AudioWorklet example as it is bundled, in Node: `node --expose-gc worklet-child.mjs PROCESSOR MODEL`. Calls process()
// as an audio thread does, and says as JSON what came out and what 20,000 calls leave on the heap.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { decibels, noisyTone } from "./sounds.mjs";

const [processor, model] = process.argv.slice(2);
const BLOCK = 128;
const CALLS = 20_000;

let hear; // what the processor posts
const posted = new Promise((done) => {
  hear = done;
});
let Processor;
globalThis.AudioWorkletProcessor = class {
  port = { postMessage: hear };
};
globalThis.registerProcessor = (_, type) => {
  Processor = type;
};
await import(pathToFileURL(resolve(processor)));
const node = new Processor({ processorOptions: { file: new Uint8Array(readFileSync(model)) } });
const answer = await posted;
if (answer !== "ready") throw new Error(JSON.stringify(answer));

const [input, output] = [new Float32Array(BLOCK), new Float32Array(BLOCK)];
const [inputs, outputs] = [[[input]], [[output]]];
const parameters = { noise: new Float32Array(1) };
const call = () => node.process(inputs, outputs, parameters);

/** All of a sound, block by block; what comes out is a block late. */
function through(sound, noise) {
  parameters.noise[0] = noise;
  const clean = new Float32Array(sound.length);
  for (let at = 0; at + BLOCK <= sound.length; at += BLOCK) {
    input.set(sound.subarray(at, at + BLOCK));
    call();
    if (at > 0) clean.set(output, at - BLOCK);
  }
  return clean.subarray(0, sound.length - 2 * BLOCK);
}

const { tone, noisy } = noisyTone();
const [before, after] = [
  decibels(tone, noisy),
  decibels(tone.subarray(0, tone.length - 2 * BLOCK), through(noisy, -24)),
];
const exact = decibels(noisy.subarray(0, noisy.length - 2 * BLOCK), through(noisy, -100));
const silence = through(new Float32Array(BLOCK * 8), -100).every((value) => Math.abs(value) < 1e-6);

/** Rounds, of which a compiler that others leave no time may allocate in many. */
const ROUNDS = 50;

/**
 * Least bytes that so many calls leave on a heap that was just swept, of rounds until one leaves `enough`: the compiler allocates, too. One
 * that leaves less than nothing does not count: something else was freed meanwhile.
 */
function garbage(act, count, enough, rounds = ROUNDS) {
  let least = Number.MAX_VALUE; // as JSON has it
  for (let round = 0; round < rounds && least > enough; round++) {
    globalThis.gc();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    for (let i = 0; i < count; i++) act();
    const now = process.memoryUsage();
    const left = now.heapUsed - heapUsed + now.arrayBuffers - arrayBuffers;
    if (left >= 0) least = Math.min(least, left);
  }
  return least;
}
for (let i = 0; i < 10_000; i++) call();
const start = performance.now();
for (let i = 0; i < 5000; i++) call();
const callMs = (performance.now() - start) / 5000;
const few = garbage(call, 1000, 4000);
const many = garbage(call, CALLS, 2 * CALLS);
let kept;
const wasteful = garbage(
  () => {
    kept = { done: call() };
  },
  1000,
  0,
  3,
);
if (!kept.done) throw new Error('"process" expected true, got an end');
console.log(JSON.stringify({ before, after, exact, silence, few, many, calls: CALLS, wasteful, callMs }));
