// lanewise/vision for workerd, which forbids compiling bytes: the binary is a static import that arrives compiled.
import binary from "../../build/wasm/vision.wasm?static";
import { makeApplyMask, makeMergeLuma, makeResizeImage } from "./back.js";
import { makeCreatePreprocessor, makePreprocess } from "./preprocess.js";

export * from "./api.js";

const own = (): WebAssembly.Module => binary;

/** See index.ts. */
export const createPreprocessor = /* @__PURE__ */ makeCreatePreprocessor(own);
/** See index.ts. */
export const preprocess = /* @__PURE__ */ makePreprocess(own);
/** See index.ts. */
export const resizeImage = /* @__PURE__ */ makeResizeImage(own);
/** See index.ts. */
export const mergeLuma = /* @__PURE__ */ makeMergeLuma(own);
/** See index.ts. */
export const applyMask = /* @__PURE__ */ makeApplyMask(own);
