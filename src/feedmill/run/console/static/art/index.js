// A card's picture: drawn from its topic, its creator, its mood and its item, the same each time.

import { Brush } from "./brush.js";
import { cardColours } from "./colour.js";
import { MOTIFS, plain } from "./motifs.js";
import { makeMood } from "./moods.js";
import { chance } from "./seed.js";
import { makeTexture } from "./textures.js";

// Where the picture has its middle: text covers the lower part of a card.
const MIDDLE = 0.4;
// A phone is about twice as high as wide; on wider surfaces the picture is drawn as for this height.
const SLIMMEST = 1.7;

/**
 * The picture of one card.
 * `card` has topic, author_id, mood and item_id; `hue` is the topic's OKLCH angle.
 * Returns its colours and `draw(context, width, height, seconds)`, a pure function of its arguments.
 */
export function makePicture(card, hue) {
  const creator = chance(`creator ${card.author_id}`);
  const item = chance(`item ${card.item_id} ${card.topic} ${card.mood}`);
  const colours = cardColours(hue, creator, card.mood);
  const mood = makeMood(card.mood, item, colours);
  const texture = makeTexture(creator, colours);
  const mirrored = creator.next() < 0.5 ? -1 : 1;
  const motif = (MOTIFS[card.topic] ?? plain)(item, colours, mood);

  function draw(context, width, height, seconds) {
    const unit = Math.min(width, height / SLIMMEST) / 100;
    const edge = {
      top: (-MIDDLE * height) / unit, bottom: ((1 - MIDDLE) * height) / unit,
      left: -width / unit / 2, right: width / unit / 2,
    };
    const brush = new Brush(context);
    const t = mood.time(seconds);
    context.save();
    context.fillStyle = colours.ground;
    context.fillRect(0, 0, width, height);
    context.translate(width / 2, MIDDLE * height);
    context.scale(unit, unit);
    texture(brush, edge);
    mood.behind(brush, t);
    const pose = mood.pose(t);
    context.save();
    context.rotate(pose.turn);
    context.translate(0, pose.lift);
    context.scale(pose.x * mirrored, pose.y);
    motif(brush, t, edge, mirrored);
    context.restore();
    mood.before(brush, t);
    context.restore();
  }
  return { colours, draw };
}
