// The phone: one card at a time, drawn, played, liked and left. The server decides which card comes next.
//
// Props: `card` (item_id, request_id, title, author_id, topic, topics, mood, seconds, why, followed) and `serial`, which
// grows with each card shown; `hues` and `colours` by topic.
// Emits: `leave` {item_id, request_id, watched, actions} and `act` {item_id, request_id,
// author_id, action, watched, actions}, with what has been done by then.

import { makePicture } from "feedmill-console/art/index.js";
import { avatar } from "feedmill-console/phone/avatar.js";
import { burst } from "feedmill-console/phone/burst.js";
import { listen } from "feedmill-console/phone/gestures.js";
import { ICONS } from "feedmill-console/phone/icons.js";
import { Spring } from "feedmill-console/phone/spring.js";
import { TEMPLATE } from "feedmill-console/phone/template.js";
import { markRaw } from "vue";

// A card that is left before this share of it has played was skipped.
const SKIPPED_BELOW = 0.15;
// How long the next card may take before the phone says that it is coming.
const SLOW_MS = 350;
const TOAST_MS = 1400;
const STILL_SECOND = 2.4;
const SAID = { share: "Shared", save: "Saved", comment: "Comment left", follow: "Following" };
const SPRINGS = {
  drag: { stiffness: 420, damping: 30 },
  up: { stiffness: 130, damping: 21 },
  skip: { stiffness: 210, damping: 26 },
  hide: { stiffness: 120, damping: 20 },
};

export default {
  template: TEMPLATE,
  props: { card: Object, serial: Number, hues: Object, colours: Object },
  emits: ["leave", "act"],
  data: () => ({
    shown: null, leaving: null, left: 0, waiting: false, slow: false,
    done: [], followed: [], keysOpen: false, toast: "",
  }),
  computed: {
    layers() {
      return [this.shown, this.leaving].filter(Boolean);
    },
    rail() {
      return [["like", "Like", "L"], ["comment", "Comment", "C"], ["save", "Save", "V"], ["share", "Share", "S"], ["hide", "Not for me", "H"]]
        .map(([name, label, key]) => ({ name, label, key }));
    },
    keys: () => [
      ["↓ or Space", "next card"], ["L", "like"], ["C", "comment"], ["V", "save"], ["S", "share"], ["F", "follow"],
      ["H", "not for me"], ["?", "these keys"],
    ],
  },
  watch: {
    serial() {
      this.arrive();
    },
  },
  created() {
    this.icons = ICONS;
    this.still = window.matchMedia("(prefers-reduced-motion: reduce)");
    this.drag = new Spring(0, SPRINGS.drag);
    this.exit = new Spring(0);
    this.enter = new Spring(1, { stiffness: 190, damping: 24 });
    this.visible = true;
    this.timers = {};
  },
  mounted() {
    this.stopListening = listen(this.$el, {
      drag: (dy) => this.pull(dy),
      drop: (left, velocity) => this.drop(left, velocity),
      doubleTap: (x, y) => this.doubleTap(x, y),
      leave: () => this.leave(),
      key: (name) => this.press(name),
    });
    this.watching = new IntersectionObserver((entries) => {
      this.visible = entries[entries.length - 1].isIntersecting;
    });
    this.watching.observe(this.$el);
    this.sizing = new ResizeObserver(() => this.measure());
    this.sizing.observe(this.$el);
    this.measure();
    this.arrive();
    const frame = (now) => {
      this.frame = requestAnimationFrame(frame);
      this.tick(now);
    };
    this.frame = requestAnimationFrame(frame);
  },
  beforeUnmount() {
    cancelAnimationFrame(this.frame);
    this.stopListening();
    this.watching.disconnect();
    this.sizing.disconnect();
    Object.values(this.timers).forEach(clearTimeout);
  },
  methods: {
    /** Takes the card that the server sent. */
    arrive() {
      if (!this.card) return;
      clearTimeout(this.timers.slow);
      this.waiting = this.slow = false;
      const picture = markRaw(makePicture(this.card, this.hues[this.card.topic] ?? 268));
      // What a card needs while it plays is not reactive: it changes with each frame.
      const play = markRaw({ elapsed: 0, canvas: null, element: null, line: null, drawn: false });
      this.done = [];
      const { author_id: author, followed } = this.card;
      if (followed && !this.followed.includes(author)) this.followed = [...this.followed, author];
      this.shown = { serial: this.serial, card: this.card, picture, play };
      this.drag.settle(0);
      this.enter.value = this.still.matches ? 0 : 1;
      this.enter.velocity = 0;
      this.enter.target = 0;
      this.refocus();
    },
    /** Keeps the place of those who press buttons by keys: what they left a card with has the focus on the next. */
    refocus() {
      const name = this.pressed;
      this.pressed = null;
      if (!name) return;
      this.$nextTick(() => {
        if (document.activeElement !== this.$el) return;
        this.$el.querySelector(`[data-testid=card] [data-testid=${name}]`)?.focus({ preventScroll: true });
      });
    },
    /** Leaves the card: `how` is up, skip or hide. */
    leave(how = "up", velocity = 0) {
      if (!this.shown) return;
      const { card, play } = this.shown;
      const watched = Math.min(1, play.elapsed / card.seconds);
      const actions = [...this.done];
      const focused = document.activeElement;
      if (play.element?.contains(focused) && focused.matches(":focus-visible")) {
        // Until the next card is there the phone has the focus: a card that flies away can not.
        this.pressed = focused.dataset.testid;
        this.$el.focus({ preventScroll: true });
      }
      if (how === "up" && watched < SKIPPED_BELOW) how = "skip";
      if (how === "skip") actions.push("skip");
      const height = this.height;
      this.exit = new Spring(this.drag.value, SPRINGS[how]);
      this.exit.velocity = velocity;
      this.exit.target = how === "hide" ? height * 1.12 : -height * 1.12;
      this.leaving = this.still.matches ? null : { ...this.shown, how };
      this.shown = null;
      this.waiting = true;
      this.left += 1;
      this.timers.slow = setTimeout(() => (this.slow = this.waiting), SLOW_MS);
      this.$emit("leave", { item_id: card.item_id, request_id: card.request_id, watched, actions });
    },
    /** Does something with the card, once; pressing again takes it back, except what others have seen. */
    act(action, at = null) {
      if (!this.shown) return;
      const { card } = this.shown;
      if (this.done.includes(action)) {
        if ((action === "like" && !at) || action === "save") {
          this.done = this.done.filter((other) => other !== action);
          this.tell(action);
        }
        return;
      }
      if (action === "follow" && this.followed.includes(card.author_id)) return;
      this.done = [...this.done, action];
      if (action === "follow") this.followed = [...this.followed, card.author_id];
      if (SAID[action]) this.say(SAID[action] + (action === "follow" ? ` @${card.author_id}` : ""));
      this.tell(action);
      if (action === "hide") this.leave("hide");
    },
    tell(action) {
      const { card, play } = this.shown;
      const { item_id, request_id, author_id } = card;
      const watched = Math.min(1, play.elapsed / card.seconds);
      this.$emit("act", { item_id, request_id, author_id, action, watched, actions: [...this.done] });
    },
    doubleTap(x, y) {
      if (!this.shown || this.keysOpen) return;
      burst(this.$refs.burst, x, y, this.still.matches);
      this.act("like", { x, y });
    },
    press(name) {
      if (name === "escape" || (name === "keys" && this.keysOpen)) this.closeKeys();
      else if (name === "keys") this.openKeys();
      else if (this.keysOpen) return;
      else if (name === "leave") this.leave();
      else this.act(name);
    },
    openKeys() {
      this.opener = document.activeElement;
      this.keysOpen = true;
      this.$nextTick(() => this.$refs.keys.focus());
    },
    closeKeys() {
      if (!this.keysOpen) return;
      this.keysOpen = false;
      this.$nextTick(() => {
        const back = this.opener;
        if (back !== document.body && back?.isConnected) back.focus({ preventScroll: true });
      });
    },
    say(text) {
      this.toast = text;
      clearTimeout(this.timers.toast);
      this.timers.toast = setTimeout(() => (this.toast = ""), TOAST_MS);
    },
    pull(dy) {
      // Up is free; down is rubber.
      this.drag.settle(dy < 0 ? dy : 60 * (1 - Math.exp(-dy / 140)));
      this.held = true;
    },
    drop(left, velocity) {
      this.held = false;
      if (left && this.shown) return this.leave("up", velocity);
      this.drag.velocity = velocity;
      this.drag.target = 0;
    },
    measure() {
      this.width = this.$el.clientWidth;
      this.height = this.$el.clientHeight;
      this.$el.querySelectorAll("canvas").forEach((canvas) => this.size(canvas));
      if (this.shown) this.shown.play.drawn = false;
    },
    size(canvas) {
      // Two device pixels are sharp enough for flat shapes.
      const ratio = Math.min(2, window.devicePixelRatio || 1);
      canvas.width = Math.max(1, Math.round(this.width * ratio));
      canvas.height = Math.max(1, Math.round(this.height * ratio));
    },
    /** Gives a layer its elements, once they are there. */
    place(layer, element) {
      if (!element || layer.play.element === element) return;
      layer.play.element = element;
      layer.play.canvas = element.querySelector("canvas");
      layer.play.line = element.querySelector(".fm-played");
      if (layer === this.shown || layer.serial === this.shown?.serial) this.size(layer.play.canvas);
    },
    tick(now) {
      const seconds = Math.min(0.1, (now - (this.before ?? now)) / 1000);
      this.before = now;
      if (this.shown) this.playOn(this.shown, seconds);
      if (this.leaving) this.flyOn(seconds);
      if (!this.height) return;
      const pull = this.leaving ? Math.min(1, Math.abs(this.exit.value) / this.height) : Math.max(0, -this.drag.value / this.height);
      if (pull !== this.pulled) this.$refs.beneath.style.setProperty("--pull", (this.pulled = pull).toFixed(3));
    },
    playOn({ play, card, picture }, seconds) {
      if (!play.element) return;
      if (this.visible && !document.hidden) play.elapsed += seconds;
      if (!this.held) this.drag.step(seconds);
      this.enter.step(seconds);
      const still = this.still.matches;
      const from = this.enter.value;
      const y = this.drag.value + from * 46;
      const style = play.element.style;
      const tilt = this.height ? (this.drag.value / this.height) * 2.2 : 0;
      style.transform = y || from ? `translate3d(0, ${y.toFixed(2)}px, 0) scale(${(1 - from * 0.1).toFixed(4)}) rotate(${tilt.toFixed(3)}deg)` : "none";
      style.setProperty("--dim", from.toFixed(3));
      play.line.style.transform = `scaleX(${((play.elapsed / card.seconds) % 1).toFixed(4)})`;
      play.line.classList.toggle("again", play.elapsed > card.seconds);
      if (this.visible && (!still || !play.drawn)) {
        const context = play.canvas.getContext("2d");
        picture.draw(context, play.canvas.width, play.canvas.height, still ? STILL_SECOND : play.elapsed);
        play.drawn = true;
      }
    },
    flyOn(seconds) {
      const { play, how } = this.leaving;
      // On a phone that is not on the screen nothing flies.
      if (!this.height) {
        this.leaving = null;
        return;
      }
      this.exit.step(seconds);
      const gone = Math.min(1, Math.abs(this.exit.value) / this.height);
      const turn = how === "skip" ? -5 * gone : how === "hide" ? 7 * gone : 2.2 * (this.exit.value / this.height);
      const scale = how === "hide" ? 1 - 0.22 * gone : 1 - 0.05 * gone;
      play.element.style.transform = `translate3d(0, ${this.exit.value.toFixed(2)}px, 0) scale(${scale.toFixed(4)}) rotate(${turn.toFixed(3)}deg)`;
      if (gone > 0.985) this.leaving = null;
    },
    has(layer, action) {
      if (action === "follow") return this.followed.includes(layer.card.author_id);
      return layer === this.leaving ? false : this.done.includes(action);
    },
    face(layer) {
      return avatar(layer.card.author_id, layer.picture.colours.hue);
    },
    paint(layer) {
      const c = layer.picture.colours;
      return { "--card-ground": c.ground, "--card-ink": c.dark ? c.light : c.ink };
    },
  },
};
