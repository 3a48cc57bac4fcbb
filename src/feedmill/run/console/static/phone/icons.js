// Icons of the phone: inline SVG paths in a box of 24.

const stroke = (d) => `<path d="${d}" fill="none" stroke="currentColor" stroke-width="1.9" stroke-linecap="round" stroke-linejoin="round"/>`;
const solid = (d) => `<path d="${d}" fill="currentColor"/>`;
const svg = (inner) => `<svg viewBox="0 0 24 24" width="24" height="24" aria-hidden="true" focusable="false">${inner}</svg>`;

export const HEART = "M12 20.6 C5.2 15.6 2.6 12.2 2.6 8.5 A4.9 4.9 0 0 1 12 6.7 A4.9 4.9 0 0 1 21.4 8.5 C21.4 12.2 18.8 15.6 12 20.6 Z";
const BUBBLE = "M12 3.6 C17.2 3.6 21 6.8 21 11.2 C21 15.6 17.2 18.8 12 18.8 C11 18.8 10 18.7 9.1 18.4 L4.6 20.4 L5.4 16.5 C3.9 15.1 3 13.3 3 11.2 C3 6.8 6.8 3.6 12 3.6 Z";
const FLAG = "M6.4 3.4 H17.6 V20.6 L12 16.4 L6.4 20.6 Z";
const ARROW = "M13.4 4.2 L21 11 L13.4 17.8 V13.9 C8.6 13.6 5.4 15 3 18.6 C3.4 12.9 7 8.7 13.4 8.1 Z";

/** By name: `[resting, chosen]`. */
export const ICONS = {
  like: [svg(stroke(HEART)), svg(solid(HEART))],
  comment: [svg(stroke(BUBBLE)), svg(solid(BUBBLE))],
  save: [svg(stroke(FLAG)), svg(solid(FLAG))],
  share: [svg(stroke(ARROW)), svg(solid(ARROW))],
  hide: [svg(stroke("M4 4 L20 20 M9.2 5.6 A10.6 10.6 0 0 1 22 12 A13 13 0 0 1 18.7 16 M14.1 14.2 A3.1 3.1 0 0 1 9.8 9.9 M6.4 7.4 A13 13 0 0 0 2 12 A10.7 10.7 0 0 0 14.6 18.2")), ""],
  next: [svg(stroke("M6 14.5 L12 8.5 L18 14.5")), ""],
  why: [svg(stroke("M12 3.5 L13.9 10.1 L20.5 12 L13.9 13.9 L12 20.5 L10.1 13.9 L3.5 12 L10.1 10.1 Z")), ""],
  keys: [svg(stroke("M3.5 7.5 A1.8 1.8 0 0 1 5.3 5.7 H18.7 A1.8 1.8 0 0 1 20.5 7.5 V16.5 A1.8 1.8 0 0 1 18.7 18.3 H5.3 A1.8 1.8 0 0 1 3.5 16.5 Z M7 9.8 H7.1 M12 9.8 H12.1 M17 9.8 H17.1 M8 14.4 H16")), ""],
};
