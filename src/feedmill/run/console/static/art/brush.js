// What the pictures are drawn with: flat shapes on a 2D canvas. Angles are in radians, lengths in hundredths of the width.

export const TAU = Math.PI * 2;

/** 0 to 1 to 0, smoothly, once each `period`. */
export const wave = (t, period, phase = 0) => 0.5 - 0.5 * Math.cos((t / period + phase) * TAU);

/** -1 to 1, smoothly, once each `period`. */
export const swing = (t, period, phase = 0) => Math.sin((t / period + phase) * TAU);

/** The fraction of `period` that has passed, 0 to 1, over and over. */
export const cycle = (t, period, phase = 0) => (((t / period + phase) % 1) + 1) % 1;

/** 0 below `low`, 1 above `high`, smooth between. */
export function ramp(value, low, high) {
  const x = Math.min(1, Math.max(0, (value - low) / (high - low)));
  return x * x * (3 - 2 * x);
}

export class Brush {
  constructor(context) {
    this.context = context;
  }

  disc(x, y, r, fill) {
    this.oval(x, y, r, r, fill);
  }

  oval(x, y, rx, ry, fill, turn = 0) {
    const c = this.context;
    c.fillStyle = fill;
    c.beginPath();
    c.ellipse(x, y, Math.max(0, rx), Math.max(0, ry), turn, 0, TAU);
    c.fill();
  }

  /** A slice of a disc, closed by its chord or, with `centre`, by its two radii. */
  slice(x, y, r, from, to, fill, centre = false) {
    const c = this.context;
    c.fillStyle = fill;
    c.beginPath();
    if (centre) c.moveTo(x, y);
    c.arc(x, y, Math.max(0, r), from, to);
    c.closePath();
    c.fill();
  }

  ring(x, y, r, width, stroke, from = 0, to = TAU) {
    const c = this.context;
    c.strokeStyle = stroke;
    c.lineWidth = width;
    c.lineCap = to - from >= TAU ? "butt" : "round";
    c.beginPath();
    c.arc(x, y, Math.max(0, r), from, to);
    c.stroke();
  }

  /** A rectangle from its upper left corner. */
  box(x, y, width, height, fill, radius = 0) {
    const c = this.context;
    c.fillStyle = fill;
    c.beginPath();
    c.roundRect(x, y, width, height, radius);
    c.fill();
  }

  polygon(points, fill) {
    const c = this.context;
    c.fillStyle = fill;
    c.beginPath();
    points.forEach(([x, y], i) => (i ? c.lineTo(x, y) : c.moveTo(x, y)));
    c.closePath();
    c.fill();
  }

  /** A closed curve through points (Catmull-Rom). */
  smooth(points, fill) {
    const c = this.context;
    c.fillStyle = fill;
    c.beginPath();
    trace(c, points, true);
    c.closePath();
    c.fill();
  }

  /** A shape given by commands of an SVG path. */
  path(data, fill) {
    this.context.fillStyle = fill;
    this.context.fill(shapes.get(data) ?? remember(data));
  }

  outline(data, width, stroke) {
    const c = this.context;
    c.strokeStyle = stroke;
    c.lineWidth = width;
    c.lineCap = c.lineJoin = "round";
    c.stroke(shapes.get(data) ?? remember(data));
  }

  line(points, width, stroke, cap = "round") {
    const c = this.context;
    c.strokeStyle = stroke;
    c.lineWidth = width;
    c.lineCap = cap;
    c.lineJoin = "round";
    c.beginPath();
    points.forEach(([x, y], i) => (i ? c.lineTo(x, y) : c.moveTo(x, y)));
    c.stroke();
  }

  /** An open curve through points (Catmull-Rom). */
  curve(points, width, stroke, cap = "round") {
    const c = this.context;
    c.strokeStyle = stroke;
    c.lineWidth = width;
    c.lineCap = cap;
    c.lineJoin = "round";
    c.beginPath();
    trace(c, points, false);
    c.stroke();
  }

  /** Draws with the origin moved, turned and scaled. */
  at(x, y, draw, turn = 0, scaleX = 1, scaleY = scaleX) {
    const c = this.context;
    c.save();
    c.translate(x, y);
    if (turn) c.rotate(turn);
    if (scaleX !== 1 || scaleY !== 1) c.scale(scaleX, scaleY);
    draw();
    c.restore();
  }

  /** Draws inside what `outline` traces. */
  inside(outline, draw) {
    const c = this.context;
    c.save();
    c.beginPath();
    outline(c);
    c.clip();
    draw();
    c.restore();
  }

  /** Draws with an opacity. */
  veiled(opacity, draw) {
    const c = this.context;
    const before = c.globalAlpha;
    c.globalAlpha = before * opacity;
    draw();
    c.globalAlpha = before;
  }

  /** A soft light. `colour` is `#rrggbb`. */
  glow(x, y, r, colour, opacity = 1) {
    const c = this.context;
    const gradient = c.createRadialGradient(x, y, 0, x, y, r);
    const level = (share) => Math.round(255 * opacity * share).toString(16).padStart(2, "0");
    gradient.addColorStop(0, colour + level(1));
    gradient.addColorStop(0.45, colour + level(0.42));
    gradient.addColorStop(1, colour + "00");
    c.fillStyle = gradient;
    c.fillRect(x - r, y - r, 2 * r, 2 * r);
  }
}

const shapes = new Map();

function remember(data) {
  const shape = new Path2D(data);
  shapes.set(data, shape);
  return shape;
}

function trace(c, points, closed) {
  const n = points.length;
  const at = (i) => (closed ? points[(i + n) % n] : points[Math.min(n - 1, Math.max(0, i))]);
  c.moveTo(points[0][0], points[0][1]);
  for (let i = 0; i < (closed ? n : n - 1); i++) {
    const [p, q, r, s] = [at(i - 1), at(i), at(i + 1), at(i + 2)];
    c.bezierCurveTo(
      q[0] + (r[0] - p[0]) / 6, q[1] + (r[1] - p[1]) / 6,
      r[0] - (s[0] - q[0]) / 6, r[1] - (s[1] - q[1]) / 6,
      r[0], r[1],
    );
  }
}
