// Numbers that kernels and plans both go by. scripts/generate.mjs writes them for TypeScript (src/kernels/gen/constants.ts): a
// name, and a product or sum of numbers and of names above.

/** Readable bytes behind every block of memory: kernels load whole vectors at its end. */
export const SLACK_BYTES: i32 = 64;

/** Rows a power of two apart share one set of the L1 cache: they are made longer by this. */
export const CACHE_LINE: i32 = 64;

/** Longest chunk of elements that is one work item: 8 KB read and written, a few microseconds at most. */
export const CHUNK: i32 = 2048;

/** Elements that one work item of a copy moves at most: one to three microseconds of floats. */
export const COPY_BLOCK: i32 = 8192;

/** Side of a transposed tile in floats: 16 KB a side. */
export const COPY_TILE: i32 = 64;

/** Neighbours of an axis that one work item takes side by side: a cache line. */
export const NEIGHBOURS: i32 = 16;

/** Columns of packed weights side by side: two vectors. */
export const PANEL: i32 = 8;

/** Rows of a block of a matrix product: 384 rows * 512 k * 4 B = 768 KB of A at most, within an L2 of 1 MB. */
export const ROW_BLOCK: i32 = 384;

/** Most rows of scores of attention_f32 at a time. */
export const ATTENTION_ROWS: i32 = 32;
/** What lies before them in its scratch. */
export const ATTENTION_RUN_BYTES: i32 = 64;

/** Outputs of one work item of a fully connected layer: of weights as they lie, and in panels. */
export const LINEAR_BLOCK: i32 = 8;
export const LINEAR_PANELS_BLOCK: i32 = 4 * PANEL;

/** Longest 1-D transform of Winograd's: F(6,3). */
export const WINOGRAD_POINTS: i32 = 8;

/** Of winograd_weights_f32: a float64, and three of each of three pairs of points, in whole vectors. */
export const WINOGRAD_TABLE_BYTES: i32 = 80;

/** Its scratch before the points of `blockChannels` channels: two such tables, three rows of four float64 a point. */
export const WINOGRAD_WEIGHTS_SCRATCH_BYTES: i32 = 2 * WINOGRAD_TABLE_BYTES + 3 * WINOGRAD_POINTS * 32;

/**
 * Of conv2d_winograd_f32: ten vectors of constants; channels of a tile between its transforms, for each point; one vector of
 * each of its outputs.
 */
export const WINOGRAD_CONSTANT_BYTES: i32 = 10 * 16;
export const WINOGRAD_NEAR_BYTES: i32 = 64 * 4;
export const WINOGRAD_PART_BYTES: i32 = 6 * 6 * 16;

/** And of each tile of a block: where it is, five i32. */
export const WINOGRAD_TILE_BYTES: i32 = 5 * 4;

/** A point of an FFT tile: | 4 real | 4 imaginary |. */
export const FFT_POINT_BYTES: i32 = 32;

/** A frequency of spectrum_f32: five i32 and a float. */
export const SPECTRUM_BIN_BYTES: i32 = 6 * 4;

/** Vectors of a depthwise kernel's scratch beside one an output of a run: zeros, and an output that ends outside. */
export const DEPTHWISE_SPARE_VECTORS: i32 = 2;

/** Scratch of a quantising kernel: a scale and a zero point, four times each. */
export const QUANTIZE_SCRATCH_BYTES: i32 = 2 * 16;

/** Of batch_statistics_f32: means and variances of four channels in float64. */
export const STATISTICS_SCRATCH_BYTES: i32 = 2 * 4 * 8;

/** Of binary_f32, behind a chunk of each operand: the rest of its last vector. */
export const BINARY_SPARE_BYTES: i32 = 16;

/** Of local_response_norm_f32, behind a pixel's squares and the window's ends: zeros, and the rest of a vector. */
export const LRN_SPARE_BYTES: i32 = 2 * 16;

/** Scratch of unary_f32: a vector of large angles, and their quadrants. */
export const UNARY_SCRATCH_BYTES: i32 = 2 * 16;

/** Of recurrent_f32: units of a work item whose gates are a panel each, and scratch: sums of four panels. */
export const RECURRENT_UNITS: i32 = PANEL;
export const RECURRENT_SCRATCH_BYTES: i32 = 4 * PANEL * 4;
