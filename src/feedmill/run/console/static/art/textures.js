// A creator's hand: a quiet pattern on the ground, always the same for one creator.

import { TAU } from "./brush.js";

/** A function that draws the creator's texture in units of the picture; `edge` is its bounds. */
export function makeTexture(creator, colours) {
  const kind = creator.pick(["dots", "stripes", "arcs", "steps", "plain"]);
  const corner = creator.pick([[-50, -1], [50, -1], [-50, 1], [50, 1]]);
  const size = creator.between(0.85, 1.25);
  const tone = colours.back;
  return (b, edge) => {
    const x = corner[0];
    const y = corner[1] < 0 ? edge.top : edge.bottom * 0.45;
    if (kind === "dots") {
      for (let row = 0; row < 8; row++) {
        for (let column = 0; column < 8 - row; column++) {
          b.disc(x - Math.sign(x) * (4 + column * 7 * size), y - corner[1] * (4 + row * 7 * size), 1.5 * size, tone);
        }
      }
    } else if (kind === "stripes") {
      for (let i = 1; i < 8; i++) {
        const reach = i * 9 * size;
        b.line([[x, y - corner[1] * reach], [x - Math.sign(x) * reach, y]], 2.6 * size, tone, "butt");
      }
    } else if (kind === "arcs") {
      for (let i = 1; i < 6; i++) b.ring(x, y, i * 10 * size, 3.4 * size, tone, 0, TAU);
    } else if (kind === "steps") {
      for (let i = 0; i < 5; i++) b.box(x > 0 ? x - (5 - i) * 9 * size : x, y - (corner[1] > 0 ? (i + 1) * 9 * size : -i * 9 * size), (5 - i) * 9 * size, 9.2 * size, tone);
    }
  };
}
