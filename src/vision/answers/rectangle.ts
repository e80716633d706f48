// The smallest rectangle around points, at any angle: one of its sides lies on an edge of their convex hull (Freeman and Shapira 1975).

export type Point = readonly [x: number, y: number];

/** About its middle, turned by an angle from -π/4 to π/4, in which `width` lies. */
export interface Rect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly angle: number;
}

const cross = ([ax, ay]: Point, [bx, by]: Point, [cx, cy]: Point): number =>
  (bx - ax) * (cy - ay) - (by - ay) * (cx - ax);

/** Corners of the convex hull, in order (Andrew 1979). */
function convexHull(points: readonly Point[]): Point[] {
  const sorted = [...points].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const chain = (all: readonly Point[]): Point[] => {
    const hull: Point[] = [];
    for (const point of all) {
      while (hull.length > 1 && cross(hull.at(-2) as Point, hull.at(-1) as Point, point) <= 0) hull.pop();
      hull.push(point);
    }
    return hull.slice(0, -1);
  };
  return sorted.length < 2 ? sorted : [...chain(sorted), ...chain(sorted.reverse())];
}

/** Around at least one point. */
export function minAreaRect(points: readonly Point[]): Rect {
  const hull = convexHull(points);
  let best: Rect | undefined;
  for (const [i, [ax, ay]] of hull.entries()) {
    const [bx, by] = hull[(i + 1) % hull.length] as Point;
    // The same rectangle lies along any of its sides: the angle that is nearest to upright.
    const edge = Math.atan2(by - ay, bx - ax);
    const angle = edge - (Math.round(edge / (Math.PI / 2)) * Math.PI) / 2;
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    const us = hull.map(([x, y]) => x * cos + y * sin);
    const vs = hull.map(([x, y]) => y * cos - x * sin);
    const [u0, u1, v0, v1] = [Math.min(...us), Math.max(...us), Math.min(...vs), Math.max(...vs)];
    const [width, height, u, v] = [u1 - u0, v1 - v0, (u0 + u1) / 2, (v0 + v1) / 2];
    if (best === undefined || width * height < best.width * best.height)
      best = { x: u * cos - v * sin, y: u * sin + v * cos, width, height, angle };
  }
  return best as Rect;
}
