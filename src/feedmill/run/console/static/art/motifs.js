// The language of each topic. A motif is made once for a card, `make(random, colours, mood)`, and returns what draws it:
// `(brush, t, edge, mirrored)`, in hundredths of the width around the middle of the picture, y downwards; `edge` is what
// can be seen, `mirrored` is -1 where left and right are exchanged.

import { TAU, swing } from "./brush.js";
import { space, travel } from "./motifs/far.js";
import { cooking, crafts, fashion } from "./motifs/hands.js";
import { cats, gardening, nature } from "./motifs/living.js";
import { gaming, science } from "./motifs/minds.js";
import { cars, fitness, football } from "./motifs/speed.js";
import { comedy, dance, music } from "./motifs/stage.js";

export const MOTIFS = {
  cats, cooking, football, travel, music, gardening, gaming, fitness, science, space, dance, crafts, cars, fashion, comedy,
  nature,
};

/** For a topic without a language of its own: discs that circle each other. */
export function plain(random, c) {
  const discs = random.list(5, (i) => ({ r: random.between(6, 22), way: 12 + i * 8, phase: random.next() }));
  const colours = [c.main, c.deep, c.accent, c.light, c.far];
  return (b, t) => {
    discs.forEach((d, i) => {
      const angle = (t / (9 + 3 * i) + d.phase) * TAU;
      b.disc(d.way * Math.cos(angle), d.way * Math.sin(angle) + 2 * swing(t, 5), d.r, colours[i]);
    });
  };
}
