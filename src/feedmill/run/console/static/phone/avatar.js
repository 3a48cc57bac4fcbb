// A creator's face: a letter on a shape, in colours near those of the cards.

import { oklch } from "../art/colour.js";
import { chance } from "../art/seed.js";

const SHAPES = [
  "M20 2 A18 18 0 1 1 19.9 2 Z",
  "M20 2 C34 2 38 6 38 20 C38 34 34 38 20 38 C6 38 2 34 2 20 C2 6 6 2 20 2 Z",
  "M20 1.5 L36 10.7 V29.3 L20 38.5 L4 29.3 V10.7 Z",
  "M20 2 C25 2 25 6 29 7.3 C34 9 38 14 38 20 C38 26 34 31 29 32.7 C25 34 25 38 20 38 C15 38 15 34 11 32.7 C6 31 2 26 2 20 C2 14 6 9 11 7.3 C15 6 15 2 20 2 Z",
  "M2 2 H24 A14 14 0 0 1 38 16 V38 H16 A14 14 0 0 1 2 24 Z",
];

/** SVG text of the avatar of `handle`; `hue` is the OKLCH angle that it is tuned to. */
export function avatar(handle, hue) {
  const random = chance(`face of ${handle}`);
  const shape = random.pick(SHAPES);
  const turned = hue + random.pick([0, 45, -45, 150, 200]);
  const plate = oklch(0.8, 0.13, turned);
  const ink = oklch(0.27, 0.07, turned);
  const letter = (handle.match(/[a-z0-9]/i) ?? ["?"])[0].toUpperCase();
  const mark = random.pick([
    `<circle cx="33" cy="8" r="9" fill="${ink}" opacity=".16"/>`,
    `<path d="M0 30 L30 0 H40 L0 40 Z" fill="${ink}" opacity=".13"/>`,
    `<path d="M0 26 H40 V40 H0 Z" fill="${ink}" opacity=".13"/>`,
    "",
  ]);
  const clip = `face-${handle.replace(/[^a-z0-9-]/gi, "")}`;
  return `<svg viewBox="0 0 40 40" aria-hidden="true" focusable="false"><clipPath id="${clip}"><path d="${shape}"/></clipPath>` +
    `<g clip-path="url(#${clip})"><rect width="40" height="40" fill="${plate}"/>${mark}</g>` +
    `<text x="20" y="26.6" text-anchor="middle" font-size="18.5" font-weight="700" fill="${ink}">${letter}</text></svg>`;
}
