// The internal form of quantised layers: tensors are uint8, channels-last where they have pixels, real = (byte - zero) * scale. int8 of
// files is held 128 higher. Weights are uint8 or int8 constants with a zero point for all or by filter.

/** What becomes of the int32 sums of a filter. Factors are float32 values, one or one a filter. */
export type Ending =
  /** clamp(round(sum * scale) + zero, low, high), halves to even; 0 <= low <= high <= 255. */
  | {
      readonly type: "uint8";
      readonly scale: Float32Array;
      readonly zero: number;
      readonly low: number;
      readonly high: number;
    }
  | { readonly type: "int32" }
  /** sum * scale, and offset where there is one, a number a filter; clamped. */
  | {
      readonly type: "float32";
      readonly scale: Float32Array;
      readonly offset?: Float32Array | undefined;
      readonly low: number;
      readonly high: number;
    };

/**
 * A sum of bytes as onnxruntime-web has it: clamp(round((a - aZero) * ra + (b - bZero) * rb + offset) + shift), every step in float32;
 * its native build fuses some of them, and halves may go another way there.
 */
export interface Addition {
  readonly ra: number;
  readonly rb: number;
  readonly aZero: number;
  readonly bZero: number;
  /** The zero point of the output's type. */
  readonly offset: number;
  /** How much higher its bytes are held: 128 where it is int8. */
  readonly shift: number;
  readonly low: number;
  readonly high: number;
}
