// Maxima over windows of up to three axes, and where each lies in the whole of x: the first of several, or the last NaN. Planes are
// contiguous, one after the other; an axis that is not there has one element and one tap. An element at a time: places are 64 bits.
import { PoolPlacesDesc } from "../abi/rare";

/** The first tap that lies inside: (tap * dilation + start) >= 0. */
@inline function firstTap(start: i32, dilation: i32): i32 {
  return start < 0 ? (dilation - 1 - start) / dilation : 0;
}

/** Work items: planes. */
export function max_pool_places_f32(desc: usize, begin: i32, end: i32, scratch: usize): void {
  const d = changetype<PoolPlacesDesc>(desc);
  const height = d.height, width = d.width, depth = d.depth;
  const area = depth * height * width;
  const outs = d.outD * d.outH * d.outW;
  const dilationW = d.dilationW;
  for (let plane = begin; plane < end; plane++) {
    const x = d.xPtr + (<usize>(plane * area) << 2);
    let y = d.yPtr + (<usize>(plane * outs) << 2);
    let places = d.placesPtr + (<usize>(plane * outs) << 3);
    for (let p = 0; p < d.outD; p++) {
      const front = p * d.strideD - d.padFront;
      for (let q = 0; q < d.outH; q++) {
        const top = q * d.strideH - d.padTop;
        for (let r = 0; r < d.outW; r++) {
          const left = r * d.strideW - d.padLeft;
          const from = left + firstTap(left, dilationW) * dilationW;
          const limit = left + (d.kernelW - 1) * dilationW + 1;
          const to = limit < width ? limit : width;
          let best = -1;
          let value: f32 = -Infinity;
          for (let i = firstTap(front, d.dilationD); i < d.kernelD; i++) {
            const z = front + i * d.dilationD;
            if (z >= depth) break;
            for (let j = firstTap(top, d.dilationH); j < d.kernelH; j++) {
              const row = top + j * d.dilationH;
              if (row >= height) break;
              const line = (z * height + row) * width;
              for (let column = from; column < to; column += dilationW) {
                const v = load<f32>(x + (<usize>(line + column) << 2));
                // Without a branch: which is larger is as good as random.
                const isBetter = i32(v > value) | i32(best < 0) | i32(v != v);
                value = select<f32>(v, value, isBetter);
                best = select<i32>(line + column, best, isBetter);
              }
            }
          }
          store<f32>(y, value);
          store<i64>(places, <i64>(plane * area + best));
          y += 4;
          places += 8;
        }
      }
    }
  }
}
