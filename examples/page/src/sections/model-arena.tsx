// What lies where in a network's arena, and when: steps from left to right, bytes upwards.
import { bytes } from "../parts/format.js";

interface Block {
  readonly name?: string;
  readonly offset: number;
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

const WIDTH = 800;
const HEIGHT = 260;
const LANES = ["lane1", "lane2", "lane3", "lane4"];

export function Arena({ blocks, steps, arenaBytes }: Props) {
  if (blocks.length === 0) return null;
  const x = (step: number) => ((step + 1) / (steps + 2)) * WIDTH;
  const y = (at: number) => HEIGHT - (at / arenaBytes) * HEIGHT;
  const all = blocks.reduce((sum, block) => sum + block.bytes, 0);
  return (
    <figure class="arena">
      <figcaption>
        <b>Arena: {bytes(arenaBytes)}</b> for {bytes(all)} of values, since what is no longer needed makes room. Steps
        from left to right, bytes upwards.
      </figcaption>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${blocks.length} values in ${bytes(arenaBytes)}`}
      >
        {blocks.map((block, i) => (
          <rect
            key={i}
            x={x(block.first)}
            y={y(block.offset + block.bytes)}
            width={Math.max(1, x(block.last + 1) - x(block.first) - 0.5)}
            height={Math.max(0.75, (block.bytes / arenaBytes) * HEIGHT - 0.5)}
            class={`block ${block.name === undefined ? "scratch" : LANES[i % LANES.length]}`}
          >
            <title>{`${block.name ?? "workspace"}: ${bytes(block.bytes)}`}</title>
          </rect>
        ))}
      </svg>
    </figure>
  );
}

interface Props {
  readonly blocks: readonly Block[];
  readonly steps: number;
  readonly arenaBytes: number;
}
