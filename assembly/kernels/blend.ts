// Pixels laid on a colour by their alpha, in place, one byte a channel:
//
//   y[c] = (x[c] * alpha + colour[c] * (255 - alpha)) / 255, halves up
//
// With black for the colour that is premultiplying. The quotient is Pillow's, exact: t = sum + 128, (t + (t >> 8)) >> 8.
import { BlendDesc } from "../abi/vision";

const ALPHAS_LOW = i8x16(3, -128, 3, -128, 3, -128, 3, -128, 7, -128, 7, -128, 7, -128, 7, -128);
const ALPHAS_HIGH = i8x16(11, -128, 11, -128, 11, -128, 11, -128, 15, -128, 15, -128, 15, -128, 15, -128);

/** Two pixels, their channels and alphas as i16. Sums are at most 255 * 255 + 128. */
@inline function blended(pixels: v128, alphas: v128, colour: v128): v128 {
  const rest = i16x8.sub(i16x8.splat(255), alphas);
  const sum = i16x8.add(i16x8.mul(pixels, alphas), i16x8.mul(colour, rest));
  const t = i16x8.add(sum, i16x8.splat(128));
  return i16x8.shr_u(i16x8.add(t, i16x8.shr_u(t, 8)), 8);
}

/** Work items: rows. scratch: none. */
export function blend_u8(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<BlendDesc>(desc);
  if (!ASC_NO_ASSERT) assert(d.columns > 0 && d.rowBytes >= d.columns << 2);
  const colour = i16x8.extend_low_i8x16_u(i32x4.splat(d.colour));
  const isAlpha = i32x4.splat(0xff000000);
  const opaque = i32x4.splat(d.opaque);
  const whole = <usize>(d.columns & ~3) << 2;
  const bytes = <usize>d.columns << 2;
  for (let row = begin; row < end; row++) {
    const x = d.xPtr + <usize>row * <usize>d.rowBytes;
    for (let i: usize = 0; i < bytes; i += 16) {
      const v = v128.load(x + i);
      const low = blended(i16x8.extend_low_i8x16_u(v), i8x16.swizzle(v, ALPHAS_LOW), colour);
      const high = blended(i16x8.extend_high_i8x16_u(v), i8x16.swizzle(v, ALPHAS_HIGH), colour);
      const y = v128.or(v128.bitselect(v, i8x16.narrow_i16x8_u(low, high), isAlpha), opaque);
      if (i < whole) {
        v128.store(x + i, y);
        continue;
      }
      store<i32>(x + i, i32x4.extract_lane(y, 0));
      if (i + 4 < bytes) store<i32>(x + i, i32x4.extract_lane(y, 1), 4);
      if (i + 8 < bytes) store<i32>(x + i, i32x4.extract_lane(y, 2), 8);
    }
  }
}
