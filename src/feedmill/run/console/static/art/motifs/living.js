// Cats, gardens and wild nature.

import { TAU, cycle, ramp, swing, wave } from "../brush.js";

/** How far an eye is open, 0 to 1: it blinks now and then. */
function open(t, phase) {
  const x = cycle(t, 3.6, phase);
  return x > 0.94 ? Math.abs(x - 0.97) / 0.03 : 1;
}

export function cats(random, c) {
  const phase = random.next();
  const spot = random.between(0.2, 0.8);
  const stripes = random.next() < 0.6;
  const fur = random.pick([c.main, c.main, c.deep]);
  const inner = fur === c.main ? c.deep : c.main;

  function eye(b, x, y, r, t, lookX, lookY) {
    const lid = open(t, phase);
    b.at(x, y, () => {
      b.inside((p) => p.ellipse(0, 0, r, Math.max(0.4, r * 0.94 * lid), 0, 0, TAU), () => {
        b.disc(0, 0, r, c.light);
        b.oval(lookX * r * 0.38, lookY * r * 0.3, r * 0.4, r * 0.82, c.ink);
        b.disc(lookX * r * 0.38 + r * 0.16, lookY * r * 0.3 - r * 0.34, r * 0.14, c.light);
      });
      if (lid < 0.3) b.ring(0, -r * 0.4, r * 0.85, 1.3, c.ink, 0.6, Math.PI - 0.6);
    });
  }

  function ear(b, side, twitch) {
    b.at(side * 25, -22, () => {
      b.path("M-15 14 C-13 -8 -8 -24 3 -32 Q6 -34 8 -30 C14 -18 17 -4 16 14 Z", fur);
      b.path("M-6 8 C-5 -6 -2 -15 4 -22 C9 -13 11 -4 11 8 Z", inner);
    }, side * 0.06 + twitch, side, 1);
  }

  // A face that fills the card and follows a dot of light.
  function face(b, t, edge) {
    const dotX = 30 * swing(t, 7, phase);
    const dotY = -62 + 9 * swing(t, 4.3, spot);
    b.glow(dotX, dotY, 15, c.accent, 0.7);
    b.disc(dotX, dotY, 3.6, c.accent);
    b.at(0, 16 + 1.2 * swing(t, 4), () => {
      b.path(`M-40 ${edge.bottom + 20} C-52 60 -38 30 -22 22 L22 22 C38 30 52 60 40 ${edge.bottom + 20} Z`, fur);
      const flick = cycle(t, 5.2, spot) > 0.95 ? 0.12 * swing(t, 0.26) : 0;
      ear(b, -1, 0);
      ear(b, 1, flick);
      b.path("M0 -32 C30 -32 46 -14 46 6 C46 28 24 38 0 38 C-24 38 -46 28 -46 6 C-46 -14 -30 -32 0 -32 Z", fur);
      if (stripes) for (const x of [-9, 0, 9]) b.line([[x, -31], [x * 0.85, -21 + Math.abs(x) * 0.2]], 3.6, inner);
      b.oval(0, 22, 17, 13, c.light);
      const lookX = dotX / 42;
      eye(b, -19, 2, 10.5, t, lookX, -0.7);
      eye(b, 19, 2, 10.5, t, lookX, -0.7);
      b.path("M-4.6 13.6 Q0 11.6 4.6 13.6 Q3.4 18 0 19 Q-3.4 18 -4.6 13.6 Z", c.accent);
      b.curve([[-8, 23], [-4.5, 25], [0, 20], [4.5, 25], [8, 23]], 1.5, c.ink);
      for (const side of [-1, 1]) {
        for (const i of [0, 1, 2]) b.line([[side * 20, 19 + i * 3.4], [side * 47, 13 + i * 7]], 1, c.light);
      }
    });
  }

  // From behind, on a wall before the moon: ears, a back and a tail that talks.
  function sitting(b, t, edge) {
    b.disc(8, -22, 35, c.light);
    const wall = 50;
    const tip = swing(t, 3.4, phase);
    b.curve([[-14, wall - 6], [-34, wall + 2], [-42, wall + 22], [-30 + 6 * tip, wall + 38], [-18 + 14 * tip, wall + 34]], 8, fur);
    b.box(edge.left - 20, wall, edge.right - edge.left + 40, edge.bottom + 60, c.deep === fur ? c.far : c.deep);
    b.curve([[-14, wall - 5], [-34, wall + 2], [-42, wall + 20], [-32 + 6 * tip, wall + 38], [-20 + 14 * tip, wall + 32]], 8, fur);
    b.path("M-26 52 C-30 22 -20 -2 0 -6 C20 -2 30 22 26 52 Z", fur);
    b.at(0, -14, () => {
      b.disc(0, 0, 19, fur);
      b.path("M-17 -6 L-17 -27 Q-16 -30 -13 -28 L-1 -15 Z", fur);
      b.path("M17 -6 L17 -27 Q16 -30 13 -28 L1 -15 Z", fur);
    }, 0.09 * swing(t, 6, spot));
    b.curve([[-13, 2], [0, 6], [13, 2]], 4, c.accent);
    if (stripes) for (const i of [0, 1, 2]) b.curve([[-9 + i, 12 + i * 9], [0, 9 + i * 9], [9 - i, 12 + i * 9]], 2.6, inner);
  }

  // Two eyes over the edge of a box.
  function box(b, t, edge) {
    const rise = 8 * wave(t, 6, phase);
    b.at(0, 22 - rise, () => {
      ear(b, -1, 0);
      ear(b, 1, 0.05 * swing(t, 0.9));
      b.path("M0 -32 C30 -32 44 -14 44 10 L44 60 L-44 60 L-44 10 C-44 -14 -30 -32 0 -32 Z", fur);
      const look = swing(t, 5, spot);
      eye(b, -18, -2, 11, t, look, 0.2);
      eye(b, 18, -2, 11, t, look, 0.2);
      if (stripes) for (const x of [-8, 0, 8]) b.line([[x, -31], [x * 0.85, -20]], 3.4, inner);
    });
    b.polygon([[-46, 36], [46, 36], [46, edge.bottom + 30], [-46, edge.bottom + 30]], c.far);
    b.polygon([[-46, 36], [-62, 58], [-40, 58], [0, 36]], c.back);
    b.polygon([[46, 36], [62, 58], [40, 58], [0, 36]], c.back);
    for (const side of [-1, 1]) b.oval(side * 27, 37 - rise * 0.3, 9, 6.5, fur);
  }
  return random.pick([face, face, sitting, box]);
}

/** A leaf from the origin along x, `length` long. */
function leaf(b, length, fill, vein) {
  b.path(`M0 0 C${length * 0.2} ${-length * 0.42} ${length * 0.72} ${-length * 0.4} ${length} 0 C${length * 0.72} ${length * 0.22} ${length * 0.25} ${length * 0.24} 0 0 Z`, fill);
  if (vein) b.curve([[length * 0.1, -length * 0.02], [length * 0.5, -length * 0.09], [length * 0.88, -length * 0.02]], 0.9, vein);
}

export function gardening(random, c) {
  const phase = random.next();
  const pairs = random.whole(4, 5);
  const petals = random.pick([7, 8, 10]);

  // One stem that grows leaf by leaf out of the soil, blooms and starts again.
  function stem(b, t, edge) {
    b.disc(18, -40, 17, c.sun);
    const soil = 50;
    const year = cycle(t, 13, phase);
    const grown = 0.45 + 0.55 * (ramp(year, 0, 0.6) - ramp(year, 0.88, 1));
    const height = 100 * grown;
    const lean = (y) => 5 * Math.sin(y / 26 + 1) * (1 + 0.25 * swing(t, 4));
    const points = [];
    for (let y = 0; y <= height + 0.1; y += Math.max(2, height / 10)) points.push([lean(y), soil - y]);
    if (points.length > 1) b.curve(points, 3.4, c.deep);
    for (let i = 0; i < pairs; i++) {
      const y = 14 + (i * 76) / pairs;
      const size = 31 * (1 - i * 0.1) * ramp(height, y, y + 32);
      if (size < 0.5) continue;
      for (const side of [-1, 1]) {
        const turn = -0.5 - 0.08 * swing(t, 3.4, i * 0.13) - i * 0.06;
        b.at(lean(y), soil - y - (side > 0 ? 4 : 0), () => leaf(b, size, side > 0 ? c.main : c.deep, side > 0 ? c.deep : c.main), side > 0 ? turn : -turn, side, 1);
      }
    }
    const bud = 11 * ramp(grown, 0.72, 1);
    if (bud > 0.3) {
      b.at(lean(height), soil - height, () => {
        for (let i = 0; i < 6; i++) b.at(0, 0, () => b.oval(bud * 0.8, 0, bud * 0.75, bud * 0.48, c.light), (i / 6) * TAU + 0.1 * swing(t, 5));
        b.disc(0, 0, bud * 0.5, c.accent);
      });
    }
    b.path(`M-90 ${soil + 8} Q-30 ${soil - 8} 0 ${soil - 2} Q40 ${soil + 8} 90 ${soil - 4} L90 ${edge.bottom + 40} L-90 ${edge.bottom + 40} Z`, c.dark ? c.ink : c.deep);
    for (let i = 0; i < 9; i++) b.disc(-42 + i * 10.5, soil + 14 + (i % 3) * 8, 1.3, c.far);
  }

  // A flower from above that opens and closes.
  function bloom(b, t) {
    const opened = 0.74 + 0.26 * wave(t, 7, phase);
    for (let i = 0; i < 5; i++) b.at(0, -4, () => leaf(b, 62, i % 2 ? c.deep : c.far, c.back), (i / 5) * TAU + 0.5 + 0.03 * swing(t, 6));
    for (const [length, width, fill, spin] of [[45, 14, c.main, 0], [33, 11, c.light, 0.5], [21, 8, c.accent, 0]]) {
      for (let i = 0; i < petals; i++) {
        const turn = ((i + spin) / petals) * TAU + 0.12 * swing(t, 11);
        b.at(0, -4, () => b.oval(length * 0.55 * opened, 0, length * 0.5 * opened, width * 0.62, fill), turn);
      }
    }
    b.disc(0, -4, 9, c.deep);
    for (let i = 0; i < 9; i++) b.disc(5.4 * Math.cos((i / 9) * TAU), -4 + 5.4 * Math.sin((i / 9) * TAU), 1, c.accent);
  }

  // Three pots in a row, each with its own plant.
  function pots(b, t, edge) {
    const floor = 48;
    b.box(edge.left - 20, floor, edge.right - edge.left + 40, edge.bottom + 40, c.far);
    [[-31, 22, 0], [2, 28, 1], [33, 19, 2]].forEach(([x, size, kind]) => {
      b.at(x, floor, () => {
        const sway = 0.07 * swing(t, 4, kind * 0.3);
        b.at(0, -size * 0.95, () => {
          if (kind === 0) for (const a of [-2.3, -1.9, -1.57, -1.2, -0.8]) b.at(0, 0, () => leaf(b, size * 1.7, a < -1.57 ? c.main : c.deep), a + sway);
          if (kind === 1) {
            b.line([[0, 0], [sway * 40, -size * 1.5]], 2.4, c.deep);
            for (let i = 0; i < 4; i++) b.at(sway * 10 * i, -8 - i * 10, () => leaf(b, 20 - i * 2, i % 2 ? c.main : c.deep), i % 2 ? -0.5 + sway : Math.PI + 0.5 + sway);
            b.at(sway * 40, -size * 1.5, () => {
              for (let i = 0; i < 7; i++) b.at(0, 0, () => b.oval(9, 0, 7, 4, c.light), (i / 7) * TAU + t * 0.1);
              b.disc(0, 0, 5, c.accent);
            });
          }
          if (kind === 2) {
            b.oval(0, -size * 1.1, size * 0.52, size * 1.2, c.main);
            for (const y of [-0.5, -1.1, -1.7]) for (const s of [-1, 0, 1]) b.disc(s * size * 0.25, y * size, 0.9, c.light);
            b.disc(0, -size * 2.35, 4.4, c.accent);
          }
        });
        b.polygon([[-size * 0.5, -size], [size * 0.5, -size], [size * 0.36, 0], [-size * 0.36, 0]], kind === 1 ? c.accent : c.deep);
        b.box(-size * 0.58, -size * 1.05, size * 1.16, size * 0.24, kind === 1 ? c.light : c.ink, 1.5);
      });
    });
  }
  return random.pick([stem, stem, bloom, pots]);
}

export function nature(random, c) {
  const phase = random.next();
  const drops = random.list(34, () => ({ x: random.between(-60, 60), phase: random.next(), long: random.between(4, 9) }));
  const flock = random.list(5, (i) => ({ x: -26 + i * 11, y: Math.abs(i - 2) * 5 + random.between(-2, 2), phase: random.next() }));

  function hill(b, edge, y, height, lean, fill) {
    b.path(`M-95 ${y + 10} C-55 ${y - height + lean} -25 ${y - height} 5 ${y - lean} C35 ${y + lean} 55 ${y - height * 0.6} 95 ${y - 4} L95 ${edge.bottom + 40} L-95 ${edge.bottom + 40} Z`, fill);
  }
  function bird(b, x, y, size, flap, fill) {
    b.curve([[x - size, y - size * 0.5 * flap], [x - size * 0.45, y - size * 0.5], [x, y], [x + size * 0.45, y - size * 0.5], [x + size, y - size * 0.5 * flap]], size * 0.22, fill);
  }

  // Hills under rain, a flock crossing.
  function rain(b, t, edge) {
    b.disc(-20, -34, 22, c.light);
    hill(b, edge, 22, 26, 6, c.far);
    hill(b, edge, 40, 22, -8, c.main);
    for (const d of drops) {
      const y = edge.top + (edge.bottom - edge.top) * cycle(t, 3.2, d.phase);
      b.line([[d.x - y * 0.14, y], [d.x - y * 0.14 - d.long * 0.14, y + d.long]], 1, c.line);
    }
    hill(b, edge, 62, 18, 7, c.deep);
    const x = 150 * cycle(t, 22, phase) - 75;
    for (const f of flock) bird(b, x + f.x, -52 + f.y, 7, 0.4 + 1.2 * wave(t, 0.9, f.phase), c.dark ? c.light : c.ink);
  }

  // An owl on a branch that turns its eyes to you.
  function owl(b, t, edge) {
    b.disc(0, -14, 45, c.far);
    const look = swing(t, 6, phase);
    const lid = open(t, phase);
    for (const [a, r] of [[-2.5, 30], [-0.7, 26], [0.25, 34]]) b.at(-60 + (a > -1 ? 122 : 0), 44, () => leaf(b, r, c.deep), a + 0.05 * swing(t, 4, r));
    b.at(0, 6 + 0.8 * swing(t, 3.2), () => {
      b.path("M-27 -34 C-29 -42 -27 -48 -24 -50 C-14 -43 14 -43 24 -50 C27 -48 29 -42 27 -34 C32 -12 30 26 0 40 C-30 26 -32 -12 -27 -34 Z", c.main);
      b.path("M-29 -16 C-36 4 -30 28 -12 34 C-18 18 -22 0 -29 -16 Z", c.deep);
      b.path("M29 -16 C36 4 30 28 12 34 C18 18 22 0 29 -16 Z", c.deep);
      for (const [row, count] of [[0, 3], [1, 4], [2, 3], [3, 2]]) {
        for (let i = 0; i < count; i++) b.ring((i - (count - 1) / 2) * 8, -2 + row * 8, 3.4, 1.4, c.light, 0.2, Math.PI - 0.2);
      }
      for (const side of [-1, 1]) {
        b.disc(side * 12.5, -24, 13, c.light);
        b.disc(side * 12.5 + look * 4, -24, 7.4, c.ink);
        b.disc(side * 12.5 + look * 4 + 2.4, -26.6, 2, c.light);
        if (lid < 1) b.slice(side * 12.5, -24, 13.4, Math.PI, TAU, c.main);
      }
      b.polygon([[-4, -17], [4, -17], [0, -8]], c.accent);
    });
    b.path(`M${edge.left - 25} 50 C-30 40 20 42 ${edge.right + 25} 34 L${edge.right + 25} 42 C20 50 -30 49 ${edge.left - 25} 58 Z`, c.dark ? c.ink : c.deep);
    for (const x of [-9, -4, 5, 10]) b.line([[x, 41], [x, 48]], 2.6, c.accent);
  }

  // A lake between mountains and their reflection.
  function lake(b, t, edge) {
    const shore = 26;
    b.disc(22, -36, 15, c.sun);
    const range = (fill, light) => {
      b.polygon([[-80, shore], [-34, -34], [6, shore]], fill);
      b.polygon([[-20, shore], [26, -18], [80, shore]], light);
      b.polygon([[-34, -34], [-43, -22], [-36, -17], [-31, -22], [-25.5, -22.6]], c.light);
    };
    range(c.deep, c.main);
    b.box(edge.left - 25, shore, edge.right - edge.left + 50, edge.bottom + 40, c.far);
    b.veiled(0.4, () => b.at(0, 2 * shore, () => range(c.deep, c.main), 0, 1, -1));
    for (let i = 0; i < 9; i++) {
      const width = 16 + 9 * swing(t, 4, i * 0.21);
      b.line([[-30 + ((i * 37) % 62) - width, shore + 5 + i * 6], [-30 + ((i * 37) % 62) + width, shore + 5 + i * 6]], 1.5, c.light);
    }
    for (const [x, s] of [[-44, 1.1], [-37, 0.8], [42, 1.25], [35, 0.85], [47, 0.8]]) {
      b.at(x, shore + 7 * s, () => { for (const i of [0, 1, 2]) b.polygon([[0, -34 + i * 9], [-6 - i * 2, -18 + i * 9], [6 + i * 2, -18 + i * 9]], c.ink); }, 0.02 * swing(t, 4, x), s);
    }
  }
  return random.pick([rain, owl, lake]);
}
