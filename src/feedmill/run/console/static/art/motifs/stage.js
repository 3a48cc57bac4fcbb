// Music, dance and comedy: what is shown to a crowd.

import { TAU, cycle, swing, wave } from "../brush.js";

export function music(random, c) {
  const phase = random.next();
  const beats = random.list(24, () => [random.between(0.6, 2), random.next(), random.between(0.4, 1)]);
  const level = (t, i) => {
    const [period, start, size] = beats[i % beats.length];
    return size * (0.35 + 0.65 * wave(t, period, start)) * (0.75 + 0.25 * wave(t, 0.55));
  };

  // A record, and the sound that leaves it.
  function record(b, t) {
    const spokes = 44;
    for (let i = 0; i < spokes; i++) {
      const angle = (i / spokes) * TAU;
      const long = 4 + 14 * level(t, (i * 7) % 24);
      b.line([[45 * Math.cos(angle), -6 + 45 * Math.sin(angle)], [(45 + long) * Math.cos(angle), -6 + (45 + long) * Math.sin(angle)]], 2.7, i % 4 ? c.main : c.accent);
    }
    b.disc(0, -6, 41, c.dark ? c.ink : c.deep);
    for (let r = 19; r < 40; r += 4.2) b.ring(0, -6, r, 0.7, c.far);
    const turn = (t / 4) * TAU;
    b.veiled(0.5, () => b.slice(0, -6, 41, turn * 0.02 - 0.9, turn * 0.02 - 0.5, c.far, true));
    b.disc(0, -6, 15, c.main);
    b.at(0, -6, () => {
      b.slice(0, 0, 15, 0, Math.PI, c.accent);
      b.box(-8, -7.5, 16, 2, c.light, 1);
    }, turn);
    b.disc(0, -6, 2, c.ground);
  }

  // Bars that rise from a line and lie mirrored under it.
  function bars(b, t, edge) {
    const count = 9;
    const ground = 20;
    for (let i = 0; i < count; i++) {
      const x = -44 + i * 10;
      const high = 14 + 70 * level(t, i * 2);
      b.box(x, ground - high, 7.6, high, i % 3 === 1 ? c.accent : c.main, 3.8);
      b.veiled(0.35, () => b.box(x, ground + 3, 7.6, high * 0.55, c.main, 3.8));
      b.disc(x + 3.8, ground - high - 8 - 3 * wave(t, 1.3, i / 9), 2.6, c.light);
    }
    b.box(edge.left - 25, ground + 0.6, edge.right - edge.left + 50, 1.6, c.light);
  }

  // Strings that ring: thick lines over a round hole.
  function strings(b, t, edge) {
    b.disc(0, 2, 40, c.far);
    b.ring(0, 2, 40, 2.6, c.main);
    b.disc(0, 2, 32, c.dark ? c.ink : c.deep);
    for (let i = 0; i < 6; i++) {
      const x = -22.5 + i * 9;
      const plucked = Math.exp(-3 * cycle(t, 2.4, i / 6 + phase));
      const points = [];
      for (let k = 0; k <= 24; k++) {
        const y = edge.top - 20 + (k / 24) * (edge.bottom - edge.top + 40);
        const inside = Math.sin((k / 24) * Math.PI);
        points.push([x + 3.4 * plucked * inside * Math.sin(k * 1.05 + t * 22), y]);
      }
      b.curve(points, 2.6 - i * 0.3, i === 2 ? c.accent : c.line);
    }
  }
  return random.pick([record, record, bars, strings]);
}

export function dance(random, c) {
  const phase = random.next();
  const tones = [c.deep, c.main, c.accent, c.light, c.main];

  // Ribbons that flow through each other around one point of balance.
  function ribbons(b, t, edge) {
    const count = 6;
    for (let i = 0; i < count; i++) {
      const points = [];
      for (let k = 0; k <= 14; k++) {
        const u = k / 14;
        const y = edge.top - 15 + u * (edge.bottom - edge.top + 30);
        const reach = 34 * Math.sin(u * Math.PI) + 6;
        points.push([(i - 2.5) * (3 + 6.5 * Math.abs(u - 0.42)) + reach * Math.sin(u * 4.6 + t * 0.75 + i * 0.32 + phase * 6), y]);
      }
      b.curve(points, 8.6, tones[i % 5]);
    }
    const x = 20 * swing(t, 5.4, phase);
    b.disc(x, -50 + 4 * swing(t, 2.7), 9.5, c.light);
  }

  // A dancer of few strokes, with a skirt that turns.
  function dancer(b, t, edge) {
    const beat = swing(t, 2.4, phase);
    const spin = t * 1.3;
    b.disc(0, -4, 47, c.far);
    b.oval(0, 56, 34, 4.4, c.dark ? c.ink : c.deep);
    b.at(2 * beat, 0, () => {
      b.curve([[2, 20], [-5 - 3 * beat, 36], [1, 55]], 6, c.light);
      b.curve([[4, 20], [17 + 4 * beat, 30], [9 + 3 * beat, 45]], 6, c.light);
      for (const [size, fill] of [[1, c.deep], [0.82, c.main], [0.6, c.accent]]) {
        const hem = [];
        for (let i = 0; i <= 18; i++) {
          const a = (i / 18) * TAU;
          const r = (39 + 4.5 * Math.sin(a * 5 + spin * 2)) * size;
          hem.push([r * Math.cos(a), 22 + r * 0.3 * Math.sin(a) + 3 * Math.sin(a + spin)]);
        }
        b.smooth(hem.slice(0, 18), fill);
      }
      b.path("M-8 -20 Q0 -26 8 -20 L5 2 Q10 10 12 20 L-12 20 Q-10 10 -5 2 Z", c.accent);
      b.curve([[-7, -18], [-24, -27 - 4 * beat], [-33, -44 - 5 * beat]], 5, c.light);
      b.curve([[7, -18], [25, -16 + 5 * beat], [40, -26 + 8 * beat]], 5, c.light);
      b.line([[0, -20], [0, -29]], 4.6, c.light);
      b.disc(1.5 * beat, -36, 8.6, c.light);
      b.slice(1.5 * beat, -36.6, 9, Math.PI * 1.02, TAU * 1.0, c.ink);
      b.disc(1.5 * beat - 2, -46, 4.2, c.ink);
    }, 0.05 * beat);
  }

  // Steps that light up on a floor of tiles.
  function floor(b, t) {
    const beat = Math.floor(t * 2.2);
    b.at(0, 0, () => {
      for (let y = -7; y < 9; y++) {
        for (let x = -5; x < 6; x++) {
          const on = (x * 7 + y * 13 + beat * 5) % 11;
          b.box(x * 16 - 7.4, y * 16 - 7.4, 14.8, 14.8, on === 0 ? c.main : on === 4 ? c.accent : (x + y) & 1 ? c.far : c.back, 2);
        }
      }
      const shoe = (x, y, side, lit) => b.at(x, y, () => {
        b.path("M-5.6 -5 C-7 -18 -3 -23 1 -23 C7 -22 8 -12 5.4 -3 Z", lit ? c.light : c.deep);
        b.path("M-4.8 -1 L4.8 1.6 C5.4 10 2 13 -1 12.4 C-5 11.4 -5.6 5 -4.8 -1 Z", lit ? c.light : c.deep);
      }, side * 0.22, side, 1);
      [[-24, 44], [10, 30], [-20, 2], [14, -12], [-16, -38], [16, -56]].forEach(([x, y], i) => shoe(x, y, i % 2 ? 1 : -1, (beat + 6 - i) % 6 < 2));
    }, -0.3);
  }
  return random.pick([ribbons, dancer, dancer, floor]);
}

export function comedy(random, c) {
  const phase = random.next();
  const paper = random.list(26, () => ({ x: random.between(-58, 58), phase: random.next(), turn: random.between(0, TAU), kind: random.whole(0, 2), tone: random.pick(["accent", "main", "light", "sun"]) }));

  function confetti(b, t, edge) {
    for (const p of paper) {
      const down = cycle(t, 7, p.phase);
      b.at(p.x + 5 * swing(t, 3, p.phase), edge.top - 8 + down * (edge.bottom - edge.top + 20), () => {
        if (p.kind === 0) b.box(-2.6, -1.3, 5.2, 2.6, c[p.tone]);
        else if (p.kind === 1) b.disc(0, 0, 1.9, c[p.tone]);
        else b.curve([[-4, 0], [-1.4, -2], [1.4, 2], [4, 0]], 1.6, c[p.tone]);
      }, p.turn + t * 1.7, 1, 0.35 + 0.65 * Math.abs(swing(t, 1.4, p.phase)));
    }
  }

  // A face that cannot hold it.
  function face(b, t, edge) {
    confetti(b, t, edge);
    const laugh = wave(t, 3.2, phase);
    const shake = laugh > 0.5 ? 1.2 * swing(t, 0.24) : 0;
    b.at(shake, -4, () => {
      b.disc(0, 0, 42, c.body);
      const squint = 1 - 0.75 * laugh;
      for (const side of [-1, 1]) {
        if (squint < 0.5) b.curve([[side * 17 - 8, -7], [side * 17, -14], [side * 17 + 8, -7]], 3.8, c.ink);
        else { b.oval(side * 17, -10, 6, 8.4 * squint, c.ink); b.disc(side * 17 + 2, -13, 1.9, c.light); }
        b.curve([[side * 24, -26 - 4 * laugh], [side * 17, -28 - 5 * laugh], [side * 10, -25 - 4 * laugh]], 3, c.ink);
        if (laugh > 0.55) b.path(`M${side * 31} -4 Q${side * 39} 6 ${side * 34} 10 Q${side * 28} 8 ${side * 31} -4 Z`, c.light);
      }
      const open = 8 + 20 * laugh;
      const mouth = `M-23 8 Q0 13 23 8 Q${21} ${8 + open * 1.25} 0 ${9 + open * 1.25} Q${-21} ${8 + open * 1.25} -23 8 Z`;
      const shape = new Path2D(mouth);
      b.context.fillStyle = c.ink;
      b.context.fill(shape);
      b.context.save();
      b.context.clip(shape);
      b.oval(0, 12 + open * 1.3, 14, open * 0.62, c.blush);
      b.box(-24, 4, 48, 9.5, c.light);
      b.context.restore();
    }, 0.05 * swing(t, 1.6) * laugh);
  }

  // Two bubbles that top each other.
  function bubbles(b, t, edge, mirrored) {
    const say = (x, y, size, fill, ink, words, flip, start) => {
      const grown = 0.86 + 0.14 * wave(t, 2.2, start);
      b.at(x, y, () => {
        b.path("M-26 -20 H26 Q36 -20 36 -10 V10 Q36 20 26 20 H-4 L-18 34 L-15 20 H-26 Q-36 20 -36 10 V-10 Q-36 -20 -26 -20 Z", fill);
        if (words) {
          b.context.save();
          b.context.scale(mirrored * flip, 1);
          b.context.fillStyle = ink;
          b.context.font = "900 25px Inter, Roboto, 'Segoe UI', 'DejaVu Sans', sans-serif";
          b.context.textAlign = "center";
          b.context.fillText(words, 0, 9);
          b.context.restore();
        } else for (const i of [-1, 0, 1]) b.disc(i * 14, -4 * wave(t, 1.3, -i * 0.18), 4.6, ink);
      }, 0.05 * swing(t, 2.6, start), size * grown * flip, size * grown);
    };
    say(-9, -50, 0.92, c.body, c.ink, "HA", 1, phase);
    say(12, -2, 1.12, c.body === c.light ? c.deep : c.light, c.body === c.light ? c.light : c.ink, "HA!", -1, phase + 0.4);
    say(-15, 48, 0.72, c.accent, c.ink, "", 1, phase + 0.7);
  }

  // A microphone, a cone of light and an empty stage.
  function stage(b, t, edge) {
    const turn = 0.09 * swing(t, 6, phase);
    b.at(0, edge.top - 8, () => b.polygon([[-6, 0], [6, 0], [58, 220], [-58, 220]], c.far), turn);
    b.oval(0, 62, 50, 9, c.main);
    b.oval(0, 60, 17, 3.4, c.ink);
    b.box(-1.7, -18, 3.4, 78, c.ink);
    b.at(0, -20, () => {
      b.box(-4.4, -6, 8.8, 25, c.ink, 2);
      b.path("M-8 -8 L8 -8 L5.4 2 L-5.4 2 Z", c.light);
      b.disc(0, -17, 13, c.deep);
      b.inside((p) => p.arc(0, -17, 13, 0, TAU), () => {
        for (let i = -3; i < 4; i++) { b.line([[i * 4.6 - 12, -32], [i * 4.6 + 12, -2]], 0.9, c.light); b.line([[i * 4.6 + 12, -32], [i * 4.6 - 12, -2]], 0.9, c.light); }
      });
      b.box(-13, -19, 26, 4, c.accent, 1);
    }, 0.28 + 0.03 * swing(t, 3));
    for (let i = 0; i < 7; i++) {
      const bob = 3 * Math.abs(swing(t, 1.7, i * 0.23));
      b.disc(-54 + i * 18, 84 - bob, 11, c.dark ? c.ink : c.deep);
      b.box(-66 + i * 18, 92 - bob, 24, 60, c.dark ? c.ink : c.deep, 9);
    }
  }
  return random.pick([face, face, bubbles, stage]);
}
