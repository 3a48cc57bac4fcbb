// Travel and space: what is far away.

import { TAU, cycle, ramp, swing, wave } from "../brush.js";

export function travel(random, c) {
  const phase = random.next();
  const sunX = random.between(-20, 20);

  function layer(b, t, edge, y, rise, speed, fill, seed) {
    const shift = (t * speed) % 200;
    const points = [];
    for (let x = -100; x <= 100; x += 12.5) {
      const at = (x + shift) / 100 * Math.PI;
      points.push([x, y - rise * (0.5 + 0.5 * Math.sin(2 * at + seed)) - rise * 0.35 * Math.sin(3 * at + seed * 2)]);
    }
    b.smooth([...points, [110, edge.bottom + 60], [-110, edge.bottom + 60]], fill);
  }

  // A night train through layers of hills.
  function train(b, t, edge) {
    b.disc(sunX, -30 + 2 * swing(t, 17), 25, c.sun);
    layer(b, t, edge, 2, 22, 1.2, c.far, phase * 6);
    layer(b, t, edge, 22, 20, 2.6, c.main, phase * 9 + 2);
    const rail = 42;
    b.box(edge.left - 25, rail, edge.right - edge.left + 50, edge.bottom + 60, c.deep);
    const jolt = 0.35 * swing(t, 0.42);
    for (let i = 0; i < 3; i++) {
      const x = 52 * i - 66 + 3 * swing(t, 9);
      b.at(x, rail - 21 + jolt * (i % 2 ? 1 : -1), () => {
        if (i === 2) b.path("M0 0 L28 0 Q47 4 50 19 L0 19 Z", c.light);
        else b.box(0, 0, 50, 19, c.light, 2.5);
        for (let k = 0; k < (i === 2 ? 2 : 4); k++) b.box(5 + k * 11.2, 4.2, 7.6, 6.4, c.ink, 1.4);
        if (i === 2) b.path("M30 4.2 Q40 5 43.5 10.6 L30 10.6 Z", c.ink);
        b.box(0, 13, i === 2 ? 46 : 50, 2.2, c.accent);
        for (const w of [8, 16, 34, 42]) b.disc(w, 19.6, 2.7, c.ink);
      });
    }
    b.box(edge.left - 25, rail + 1.4, edge.right - edge.left + 50, 1.5, c.ink);
    for (let i = -1; i < 12; i++) b.box(-66 + i * 12 - ((t * 26) % 12), rail + 2.9, 5, 2.2, c.ink);
    layer(b, t, edge, 78, 15, 7, c.dark ? c.ink : c.main, phase * 4 + 1);
  }

  // A ferry under a low sun.
  function ferry(b, t, edge) {
    const sea = 22;
    b.slice(sunX, sea, 34, Math.PI, TAU, c.sun);
    for (let i = 0; i < 4; i++) {
      const y = sea - 7 * i - 5;
      b.box(sunX - 42, y, 84, 0.8 + 0.55 * (3 - i), c.ground);
    }
    b.box(edge.left - 25, sea, edge.right - edge.left + 50, edge.bottom + 60, c.far);
    for (let i = 0; i < 6; i++) {
      const w = (25 - i * 3) * (0.75 + 0.25 * swing(t, 2.8, i * 0.3));
      b.line([[sunX - w, sea + 5 + i * 5], [sunX + w, sea + 5 + i * 5]], 1.7, c.sun);
    }
    const x = 24 * swing(t, 26, phase);
    b.at(x, sea + 14 + 1.3 * swing(t, 3), () => {
      b.box(-19, -22, 32, 9, c.light, 1.5);
      b.box(-11, -30, 17, 8, c.light, 1.5);
      b.box(-3, -41, 7, 12, c.main, 1);
      b.box(-3, -38, 7, 3, c.ink);
      for (let i = 0; i < 4; i++) b.disc(-14 + i * 7.4, -17.6, 1.7, c.deep);
      b.path("M-34 -13 L36 -13 Q30 4 24 4 L-24 4 Q-31 2 -34 -13 Z", c.deep);
      b.box(-33, -10.6, 66.5, 2, c.light);
      for (let i = 0; i < 4; i++) {
        const up = cycle(t, 5, i / 4);
        b.veiled(0.8 * (1 - up), () => b.disc(-up * 24, -44 - up * 20, 3 + up * 6, c.light));
      }
    }, 0.035 * swing(t, 3.6));
    [c.main, c.deep].forEach((fill, i) => {
      const points = [];
      for (let x = -90; x <= 90; x += 10) points.push([x, sea + 17 + i * 18 + 2.6 * Math.sin(x / 11 + t * (1.1 - i * 0.4) + i)]);
      b.smooth([...points, [110, edge.bottom + 60], [-110, edge.bottom + 60]], fill);
    });
  }

  // A desert road to the horizon.
  function road(b, t, edge) {
    const far = 8;
    b.disc(sunX * 0.4, far - 18 + 1.5 * swing(t, 13), 24, c.sun);
    b.polygon([[-90, far], [-62, -20], [-46, -20], [-34, far]], c.main);
    b.polygon([[22, far], [34, -12], [58, -12], [72, far]], c.main);
    b.polygon([[-48, far], [-39, -9], [-30, -9], [-22, far]], c.deep);
    b.box(edge.left - 25, far, edge.right - edge.left + 50, edge.bottom + 60, c.far);
    b.polygon([[-1.5, far], [1.5, far], [66, edge.bottom + 40], [-66, edge.bottom + 40]], c.dark ? c.ink : c.deep);
    for (let i = 0; i < 8; i++) {
      const near = cycle(t, 5.5, i / 8) ** 3;
      const y = far + near * (edge.bottom - far + 30);
      const tall = 1 + near * 26;
      const wide = 0.3 + near * 4.4;
      b.polygon([[-wide, y], [wide, y], [wide * 1.25, y + tall], [-wide * 1.25, y + tall]], c.light);
    }
    for (let i = 0; i < 4; i++) {
      const near = cycle(t, 11, i / 4 + phase) ** 3;
      const y = far + near * 120;
      const side = i % 2 ? 1 : -1;
      b.at(side * (9 + near * 118), y, () => {
        b.box(-2.5, -26, 5, 26, c.main, 2.5);
        b.curve([[0, -11], [8, -12], [8.6, -19]], 3.6, c.main);
        b.curve([[0, -8], [-7, -9], [-7.6, -15]], 3.6, c.main);
      }, 0, 0.15 + near * 2.3);
    }
  }
  return random.pick([train, train, ferry, road]);
}

export function space(random, c) {
  const phase = random.next();
  const stars = random.list(34, () => ({ x: random.between(-62, 62), y: random.between(-95, 110), r: random.between(0.35, 1.15), phase: random.next() }));
  const craters = random.list(6, () => ({ a: random.between(0, TAU), d: random.between(0.1, 0.75), r: random.between(0.09, 0.2) }));

  function sky(b, t) {
    for (const s of stars) b.disc(s.x, s.y, s.r * (0.55 + 0.45 * swing(t, 3.5, s.phase)), c.dark ? c.light : c.deep);
    for (const s of stars.slice(0, 3)) {
      const r = 4 * wave(t, 4, s.phase);
      b.at(s.x * 0.8, s.y * 0.6 - 20, () => b.path("M0 -1 Q0.08 -0.08 1 0 Q0.08 0.08 0 1 Q-0.08 0.08 -1 0 Q-0.08 -0.08 0 -1 Z", c.accent), 0, Math.max(0.01, r));
    }
  }

  // A banded planet in its ring, a moon on its way around.
  function planet(b, t) {
    sky(b, t);
    const tilt = -0.36;
    const r = 31;
    const angle = (t / 9 + phase) * TAU;
    const moon = () => b.disc(56 * Math.cos(angle), 13 * Math.sin(angle), 5.4, c.accent);
    b.at(0, -6, () => {
      if (Math.sin(angle) < 0) moon();
      const ring = (from, to) => {
        for (const [size, width, fill] of [[50, 4.6, c.light], [43, 2.2, c.deep]]) {
          b.context.save();
          b.context.scale(1, 0.24);
          b.ring(0, 0, size, width * 1.7, fill, from, to);
          b.context.restore();
        }
      };
      ring(Math.PI, TAU);
      b.inside((p) => p.arc(0, 0, r, 0, TAU), () => {
        b.disc(0, 0, r, c.main);
        for (let i = 0; i < 4; i++) {
          const y = -22 + i * 13;
          const points = [];
          for (let x = -40; x <= 40; x += 8) points.push([x, y + 1.4 * Math.sin(x / 9 + t * (0.5 + i * 0.2) + i)]);
          b.curve(points, 3 + (i % 2) * 4, i % 2 ? c.accent : c.deep);
        }
        b.veiled(0.35, () => b.slice(0, 0, r + 1, -0.9, 2.2, c.ink));
      });
      ring(0, Math.PI);
      if (Math.sin(angle) >= 0) moon();
    }, tilt);
  }

  // A rocket that climbs past a cratered moon.
  function rocket(b, t, edge) {
    sky(b, t);
    b.disc(-26, 62, 52, c.far);
    for (const k of craters) b.disc(-26 + 52 * k.d * Math.cos(k.a), 62 + 52 * k.d * Math.sin(k.a), 52 * k.r * 0.8, c.back);
    b.at(8 + 1.5 * swing(t, 5), -16 + 2.4 * swing(t, 3.4), () => {
      for (let i = 0; i < 7; i++) {
        const down = cycle(t, 1.6, i / 7);
        b.veiled(1 - down, () => b.disc(2.2 * swing(i, 2.3), 30 + down * 62, 3 + down * 9, i % 2 ? c.light : c.back));
      }
      const flame = 15 + 5 * swing(t, 0.21);
      b.path(`M-6 25 Q0 ${25 + flame * 2.2} 6 25 Z`, c.accent);
      b.path(`M-3 25 Q0 ${25 + flame * 1.2} 3 25 Z`, c.light);
      b.path("M-11 10 L-21 25 Q-21 30 -18 29 L-9 24 Z", c.deep);
      b.path("M11 10 L21 25 Q21 30 18 29 L9 24 Z", c.deep);
      b.path("M0 -40 C13 -27 15 -2 9 25 L-9 25 C-15 -2 -13 -27 0 -40 Z", c.light);
      b.path("M0 -40 C5.5 -34.5 9 -28 10.8 -21 L-10.8 -21 C-9 -28 -5.5 -34.5 0 -40 Z", c.main);
      b.disc(0, -8, 6.4, c.deep);
      b.disc(0, -8, 4.2, c.accent);
      b.box(-10.4, 18, 20.8, 3, c.main);
    }, 0.22);
  }

  // A comet over a striped horizon.
  function comet(b, t, edge) {
    sky(b, t);
    const along = ramp(cycle(t, 9, phase), 0, 1);
    const x = 70 - 130 * along;
    const y = -86 + 92 * along;
    [[1, c.far], [0.72, c.deep], [0.45, c.main]].forEach(([size, fill]) => {
      b.at(x, y, () => b.path(`M0 ${-9 * size} L${92 * size} ${-4 * size} Q${98 * size} 0 ${92 * size} ${1.5 * size} L0 ${9 * size} A${9 * size} ${9 * size} 0 0 1 0 ${-9 * size} Z`, fill), -0.616);
    });
    b.disc(x, y, 6.2, c.light);
    const rise = edge.bottom * 0.4;
    [[128, c.far], [112, c.deep], [96, c.main], [80, c.accent]].forEach(([r, fill], i) => b.disc(-10, rise + 92 + i * 4, r + 1.2 * swing(t, 6, i * 0.2), fill));
  }
  return random.pick([planet, planet, rocket, comet]);
}
