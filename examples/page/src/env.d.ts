/** package.json's; put there by the build. */
declare const VERSION: string;

/** examples/labels.mjs. */
declare module "page:labels" {
  export const IMAGENET: readonly string[];
}
