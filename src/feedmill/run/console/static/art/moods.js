// What a mood does to any picture: its pace, its tilt, its bounce, and what lies behind and before the motif.

import { TAU, cycle, swing } from "./brush.js";

const PACES = { calm: 0.55, bright: 1, wild: 1.75, dreamy: 0.5, funny: 1.15 };

/** The mood of one picture; `random` is a chance of the item. */
export function makeMood(name, random, colours) {
  const tilt = name === "wild" ? random.sign() * random.between(0.1, 0.19) : name === "funny" ? random.between(-0.06, 0.06) : 0;
  const offset = random.between(0, 40);
  return {
    name,
    /** The picture's own time, in seconds. */
    time: (seconds) => offset + seconds * (PACES[name] ?? 1),
    /** Turn, lift and scales of the motif at its own time. */
    pose(t) {
      if (name === "wild") return { turn: tilt + 0.025 * swing(t, 3.1), lift: 0.8 * swing(t, 0.9), x: 1.1, y: 1.1 };
      if (name === "funny") {
        const hop = Math.abs(swing(t, 2.2));
        const squash = hop < 0.25 ? 0.07 * (1 - hop / 0.25) : 0;
        return { turn: tilt + 0.03 * swing(t, 4.4), lift: -5 * hop, x: 1 + squash, y: 1 - squash };
      }
      if (name === "dreamy") return { turn: 0.02 * swing(t, 9), lift: 1.6 * swing(t, 5), x: 1, y: 1 };
      return { turn: 0, lift: 0, x: 1, y: 1 };
    },
    behind: BEHIND[name]?.(random, colours) ?? (() => {}),
    before: name === "dreamy" ? haze(random, colours) : () => {},
  };
}

const BEHIND = {
  calm(random, c) {
    const x = random.between(-22, 22);
    const r = random.between(44, 58);
    return (b, t) => {
      b.disc(x, -6 + 2 * swing(t, 14), r + 18, c.back);
    };
  },
  bright(random, c) {
    const rays = random.pick([9, 11, 13]);
    return (b, t) => {
      const turn = t * 0.045;
      for (let i = 0; i < rays; i++) {
        const angle = turn + (i / rays) * TAU;
        b.slice(0, -6, 260, angle, angle + Math.PI / rays, c.back, true);
      }
    };
  },
  wild(random, c) {
    const slashes = random.list(7, (i) => ({ y: -95 + i * 32 + random.between(-8, 8), thick: random.between(5, 15), phase: random.next() }));
    return (b, t) => {
      b.at(0, 0, () => {
        for (const s of slashes) {
          const x = 300 * cycle(t, 5, s.phase) - 190;
          b.box(x, s.y, 95, s.thick, c.back, s.thick / 2);
        }
      }, -0.5);
    };
  },
  dreamy(random, c) {
    const lights = random.list(3, (i) => ({
      x: random.between(-40, 40), y: [-60, 0, 70][i] + random.between(-15, 15), r: random.between(55, 85),
      colour: [c.main, c.accent, c.deep][i], phase: random.next(),
    }));
    return (b, t) => {
      for (const l of lights) b.glow(l.x + 9 * swing(t, 11, l.phase), l.y + 9 * swing(t, 8, l.phase + 0.3), l.r, l.colour, 0.5);
    };
  },
  funny(random, c) {
    const bits = random.list(13, (i) => ({
      x: random.between(-48, 48), y: -88 + i * 14 + random.between(-4, 4), r: random.between(1.6, 3.6),
      phase: random.next(), kind: random.whole(0, 2), colour: random.pick([c.back, c.far, c.far]),
    }));
    return (b, t) => {
      for (const bit of bits) {
        b.at(bit.x, bit.y - 4 * Math.abs(swing(t, 2.2, bit.phase)), () => {
          if (bit.kind === 0) b.disc(0, 0, bit.r, bit.colour);
          else if (bit.kind === 1) b.ring(0, 0, bit.r, 1.3, bit.colour);
          else b.curve([[-4, 0], [-2, -2], [0, 0], [2, 2], [4, 0]], 1.4, bit.colour);
        }, bit.phase * TAU);
      }
    };
  },
};

function haze(random, c) {
  const lights = random.list(5, () => ({ x: random.between(-45, 45), y: random.between(-75, 55), r: random.between(5, 13), phase: random.next() }));
  return (b, t) => {
    for (const l of lights) b.glow(l.x + 5 * swing(t, 13, l.phase), l.y - 10 * cycle(t, 9, l.phase), l.r, c.light, 0.3 * swing(t, 9, l.phase) ** 2);
  };
}
