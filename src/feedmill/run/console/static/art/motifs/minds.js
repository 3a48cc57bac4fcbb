// Gaming and science: puzzles and experiments.

import { TAU, cycle, ramp, swing } from "../brush.js";

export function gaming(random, c) {
  const phase = random.next();
  // Left halves, mirrored when drawn: horns, a body that narrows or not, feet.
  const bit = (text) => [...text].map((mark) => mark === "#");
  const half = [
    random.pick(["..#.", "#...", ".#..", "...#"]), random.pick(["..##", ".#.#", ".###"]), random.pick([".###", "####"]), "####",
    random.pick(["####", ".###", "#.##"]), random.pick(["####", "#.##", ".###"]), random.pick(["..##", ".##.", "#.#."]),
    random.pick(["..#.", ".#..", "#...", ".##."]),
  ].map(bit);
  const skyline = random.list(16, () => random.whole(1, 4));

  // A creature of pixels, its own on each card, over a level that scrolls.
  function creature(b, t, edge) {
    const pixel = 8.2;
    for (let i = 0; i < 12; i++) {
      const x = 130 * cycle(t, 16, i / 12 + phase) - 65;
      b.box(x, -84 + ((i * 29) % 62), 2.4, 2.4, c.far);
    }
    const frame = Math.floor(t * 2) % 2;
    b.at(-pixel * 4, -52 + (frame ? -2.4 : 0), () => {
      for (let y = 0; y < 8; y++) {
        for (let x = 0; x < 8; x++) {
          if (!half[y][x < 4 ? x : 7 - x]) continue;
          const legs = y === 7 && frame ? (x < 4 ? -1 : 1) * pixel * 0.5 : 0;
          b.box(x * pixel + legs, y * pixel, pixel + 0.25, pixel + 0.25, y > 4 ? c.deep : c.main);
        }
      }
      const look = Math.round(swing(t, 5)) * 2;
      for (const x of [1.5, 5]) {
        b.box(x * pixel, 2 * pixel, pixel * 1.6, pixel * 1.8, c.light);
        b.box(x * pixel + 3 + look, 2.6 * pixel, pixel * 0.7, pixel * 0.9, c.ink);
      }
    });
    const tile = 12;
    b.box(edge.left - 30, 52, edge.right - edge.left + 60, edge.bottom + 40, c.deep);
    for (let i = -2; i < 12; i++) {
      const column = i + Math.floor(t * 1.6);
      const x = -72 + (i - ((t * 1.6) % 1)) * tile;
      const tall = skyline[((column % 16) + 16) % 16];
      for (let k = 0; k < 5; k++) if ((column * 7 + k * 5) % 4 === 0) b.box(x + 2, 56 + k * tile, 5, 5, c.far);
      for (let k = 0; k < tall; k++) b.box(x, 40 - k * tile, tile - 0.8, tile - 0.8, k === tall - 1 ? c.main : c.far, 1);
      if (tall === 1) {
        const wide = 3.6 * Math.abs(swing(t, 1.6, column * 0.1));
        b.box(x + 5.6 - wide, 24, wide * 2, 8.4, c.sun, 1);
      }
    }
  }

  // Falling blocks that fit.
  function blocks(b, t, edge) {
    const size = 12.2;
    const cell = (x, y, fill) => {
      b.box(x * size, y * size, size - 0.9, size - 0.9, fill, 1.6);
      b.veiled(0.35, () => b.box(x * size + 2, y * size + 2, size - 5, 2.2, c.light, 1));
    };
    b.at(-size * 4, -8, () => {
      const floor = [[0, 5, c.deep], [1, 5, c.deep], [2, 5, c.main], [3, 5, c.main], [5, 5, c.accent], [6, 5, c.deep], [7, 5, c.deep], [0, 4, c.deep], [2, 4, c.main], [6, 4, c.deep], [7, 4, c.accent], [7, 3, c.accent], [5, 4, c.accent], [0, 3, c.main], [3, 4, c.main], [1, 4, c.light]];
      for (let y = 6; y < 13; y++) for (let x = 0; x < 8; x++) cell(x, y, (x * 3 + y * 5) % 7 < 2 ? c.main : (x + y * 2) % 5 === 0 ? c.far : c.deep);
      for (const [x, y, fill] of floor) cell(x, y, fill);
      const fall = cycle(t, 4, phase);
      const y = Math.round(ramp(fall, 0, 0.8) * 11) - 9;
      const flash = ramp(fall, 0.8, 0.86) * (1 - ramp(fall, 0.92, 1));
      for (const dy of [0, 1, 2, 3]) cell(4, Math.min(2, y) + dy, c.sun);
      if (flash > 0) b.veiled(flash, () => b.box(0, 4 * size, 8 * size, 2 * size - 1, c.light, 2));
      for (const [x, dy] of [[0, 0], [1, 0], [1, 1], [2, 1]]) cell(x + 0.6, dy - 6.5 + 0.3 * swing(t, 3), c.main);
    });
  }

  // A round mouth in a maze of dots.
  function maze(b, t) {
    const wall = c.dark ? c.main : c.deep;
    b.at(0, -8, () => {
      for (const r of [50, 34, 18]) {
        for (let i = 0; i < 4; i++) b.ring(0, 0, r, 3.4, wall, i * TAU / 4 + 0.28 + r * 0.02, (i + 1) * TAU / 4 - 0.28 + r * 0.02);
      }
      const angle = (t / 8 + phase) * TAU;
      for (let i = 0; i < 22; i++) {
        const at = (i / 22) * TAU;
        const behind = (((angle - at) % TAU) + TAU) % TAU;
        if (behind > 0.1 && behind < 4.6) continue;
        b.disc(42 * Math.cos(at), 42 * Math.sin(at), i % 6 ? 1.7 : 3, c.light);
      }
      for (let i = 0; i < 12; i++) b.disc(26 * Math.cos((i / 12) * TAU), 26 * Math.sin((i / 12) * TAU), 1.3, c.light);
      const bite = 0.12 + 0.6 * Math.abs(swing(t, 0.8));
      b.at(42 * Math.cos(angle), 42 * Math.sin(angle), () => {
        b.slice(0, 0, 10.5, bite, TAU - bite, c.sun, true);
        b.disc(-0.5, -5.6, 1.5, c.ink);
      }, angle + Math.PI / 2);
      [[c.accent, -0.9], [c.main, -1.5]].forEach(([fill, lag], i) => {
        const at = angle + lag;
        b.at(42 * Math.cos(at), 42 * Math.sin(at), () => {
          b.path("M-7.6 8 L-7.6 -1 A7.6 7.6 0 0 1 7.6 -1 L7.6 8 L4.6 5.4 L2 8 L0 5.4 L-2 8 L-4.6 5.4 Z", fill);
          for (const x of [-2.7, 2.7]) { b.disc(x, -1.6, 2.1, c.light); b.disc(x + 0.7, -1.6, 1, c.ink); }
        });
      });
      b.at(0, 0, () => b.path("M0 7 C-9 0 -7 -7 -3 -7 Q0 -7 0 -3.4 Q0 -7 3 -7 C7 -7 9 0 0 7 Z", c.accent), 0, 0.9 + 0.12 * swing(t, 1));
    });
  }
  return random.pick([creature, creature, blocks, maze]);
}

export function science(random, c) {
  const phase = random.next();
  const count = random.whole(3, 4);

  // Electrons on their ellipses.
  function atom(b, t) {
    b.at(0, -6, () => {
      for (let i = 0; i < count; i++) {
        const turn = (i / count) * Math.PI + t * 0.03;
        b.at(0, 0, () => {
          b.context.save();
          b.context.scale(1, 0.36);
          b.ring(0, 0, 46, 3.6, i % 2 ? c.deep : c.far);
          b.context.restore();
          for (const lag of [3, 2, 1, 0]) {
            const angle = (t / (3.2 + i * 0.5) + i / count + phase) * TAU - lag * 0.16;
            b.veiled(lag ? 0.35 - lag * 0.08 : 1, () => b.disc(46 * Math.cos(angle), 16.6 * Math.sin(angle), 4.6 - lag * 0.6, i % 2 ? c.accent : c.light));
          }
        }, turn);
      }
      const beat = 1 + 0.05 * swing(t, 1.8);
      for (const [x, y, fill] of [[-5, -3, c.main], [5, -4, c.deep], [0, 5, c.main], [-6, 5, c.deep], [6, 4, c.accent], [0, -8, c.main], [0, -1, c.light]]) b.disc(x * beat, y * beat, 5.4, fill);
    });
  }

  // Pendulums of growing length drift apart and together.
  function pendulums(b, t, edge) {
    const n = 9;
    const ink = c.dark ? c.light : c.ink;
    b.box(edge.left - 20, -76, edge.right - edge.left + 40, 3.4, ink);
    for (let i = n - 1; i >= 0; i--) {
      const long = 58 + i * 8.5;
      const angle = 0.31 * Math.sin((t * TAU) / (3.6 + i * 0.22) + phase);
      const x = long * Math.sin(angle);
      const y = -74 + long * Math.cos(angle);
      b.line([[0, -74], [x, y]], 0.7, ink);
      b.disc(x, y, 5.2 + i * 0.35, i % 3 === 1 ? c.accent : i % 3 ? c.main : c.deep);
    }
    b.disc(0, -74, 3.2, ink);
  }

  // A flask that bubbles.
  function flask(b, t, edge) {
    const glass = "M-9 -56 L9 -56 L9 -24 L38 34 Q42 46 29 46 L-29 46 Q-42 46 -38 34 L-9 -24 Z";
    b.path(glass, c.far);
    b.context.save();
    b.context.clip(new Path2D(glass));
    const points = [];
    for (let x = -48; x <= 48; x += 8) points.push([x, 6 + 2.2 * Math.sin(x / 8 + t * 2)]);
    b.smooth([...points, [60, 70], [-60, 70]], c.main);
    b.smooth([...points.map(([x, y]) => [x, y + 17 + 1.6 * Math.sin(x / 6 - t * 1.4)]), [60, 70], [-60, 70]], c.deep);
    for (let i = 0; i < 9; i++) {
      const up = cycle(t, 3.4, i * 0.37 + phase);
      b.disc(-22 + ((i * 17) % 46) + 2 * swing(t, 2, i * 0.2), 44 - up * 40, 1.4 + (i % 3) * 1.2, c.light);
    }
    b.context.restore();
    b.outline(glass, 3, c.dark ? c.light : c.ink);
    b.box(-13, -60, 26, 6, c.dark ? c.light : c.ink, 3);
    for (let i = 0; i < 5; i++) {
      const up = cycle(t, 4.6, i / 5 + phase);
      b.ring(6 * Math.sin(up * 7 + i), -64 - up * 32, 2 + up * (3 + i), 1.6, c.accent);
    }
    b.line([[18, 8], [26, 24]], 3, c.light);
  }

  // White light falls apart in a prism.
  function prism(b, t, edge) {
    const turn = 0.03 * swing(t, 7, phase);
    b.polygon([[-110, 30], [-110, 36], [-10, 2], [-10, -1]], c.line);
    const tones = [c.accent, c.sun, c.line, c.main, c.deep];
    tones.forEach((tone, i) => {
      const low = -0.16 + i * 0.14 + turn * 2;
      b.polygon([[8, -5 + i * 1.8], [8, -3.2 + i * 1.8], [120, 120 * Math.tan(low + 0.145) - 4], [120, 120 * Math.tan(low) - 4]], tone);
    });
    b.at(0, 0, () => {
      b.polygon([[0, -44], [40, 28], [-40, 28]], c.dark ? c.ink : c.deep);
      b.polygon([[0, -36], [33, 24], [-33, 24]], c.far);
      b.polygon([[0, -36], [6, 24], [-33, 24]], c.back);
      b.polygon([[-14, 1.4], [-13, -3.4], [16, -6], [18, 4]], c.light);
    }, turn);
  }
  return random.pick([atom, pendulums, flask, prism]);
}
