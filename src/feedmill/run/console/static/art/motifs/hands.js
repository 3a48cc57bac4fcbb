// Cooking, crafts and fashion: what is made by hand.

import { TAU, cycle, swing, wave } from "../brush.js";

export function cooking(random, c) {
  const phase = random.next();
  const slices = random.list(7, (i) => ({ angle: (i / 7) * TAU + random.between(-0.2, 0.2), way: random.between(14, 25), kind: random.whole(0, 2), r: random.between(4.5, 7) }));

  function steam(b, x, y, t, start, tone) {
    const points = [];
    for (let k = 0; k <= 10; k++) points.push([x + (2 + k * 0.5) * Math.sin(k * 0.85 - t * 1.8 + start * 6), y - k * 5.2]);
    b.veiled(0.55 + 0.45 * swing(t, 4, start), () => b.curve(points, 4.6, tone));
  }

  // A pan from above, tossed slowly round.
  function pan(b, t) {
    b.at(0, -4, () => {
      b.box(-4.6, 36, 9.2, 90, c.dark ? c.ink : c.deep, 4.6);
      b.box(-2, 58, 4, 55, c.far, 2);
    }, -0.7);
    b.disc(0, -4, 43, c.dark ? c.ink : c.deep);
    b.disc(0, -4, 37.5, c.far);
    b.ring(0, -4, 33.5, 1, c.back);
    b.at(0, -4, () => {
      b.smooth(Array.from({ length: 11 }, (_, i) => {
        const r = 16 + 3.5 * Math.sin(i * 2.4 + phase * 9);
        return [-6 + r * Math.cos((i / 11) * TAU), 4 + r * Math.sin((i / 11) * TAU)];
      }), c.light);
      b.disc(-7, 3, 7.2, c.sun);
      b.oval(-9.4, 0.4, 2, 1.2, c.light, -0.7);
      for (const s of slices) {
        b.at(s.way * Math.cos(s.angle), s.way * Math.sin(s.angle) + 0.6 * swing(t, 0.5, s.angle), () => {
          if (s.kind === 0) { b.disc(0, 0, s.r, c.accent); b.disc(0, 0, s.r * 0.72, c.light); for (let i = 0; i < 3; i++) b.disc(s.r * 0.34 * Math.cos(i * 2.1), s.r * 0.34 * Math.sin(i * 2.1), s.r * 0.2, c.accent); }
          else if (s.kind === 1) b.slice(0, 0, s.r, 0, Math.PI, c.main);
          else b.path("M0 -7 C5 -4 5 4 0 7 C-5 4 -5 -4 0 -7 Z", c.main);
        }, s.angle * 3);
      }
    }, t * 0.16);
    for (let i = 0; i < 6; i++) {
      const up = cycle(t, 2.4, i / 6 + phase);
      b.ring(24 * Math.cos(i * 2.4), -4 + 24 * Math.sin(i * 2.4), 1 + 3 * up, 0.8, c.light);
    }
  }

  // A pot with a dancing lid, steam over it and flames under it.
  function pot(b, t, edge) {
    const boil = Math.abs(swing(t, 0.9)) * wave(t, 3.4, phase);
    [-20, -2, 17].forEach((x, i) => steam(b, x, -24 - boil * 3, t, i * 0.31 + phase, i === 1 ? c.light : c.far));
    b.at(0, -16 - 4.5 * boil, () => {
      b.path("M-33 0 C-30 -14 30 -14 33 0 Z", c.deep);
      b.disc(0, -13, 4.6, c.accent);
      b.box(-36, -2, 72, 4.4, c.light, 2.2);
    }, 0.05 * boil * swing(t, 0.5));
    b.box(-49, 0, 98, 7, c.deep, 3.5);
    b.path("M-35 -13 L35 -13 L35 27 Q35 40 22 40 L-22 40 Q-35 40 -35 27 Z", c.main);
    b.veiled(0.25, () => b.box(-28, -6, 6, 34, c.light, 3));
    b.box(-35, 8, 70, 5, c.accent);
    for (let i = 0; i < 5; i++) {
      const high = 11 + 4 * swing(t, 0.6, i * 0.37);
      b.at(-24 + i * 12, 54, () => {
        b.path(`M0 ${-high} C6 ${-high * 0.4} 6 0 0 0 C-6 0 -6 ${-high * 0.4} 0 ${-high} Z`, c.sun);
        b.path(`M0 ${-high * 0.5} C3 ${-high * 0.2} 3 0 0 0 C-3 0 -3 ${-high * 0.2} 0 ${-high * 0.5} Z`, c.light);
      });
    }
    b.box(-40, 54, 80, 4, c.ink, 2);
    b.box(edge.left - 25, 58, edge.right - edge.left + 50, edge.bottom + 40, c.far);
  }

  // A bowl of noodles; chopsticks lift them.
  function bowl(b, t, edge) {
    const lift = 12 * wave(t, 4.5, phase);
    [-24, -10].forEach((x, i) => steam(b, x, -18, t, i * 0.4 + phase, c.far));
    b.oval(0, 8, 43, 11, c.deep);
    b.oval(0, 9, 39.5, 8.6, c.accent);
    for (let i = 0; i < 5; i++) {
      const x = 6 + i * 4.2;
      const points = [];
      for (let k = 0; k <= 8; k++) points.push([x + 1.4 * Math.sin(k * 0.9 + i + t * 2), 10 - k * (38 + lift) / 8]);
      b.curve(points, 2.5, c.light);
    }
    b.at(15, -28 - lift, () => {
      b.at(0, -2, () => b.box(-12, -1.6, 74, 3.2, c.ink, 1.6), -0.5);
      b.at(0, 3, () => b.box(-12, -1.6, 74, 3.2, c.ink, 1.6), -0.36);
    });
    b.oval(-18, 7, 10, 6.4, c.light, -0.2);
    b.oval(-18, 7.6, 5.4, 3.6, c.sun, -0.2);
    for (const [x, y] of [[-2, 12], [-29, 12], [31, 11]]) b.disc(x, y, 1.7, c.main);
    b.path("M-43 8 C-43 11 43 11 43 8 C43 36 27 50 14 53 L-14 53 C-27 50 -43 36 -43 8 Z", c.main);
    b.path("M-40.5 22 C-20 30 20 30 40.5 22 C39.6 26 38 30 36 33 C18 39 -18 39 -36 33 C-38 30 -39.6 26 -40.5 22 Z", c.deep);
    b.box(-16, 52, 32, 5, c.deep, 2);
    b.box(edge.left - 25, 57, edge.right - edge.left + 50, edge.bottom + 40, c.far);
  }
  return random.pick([pan, pot, bowl]);
}

export function crafts(random, c) {
  const phase = random.next();
  const accented = random.whole(0, 3);

  // Strips over and under each other; a wave of light runs through the cloth.
  function weave(b, t, edge) {
    const size = 17;
    const gap = 1.3;
    b.at(0, -4, () => {
      for (let row = -6; row <= 8; row++) {
        for (let column = -5; column <= 5; column++) {
          const over = (row + column) & 1;
          const lift = 0.9 * swing(t, 6, (row + column) * 0.06);
          const x = column * size;
          const y = row * size;
          const down = column & 1 ? c.deep : c.main;
          const across = (row + 12) % 4 === accented ? c.accent : c.light;
          const long = size + 3;
          if (over) { b.box(x - size / 2 + gap, y - long / 2, size - 2 * gap, long, down, 2); b.box(x - long / 2 - 0.2, y - size / 2 + gap - lift, long + 0.4, size - 2 * gap, across, 2.4); }
          else { b.box(x - long / 2, y - size / 2 + gap, long, size - 2 * gap, across, 2); b.box(x - size / 2 + gap - lift, y - long / 2 - 0.2, size - 2 * gap, long + 0.4, down, 2.4); }
        }
      }
    }, 0.42);
  }

  // A paper bird that beats its folded wings.
  function crane(b, t) {
    const beat = swing(t, 2.6, phase);
    b.disc(0, -8, 43, c.far);
    b.at(0, 2 - 3 * beat, () => {
      const high = -40 - 11 * beat;
      b.polygon([[-4, 10], [22, 12], [24, high - 2]], c.deep);
      b.polygon([[2, 6], [18, 18], [46, -26]], c.main);
      b.polygon([[-2, 6], [-18, 18], [-40, -36]], c.main);
      b.polygon([[-10, 12], [-18, 18], [-40, -36]], c.deep);
      b.polygon([[-40, -36], [-54, -25], [-35, -28]], c.accent);
      b.polygon([[-20, 16], [0, 4], [22, 16], [1, 33]], c.main);
      b.polygon([[-20, 16], [1, 14], [1, 33]], c.light);
      b.polygon([[-19, 16], [19, 16], [-2, high - 10]], c.light);
      b.polygon([[3, 16], [19, 16], [-2, high - 10]], c.accent);
    }, 0.05 * swing(t, 5), 0.86);
    for (let i = 0; i < 3; i++) {
      b.at(-30 + i * 30, 52 + (i % 2) * 9, () => {
        const s = 7 + 2 * swing(t, 4, i / 3);
        b.polygon([[0, -s], [s, 0], [0, s], [-s, 0]], c.main);
        b.polygon([[0, -s], [s, 0], [0, s]], c.deep);
      }, 0.2 * swing(t, 6, i / 3));
    }
  }

  // A ball of wool with two needles, and the thread that runs off.
  function yarn(b, t, edge) {
    const turn = 0.35 * swing(t, 8, phase);
    for (const [angle, side] of [[-0.62, 1], [0.62, -1]]) {
      b.at(0, -6, () => {
        b.box(-1.9, -66, 3.8, 76, c.light, 1.9);
        b.disc(0, -66, 4.6, c.accent);
      }, angle + 0.03 * side * swing(t, 1.6));
    }
    const thread = [[26, 26]];
    for (let k = 1; k <= 12; k++) thread.push([28 - k * 6.4, 37 + k * 2.2 + 8 * Math.sin(k * 0.9 + phase * 6 + 0.3 * swing(t, 4))]);
    b.curve(thread, 3.4, c.main);
    b.at(0, 2, () => {
      b.disc(0, 0, 37, c.main);
      b.inside((p) => p.arc(0, 0, 37, 0, TAU), () => {
        for (const [a, tone, shift] of [[0.5, c.deep, 0], [-0.75, c.light, 6], [1.7, c.accent, 2]]) {
          b.at(0, 0, () => {
            for (let i = -2; i <= 2; i++) b.curve([[-42, i * 7 + shift + 16], [-16, i * 7 + shift - 2], [16, i * 7 + shift - 2], [42, i * 7 + shift + 16]], 2.1, tone);
          }, a);
          b.at(0, 0, () => b.slice(0, 0, 40, 1.1, 2.3, c.main), a + 2);
        }
      });
    }, turn);
  }
  return random.pick([weave, crane, yarn]);
}

export function fashion(random, c) {
  const phase = random.next();
  const pattern = random.pick(["stripes", "dots", "checks", "zigzag"]);

  // Fills the bounds with the creator's print.
  function print(b, kind, tone, second, t) {
    if (kind === "stripes") for (let i = -12; i < 16; i++) b.box(-70, i * 10 + 3 * swing(t, 7), 140, 5, tone);
    if (kind === "dots") for (let y = -12; y < 15; y++) for (let x = -8; x < 9; x++) b.disc(x * 10 + (y % 2 ? 5 : 0), y * 9, 2.9 + 0.6 * swing(t, 3, (x + y) * 0.07), (x * 7 + y * 3) % 5 === 0 ? second : tone);
    if (kind === "checks") for (let y = -8; y < 10; y++) for (let x = -6; x < 7; x++) { if ((x + y) & 1) b.box(x * 13, y * 13, 13, 13, tone); if (!(x & 1) && !(y & 1)) b.box(x * 13 + 4.5, y * 13 + 4.5, 4, 4, second); }
    if (kind === "zigzag") for (let i = -9; i < 12; i++) b.line(Array.from({ length: 17 }, (_, k) => [-72 + k * 9, i * 13 + (k & 1 ? 6 : 0) + 2 * swing(t, 6)]), 4, i % 3 ? tone : second, "butt");
  }

  function hanger(b) {
    b.curve([[0, -46], [0, -51], [4.6, -54], [3, -60], [-3, -60], [-4.4, -56]], 2, c.dark ? c.light : c.ink);
    b.line([[-30, -36], [0, -46], [30, -36]], 2.6, c.dark ? c.light : c.ink);
    b.line([[0, -60], [0, -62]], 1, c.light);
  }

  // A coat that swings from its hanger.
  function coat(b, t) {
    b.box(-70, -72, 140, 2.4, c.dark ? c.light : c.ink);
    b.at(0, -62, () => b.at(0, 53, () => {
      hanger(b);
      const body = "M-12 -44 L-33 -36 Q-40 -33 -42 -24 L-50 22 L-37 27 L-32 4 L-37 54 L37 54 L32 4 L37 27 L50 22 L42 -24 Q40 -33 33 -36 L12 -44 Q0 -34 -12 -44 Z";
      b.path(body, c.main);
      b.context.save();
      b.context.clip(new Path2D(body));
      print(b, pattern, c.deep, c.accent, t);
      b.context.restore();
      b.path("M-12 -44 L0 -4 L-16 -20 Z", c.light);
      b.path("M12 -44 L0 -4 L16 -20 Z", c.light);
      b.line([[0, -4], [0, 54]], 1.4, c.ink);
      for (const y of [6, 22, 38]) b.disc(4.6, y, 2, c.light);
      b.box(-28, 24, 15, 3, c.light, 1);
      b.box(13, 24, 15, 3, c.light, 1);
    }), 0.05 * swing(t, 4.2, phase));
  }

  // A dress of two prints.
  function dress(b, t) {
    b.disc(0, -4, 48, c.far);
    b.at(0, -62, () => b.at(0, 56, () => {
      hanger(b);
      const top = "M-15 -43 Q-10 -34 0 -33 Q10 -34 15 -43 L21 -40 L17 -8 L-17 -8 L-21 -40 Z";
      const sway = 5 * swing(t, 3.4, phase);
      const skirt = `M-17 -3 L17 -3 C22 14 32 34 ${43 + sway} 52 Q${30 + sway} 58 ${18 + sway} 53 Q${4 + sway} 60 ${-10 + sway} 54 Q${-26 + sway} 60 ${-42 + sway} 52 C-32 34 -22 14 -17 -3 Z`;
      b.path(top, c.main);
      const shape = new Path2D(skirt);
      b.context.fillStyle = c.main;
      b.context.fill(shape);
      b.context.save();
      b.context.clip(shape);
      print(b, pattern, c.light, c.accent, t);
      b.context.restore();
      b.box(-18.4, -9, 36.8, 7, c.accent, 1);
    }), 0.04 * swing(t, 4.6, phase));
  }

  // A sneaker before a wall of print.
  function sneaker(b, t) {
    b.at(0, -6, () => b.inside((p) => p.arc(0, 0, 46, 0, TAU), () => {
      b.disc(0, 0, 46, c.far);
      print(b, pattern, c.back, c.back, t);
    }));
    const step = Math.abs(swing(t, 2.4, phase));
    b.at(0, 14 - 6 * step, () => {
      b.path("M-40 -34 Q-30 -27 -17 -34 L-6 -39 C2 -25 14 -14 32 -11 Q47 -8 47 5 L47 8 L-42 8 Q-46 -12 -40 -34 Z", c.main);
      b.path("M-40 -34 Q-30 -27 -17 -34 L-15 -29 Q-30 -21 -41.6 -27 Z", c.light);
      b.path("M30 -11.4 Q47 -8 47 5 L47 8 L24 8 Q22 -4 30 -11.4 Z", c.light);
      b.path("M-43.4 -6 Q-24 2 -2 -9 L6 -1 Q-20 12 -43.4 5 Z", c.accent);
      for (let i = 0; i < 4; i++) b.line([[-8 + i * 7.6, -29 + i * 6.4], [-1 + i * 7.4, -34.5 + i * 6.6]], 2.6, c.light);
      b.box(-46, 8, 95, 8.6, c.light, 4);
      b.box(-44, 13, 91, 3.6, c.deep, 1.8);
    }, -0.16 * step, 0.9);
    b.oval(0, 34, 37 - 7 * step, 2.6, c.dark ? c.ink : c.deep);
  }
  return random.pick([coat, dress, sneaker]);
}
