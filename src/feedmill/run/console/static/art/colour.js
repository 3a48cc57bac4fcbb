// Colours of a card: one topic hue, moved a little by the creator, in the light of a mood.

/** `#rrggbb` of an OKLCH colour; chroma is lowered until sRGB has it. */
export function oklch(lightness, chroma, hue) {
  const angle = (hue * Math.PI) / 180;
  for (let c = chroma; ; c -= 0.004) {
    const rgb = linear(lightness, Math.max(0, c), angle);
    if (c <= 0 || rgb.every((v) => v > -0.001 && v < 1.001)) return "#" + rgb.map(hex).join("");
  }
}

function linear(lightness, chroma, angle) {
  const a = chroma * Math.cos(angle);
  const b = chroma * Math.sin(angle);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
}

function hex(value) {
  const v = Math.min(1, Math.max(0, value));
  const encoded = v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055;
  return Math.round(255 * encoded).toString(16).padStart(2, "0");
}

// Each role as [lightness, chroma]: ground, back and far recede in this order; main carries the picture, deep is its
// second tone, light its highlight, ink the darkest; accent takes another hue,
// and sun and blush are warm on every card.
const LIGHTS = {
  night: {
    ground: [0.25, 0.06], back: [0.305, 0.075], far: [0.38, 0.095], main: [0.74, 0.145], deep: [0.52, 0.13],
    light: [0.95, 0.035], ink: [0.17, 0.04], accent: [0.8, 0.15], dark: true,
  },
  dusk: {
    ground: [0.43, 0.11], back: [0.485, 0.12], far: [0.56, 0.125], main: [0.79, 0.125], deep: [0.32, 0.085],
    light: [0.965, 0.03], ink: [0.22, 0.055], accent: [0.83, 0.15], dark: true,
  },
  day: {
    ground: [0.79, 0.125], back: [0.835, 0.105], far: [0.73, 0.135], main: [0.49, 0.135], deep: [0.34, 0.1],
    light: [0.975, 0.022], ink: [0.23, 0.06], accent: [0.66, 0.19], dark: false,
  },
  paper: {
    ground: [0.945, 0.03], back: [0.9, 0.055], far: [0.84, 0.085], main: [0.68, 0.155], deep: [0.44, 0.12],
    light: [0.99, 0.01], ink: [0.25, 0.06], accent: [0.66, 0.19], dark: false,
  },
};
// Dark yellow is mud: there the dusk is golden and the night a warm grey.
const GOLDEN = {
  dusk: {
    ground: [0.64, 0.13], back: [0.69, 0.13], far: [0.58, 0.125], main: [0.94, 0.07], deep: [0.36, 0.085],
    light: [0.99, 0.02], ink: [0.25, 0.06], accent: [0.62, 0.19], dark: false,
  },
  night: {
    ground: [0.27, 0.028], back: [0.325, 0.036], far: [0.41, 0.055], main: [0.84, 0.15], deep: [0.6, 0.12],
    light: [0.96, 0.04], ink: [0.18, 0.02], accent: [0.76, 0.16], dark: true,
  },
};
GOLDEN.paper = { ...LIGHTS.paper, main: [0.83, 0.16], deep: [0.5, 0.11] };
const golden = (hue) => hue > 78 && hue < 122;

const LIGHT_OF_MOOD = {
  calm: ["dusk", "night"],
  bright: ["paper", "day"],
  wild: ["day", "dusk"],
  dreamy: ["night", "dusk"],
  funny: ["day", "paper"],
};
const ACCENT_TURNS = [32, -34, 62, 150, 190, -70];
const WILD_TURNS = [150, 180, 205];

/** The colours of one card by role, each `#rrggbb`; `dark` says whether its ground is. */
export function cardColours(hue, creator, mood) {
  const shifted = hue + creator.between(-9, 9);
  const lights = LIGHT_OF_MOOD[mood] ?? LIGHT_OF_MOOD.calm;
  const light = creator.next() < 0.6 ? lights[0] : lights[1];
  const roles = (golden(hue) && GOLDEN[light]) || LIGHTS[light];
  const accentHue = shifted + creator.pick(mood === "wild" ? WILD_TURNS : ACCENT_TURNS);
  const colours = { dark: roles.dark, hue: shifted };
  for (const [role, tone] of Object.entries(roles)) {
    if (role !== "dark") colours[role] = oklch(tone[0], tone[1], role === "accent" ? accentHue : shifted);
  }
  // What a thin line is drawn in, and a bright body, so that they stand out from this ground.
  colours.line = light === "paper" ? colours.main : colours.light;
  colours.body = light === "day" ? colours.light : colours.main;
  colours.blush = oklch(0.68, 0.17, 18);
  colours.sun = oklch(roles.dark ? 0.84 : 0.78, 0.16, creator.pick([36, 58, 82]));
  return colours;
}
