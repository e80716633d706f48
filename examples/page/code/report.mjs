import { createRuntime } from "lanewise";

const rt = await createRuntime(); // or { variant: "simd", maxBytes: 64e6 }
const { variant, reason, threads, memoryBytes } = rt.report();
console.log(variant, reason); // "relaxed", "the engine fuses multiply-add"
console.log(threads.running, memoryBytes);
