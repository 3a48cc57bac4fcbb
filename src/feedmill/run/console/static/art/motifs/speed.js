// Football, fitness and cars: bodies and machines that move.

import { TAU, cycle, ramp, swing } from "../brush.js";

export function football(random, c) {
  const phase = random.next();

  function ball(b, x, y, r, turn) {
    b.at(x, y, () => {
      b.disc(0, 0, r, c.light);
      b.inside((p) => p.arc(0, 0, r, 0, TAU), () => {
        const patch = (px, py, size, start) => b.polygon(Array.from({ length: 5 }, (_, i) => [px + size * Math.cos(start + (i / 5) * TAU), py + size * Math.sin(start + (i / 5) * TAU)]), c.ink);
        patch(0, 0, r * 0.36, -Math.PI / 2);
        for (let i = 0; i < 5; i++) {
          const a = -Math.PI / 2 + (i / 5) * TAU;
          b.line([[r * 0.36 * Math.cos(a), r * 0.36 * Math.sin(a)], [r * 0.72 * Math.cos(a), r * 0.72 * Math.sin(a)]], r * 0.055, c.ink);
          patch(r * 0.98 * Math.cos(a), r * 0.98 * Math.sin(a), r * 0.32, a + Math.PI);
        }
      });
    }, turn);
  }

  // The pitch from above, and the way of the ball across it.
  function pitch(b, t, edge) {
    const line = (draw) => b.veiled(0.85, draw);
    b.at(0, -4, () => {
      for (let i = -6; i < 7; i += 2) b.box(-100, i * 22, 200, 22, c.back);
      line(() => {
        b.line([[-110, 0], [110, 0]], 1.8, c.line);
        b.ring(0, 0, 27, 1.8, c.line);
        b.disc(0, 0, 2.4, c.line);
        b.line([[-26, -110], [-26, -74], [26, -74], [26, -110]], 1.8, c.line);
        b.ring(0, -74, 12, 1.8, c.line, 0.15, Math.PI - 0.15);
      });
      const way = (u) => [-44 + 96 * u - 20 * Math.sin(u * Math.PI), 52 - 118 * u + 26 * Math.sin(u * Math.PI * 2 + phase)];
      for (let i = 0; i < 26; i += 1) { if (i % 2) continue; b.line([way(i / 26), way((i + 0.9) / 26)], 1.5, c.sun); }
      const u = ramp(cycle(t, 4.6, phase), 0.05, 0.95);
      for (const k of [4, 3, 2, 1]) { const [x, y] = way(Math.max(0, u - k * 0.022)); b.veiled(0.16, () => b.disc(x, y, 9 - k, c.light)); }
      const [x, y] = way(u);
      b.oval(x + 3, y + 5, 9, 6, c.dark ? c.ink : c.deep);
      ball(b, x, y, 9.4, u * 14);
      for (const [px, py, fill] of [[-22, 34, c.main], [30, 18, c.accent], [-10, -34, c.accent], [34, -50, c.main], [-38, -12, c.main]]) {
        const dx = 3 * swing(t, 5, px);
        b.disc(px + dx, py, 5.4, fill);
        b.disc(px + dx, py, 2.4, c.light);
      }
    }, -0.2);
  }

  // A shot that bends under the bar.
  function goal(b, t, edge) {
    const ground = 34;
    const hit = cycle(t, 3.6, phase);
    const bulge = 7 * ramp(hit, 0.5, 0.56) * Math.exp(-5 * Math.max(0, hit - 0.56)) * Math.cos(22 * Math.max(0, hit - 0.56));
    const push = (x, y) => { const d = Math.hypot(x - 20, y + 30); const k = bulge * Math.exp(-d * d / 420); return [x + k * 0.6, y - k]; };
    b.box(edge.left - 25, ground, edge.right - edge.left + 50, edge.bottom + 40, c.far);
    for (let i = 0; i < 5; i++) b.polygon([[-90 + i * 44, ground], [-68 + i * 44, ground], [-100 + i * 62, edge.bottom + 40], [-131 + i * 62, edge.bottom + 40]], c.back);
    for (let x = -39; x <= 39; x += 7.8) b.curve(Array.from({ length: 9 }, (_, k) => push(x, -48 + (k / 8) * (ground + 48))), 0.75, c.line);
    for (let y = -46; y < ground; y += 7.8) b.curve(Array.from({ length: 11 }, (_, k) => push(-40 + k * 8, y)), 0.75, c.line);
    b.line([[-43, ground + 1], [-43, -50], [43, -50], [43, ground + 1]], 4.4, c.line);
    const u = Math.min(1, hit / 0.5);
    const fall = ramp(hit, 0.56, 0.8);
    const x = -34 + 54 * u + 14 * Math.sin(u * Math.PI);
    const y = hit < 0.5 ? 72 - 102 * u : -30 + (ground - 8 + 30) * fall * fall;
    const r = hit < 0.5 ? 15 - 7 * u : 8;
    b.oval(x, Math.max(ground + 2, 84 - 46 * u), r * 0.9, r * 0.2, c.dark ? c.ink : c.deep);
    ball(b, x, y, r, hit * 18);
  }

  // The ball itself, huge, juggled.
  function juggle(b, t, edge) {
    const up = Math.abs(Math.sin((t / 1.9 + phase) * Math.PI));
    const ground = 52;
    for (let i = 0; i < 3; i++) b.ring(0, -14, 46 + i * 15, 3, i ? c.back : c.far);
    b.box(edge.left - 25, ground, edge.right - edge.left + 50, edge.bottom + 40, c.deep);
    b.ring(0, edge.bottom * 1.02, 64, 2.4, c.main);
    b.oval(0, ground + 5, 27 - 11 * up, 3.4 - 1.4 * up, c.ink);
    const squash = Math.max(0, 0.1 - up) * 1.6;
    b.at(0, ground - 28 - up * 46 + squash * 28, () => ball(b, 0, 0, 31, 0.5 + t * 0.8), 0, 1 + squash, 1 - squash);
  }
  return random.pick([pitch, goal, juggle]);
}

export function fitness(random, c) {
  const phase = random.next();

  // A bell that swings, and the pulse that leaves it.
  function bell(b, t) {
    const beat = cycle(t, 1.1);
    for (let i = 0; i < 4; i++) {
      const out = (beat + i) / 4;
      b.ring(0, 2, 30 + out * 62, 7 * (1 - out) + 0.6, i % 2 ? c.far : c.back);
    }
    const push = 1 + 0.035 * Math.exp(-5 * beat);
    b.at(0, -46, () => b.at(0, 50, () => {
      b.outline("M-17 -18 C-24 -44 -14 -52 0 -52 C14 -52 24 -44 17 -18", 9.5, c.deep);
      b.path("M-17 -22 C-34 -10 -38 8 -30 24 Q-26 32 -17 32 L17 32 Q26 32 30 24 C38 8 34 -10 17 -22 Q0 -31 -17 -22 Z", c.main);
      b.disc(0, 5, 15, c.light);
      b.path("M2.6 -5 L-6 7 L-0.6 7 L-2.6 15.4 L6.4 3.2 L0.8 3.2 Z", c.accent);
    }), 0.16 * swing(t, 2.2, phase), push);
  }

  // A heartbeat that runs across the card.
  function heartbeat(b, t, edge) {
    const trace = (x) => {
      const u = ((((x + 60) / 60) % 1) + 1) % 1;
      const spike = (at, wide, high) => high * Math.max(0, 1 - Math.abs(u - at) / wide);
      return -(spike(0.3, 0.05, 8) - spike(0.42, 0.035, 14) + spike(0.5, 0.05, 62) - spike(0.58, 0.045, 30) + spike(0.75, 0.08, 12));
    };
    for (let i = -5; i < 8; i++) b.line([[edge.left - 20, i * 17], [edge.right + 20, i * 17]], 0.6, c.far);
    for (let i = -5; i < 6; i++) b.line([[i * 17, edge.top - 20], [i * 17, edge.bottom + 20]], 0.6, c.far);
    const head = 150 * cycle(t, 3.4, phase) - 75;
    const beat = Math.exp(-4 * cycle(t, 1.7, phase));
    b.at(0, -8, () => b.path("M0 34 C-42 4 -36 -34 -14 -34 Q-2 -34 0 -20 Q2 -34 14 -34 C36 -34 42 4 0 34 Z", c.main), 0, 1.02 + 0.08 * beat);
    const points = [];
    for (let x = -80; x <= head; x += 1) points.push([x, 2 + trace(x)]);
    if (points.length > 1) b.line(points, 4, c.light);
    const rest = [];
    for (let x = Math.max(-80, head + 12); x <= 80; x += 1) rest.push([x, 2 + trace(x)]);
    if (rest.length > 1) b.veiled(0.3, () => b.line(rest, 4, c.light));
    b.disc(head, 2 + trace(head), 5.4, c.accent);
  }

  // Lanes of a track, and runners who keep their pace.
  function track(b, t, edge) {
    const colours = [c.accent, c.light, c.main, c.sun];
    b.at(0, -2, () => {
      const half = 22;
      const lane = (r) => {
        const p = new Path2D();
        p.arc(0, -half, r, Math.PI, TAU);
        p.lineTo(r, half);
        p.arc(0, half, r, 0, Math.PI);
        p.closePath();
        return p;
      };
      b.context.fillStyle = c.deep;
      b.context.fill(lane(58));
      b.context.fillStyle = c.far;
      b.context.fill(lane(20));
      b.context.strokeStyle = c.light;
      b.context.lineWidth = 0.9;
      for (const r of [57, 48, 39, 30, 21]) b.context.stroke(lane(r));
      for (let i = 0; i < 5; i++) for (let k = 0; k < 8; k++) if ((i + k) & 1) b.box(21 + k * 4.5, -2.4 + i * 2.4 - 2.4, 4.5, 2.4, c.light);
      [25.5, 34.5, 43.5, 52.5].forEach((r, i) => {
        const round = 4 * half + TAU * r;
        const at = (d) => {
          let s = ((d % round) + round) % round;
          if (s < 2 * half) return [r, half - s];
          s -= 2 * half;
          if (s < Math.PI * r) return [r * Math.cos(-s / r), -half + r * Math.sin(-s / r)];
          s -= Math.PI * r;
          if (s < 2 * half) return [-r, -half + s];
          s -= 2 * half;
          return [r * Math.cos(Math.PI - s / r), half + r * Math.sin(Math.PI - s / r)];
        };
        const d = t * (34 + i * 3) + i * 40 + phase * 90;
        b.curve(Array.from({ length: 9 }, (_, k) => at(d - k * 3.6)), 3, colours[i]);
        const [x, y] = at(d);
        b.disc(x, y, 4.4, colours[i]);
      });
    }, 0.24);
  }
  return random.pick([bell, bell, heartbeat, track]);
}

export function cars(random, c) {
  const phase = random.next();
  const body = random.pick(["coupe", "van", "coupe"]);

  function wheel(b, x, y, r, t) {
    b.disc(x, y, r, c.ink);
    b.disc(x, y, r * 0.58, c.light);
    b.at(x, y, () => { for (let i = 0; i < 5; i++) b.at(0, 0, () => b.box(-r * 0.07, 0, r * 0.14, r * 0.55, c.ink), (i / 5) * TAU); }, t * 7);
    b.disc(x, y, r * 0.16, c.accent);
  }

  // From the side, at speed.
  function side(b, t, edge) {
    const road = 34;
    b.disc(14, -26, 27, c.sun);
    for (let i = 0; i < 7; i++) {
      const x = 170 * cycle(-t, 7, i / 7 + phase) - 85;
      const high = 16 + ((i * 13) % 24);
      b.box(x, road - high, 15, high + 2, c.far, 1.5);
    }
    b.box(edge.left - 25, road, edge.right - edge.left + 50, edge.bottom + 40, c.dark ? c.ink : c.deep);
    for (let i = 0; i < 5; i++) b.box(-95 + i * 44 - ((t * 70) % 44), road + 13, 24, 3, c.light, 1.5);
    const jolt = 0.5 * swing(t, 0.5);
    b.at(0, road - 9 + jolt, () => {
      for (let i = 0; i < 5; i++) {
        const out = cycle(t, 0.9, i / 5);
        b.veiled(1 - out, () => b.box(-56 - out * 34, -22 + i * 6, 12 + (i % 3) * 8, 2.2, c.light, 1.1));
      }
      if (body === "van") {
        b.path("M-42 3 L-42 -33 Q-42 -39 -36 -39 L12 -39 Q20 -39 26 -31 L36 -16 Q45 -14 45 -6 L45 3 Z", c.main);
        b.path("M14 -34 Q19 -34 22.6 -29 L30 -17 L10 -17 L10 -34 Z", c.light);
        b.box(-15, -34, 20, 17, c.light, 2);
        b.box(-37, -34, 18, 17, c.light, 2);
        b.box(-42, -11, 87, 4, c.accent);
      } else {
        b.path("M-46 3 L-47 -8 Q-47 -14 -40 -15 L-28 -17 Q-17 -32 0 -32 L6 -32 Q17 -31 27 -18 Q42 -16 46 -11 Q49 -8 48 3 Z", c.main);
        b.path("M-22 -17 Q-14 -27.5 -2 -28 L-2 -17 Z", c.light);
        b.path("M2 -28 L6 -28 Q14 -27 21 -17 L2 -17 Z", c.light);
        b.path("M-47 -5 L48 -5 L48 3 L-46 3 Z", c.deep);
        b.box(-8, -13, 6, 1.8, c.deep, 0.9);
      }
      b.disc(45, -9, 2.6, c.sun);
      b.box(-48, -11, 4, 4.4, c.accent, 1);
    }, -0.012 * swing(t, 1.1));
    wheel(b, -27, road - 4, 10, t);
    wheel(b, 28, road - 4, 10, t);
  }

  // A car from above on a road that winds.
  function bend(b, t, edge) {
    const way = (y) => 19 * Math.sin(y / 34 + t * 1.1 + phase * 6);
    const points = [];
    for (let y = edge.top - 20; y <= edge.bottom + 20; y += 8) points.push([way(y), y]);
    b.curve(points, 62, c.far, "butt");
    b.curve(points, 54, c.dark ? c.ink : c.deep, "butt");
    const dash = 24;
    const shift = (t * 37.4) % dash;
    for (let y = edge.top - 40; y < edge.bottom + 20; y += dash) b.curve([[way(y + shift), y + shift], [way(y + shift + 6), y + shift + 6], [way(y + shift + 12), y + shift + 12]], 2.4, c.light);
    for (let i = 0; i < 6; i++) {
      const y = edge.top - 20 + (edge.bottom - edge.top + 40) * cycle(t, 5.8, i / 6 + phase);
      const x = way(y) + (i % 2 ? 43 : -43);
      b.disc(x, y, 8, c.far);
      b.disc(x - 1.6, y - 1.6, 5, c.main);
    }
    const y = 6;
    const lean = Math.atan((way(y - 6) - way(y + 6)) / 12);
    b.at(way(y) + 12, y, () => {
      b.path("M-9 -24 L-26 -84 L26 -84 L9 -24 Z", c.light + "26");
      for (const [x, wy] of [[-13, -15], [13, -15], [-13, 14], [13, 14]]) b.box(x - 2.6, wy - 5.5, 5.2, 11, c.light, 2);
      b.path("M-12 -20 Q-10 -27 0 -27 Q10 -27 12 -20 L13 20 Q11 27 0 27 Q-11 27 -13 20 Z", c.main);
      b.path("M-9.4 -9 Q0 -14 9.4 -9 L8 -1 L-8 -1 Z", c.ink);
      b.path("M-8 13 L8 13 L9.2 20 Q0 23 -9.2 20 Z", c.ink);
      b.box(-3, -27, 2, 54, c.light);
      b.box(1, -27, 2, 54, c.light);
      b.box(-8, -0.5, 16, 13, c.accent, 2);
      for (const x of [-8, 8]) b.disc(x, -23, 2, c.sun);
    }, lean);
  }

  // A dial that climbs and falls back.
  function dial(b, t, edge, mirrored) {
    const rev = ramp(cycle(t, 4.4, phase), 0, 0.62) - ramp(cycle(t, 4.4, phase), 0.66, 1) + 0.015 * swing(t, 0.16);
    const from = Math.PI * 0.8;
    const span = Math.PI * 1.4;
    // A dial turns to the right on every card.
    b.at(0, -2, () => {
      b.disc(0, 0, 47, c.dark ? c.ink : c.deep);
      b.ring(0, 0, 47, 3.4, c.main);
      b.ring(0, 0, 36.5, 6, c.far, from, from + span);
      b.ring(0, 0, 36.5, 6, c.accent, from, from + Math.max(0.01, span * rev));
      for (let i = 0; i <= 8; i++) {
        const a = from + (i / 8) * span;
        b.line([[28 * Math.cos(a), 28 * Math.sin(a)], [24 * Math.cos(a), 24 * Math.sin(a)]], i > 5 ? 3 : 1.8, i > 5 ? c.sun : c.light);
      }
      b.at(0, 0, () => b.polygon([[-8, -2.6], [34, -0.7], [34, 0.7], [-8, 2.6]], c.light), from + span * rev);
      b.disc(0, 0, 7, c.main);
      b.disc(0, 0, 3, c.light);
      for (let i = 0; i < 8; i++) b.box(-17.5 + i * 4.4, 26, 3.2, 6, i / 8 < rev ? c.sun : c.far, 1);
    }, 0, mirrored, 1);
  }
  return random.pick([side, side, bend, dial]);
}
