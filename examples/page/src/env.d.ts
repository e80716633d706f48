/** package.json's; put there by the build. */
declare const VERSION: string;
/** Files whose names have their bytes in them, beside the page's scripts; put there by the build. */
declare const ENGINE: string;
declare const WEIGHTS: string;
declare const DIGITS: string;
/** What the first script started. */
declare const boot: typeof import("./boot.js");

/** examples/labels.mjs. */
declare module "page:labels" {
  export const IMAGENET: readonly string[];
}
