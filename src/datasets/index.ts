// The lanewise/datasets entry: files of well-known data sets to typed arrays.

/**
 * Files of MNIST ({@link readIdx}) and CIFAR-10 ({@link readCifar10}) as typed arrays.
 *
 * @module lanewise/datasets
 */

export { DataError, UnsupportedError } from "../base/errors.js";
export { type Cifar10, readCifar10 } from "./cifar10.js";
export type { DatasetOptions } from "./contents.js";
export { type IdxArray, type IdxDType, readIdx } from "./idx.js";
