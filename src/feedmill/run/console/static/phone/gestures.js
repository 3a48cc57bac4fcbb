// What fingers, mice, wheels and keys mean to the phone. It knows nothing of cards: it calls what it was given.

const TAP_MS = 320;
const TAP_PX = 34;
const SLOP_PX = 8;
// A swipe leaves when it has come this share of the height, or is this fast (px/ms).
const FAR_SHARE = 0.22;
const FAST = 0.45;
const WHEEL_PX = 50;
const WHEEL_QUIET_MS = 160;
const WHEEL_HELD_MS = 750;

const KEYS = {
  ArrowDown: "leave", " ": "leave", PageDown: "leave", l: "like", s: "share", f: "follow", v: "save", c: "comment",
  h: "hide", "?": "keys",
};

/**
 * Listens on `element` and, for keys, on the window. Returns a function that stops listening.
 * `on` has drag(dy), drop(left, velocity in px/s), doubleTap(x, y), leave() and key(name).
 */
export function listen(element, on) {
  const stop = new AbortController();
  const options = { signal: stop.signal };
  pointers(element, on, options);
  wheel(element, on, options);
  window.addEventListener("keydown", (event) => keydown(element, event, on), options);
  return () => stop.abort();
}

function pointers(element, on, options) {
  let held = null;
  let lastTap = null;

  element.addEventListener("pointerdown", (event) => {
    if (held || event.button > 0 || event.target.closest("button, [role=dialog]")) return;
    held = { id: event.pointerId, x: event.clientX, y: event.clientY, moved: false, track: [[event.timeStamp, event.clientY]] };
  }, options);

  element.addEventListener("pointermove", (event) => {
    if (held?.id !== event.pointerId) return;
    const dy = event.clientY - held.y;
    if (!held.moved && Math.hypot(dy, event.clientX - held.x) > SLOP_PX) {
      held.moved = true;
      element.setPointerCapture(event.pointerId);
    }
    held.track.push([event.timeStamp, event.clientY]);
    if (held.track.length > 6) held.track.shift();
    if (held.moved) on.drag(dy);
  }, options);

  const end = (event) => {
    if (held?.id !== event.pointerId) return;
    const { x, y, moved, track } = held;
    held = null;
    if (moved) {
      const [since, from] = track[0];
      const velocity = (event.clientY - from) / Math.max(8, event.timeStamp - since);
      const dy = event.clientY - y;
      const far = -dy > FAR_SHARE * element.clientHeight && velocity < 0.15;
      const left = event.type === "pointerup" && (far || (velocity < -FAST && dy < -SLOP_PX));
      on.drop(left, velocity * 1000);
    } else if (event.type === "pointerup") {
      const again = lastTap && event.timeStamp - lastTap.at < TAP_MS && Math.hypot(x - lastTap.x, y - lastTap.y) < TAP_PX;
      if (again) {
        const frame = element.getBoundingClientRect();
        on.doubleTap(x - frame.left, y - frame.top);
      }
      lastTap = { at: event.timeStamp, x, y };
    }
  };
  element.addEventListener("pointerup", end, options);
  element.addEventListener("pointercancel", end, options);
}

// One push of a wheel or one stroke on a trackpad, with all its afterglow, is one card.
function wheel(element, on, options) {
  let sum = 0;
  let last = -Infinity;
  let left = -Infinity;
  element.addEventListener("wheel", (event) => {
    if (event.ctrlKey || event.target.closest("[role=dialog]")) return;
    event.preventDefault();
    const quiet = event.timeStamp - last > WHEEL_QUIET_MS;
    last = event.timeStamp;
    if (quiet) sum = 0;
    if (!quiet && event.timeStamp - left < WHEEL_HELD_MS) return;
    sum += event.deltaY * (event.deltaMode === 1 ? 18 : 1);
    if (sum > WHEEL_PX) {
      left = event.timeStamp;
      sum = 0;
      on.leave();
    }
  }, { ...options, passive: false });
}

function keydown(element, event, on) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  // A phone that is not on the screen hears nothing.
  if (element.clientHeight === 0) return;
  const target = event.target;
  const here = target === document.body || element.contains(target);
  // Elsewhere on the page a key belongs to what has the focus; on a button, Space presses it.
  if (!here || target.closest("input, textarea, select, [contenteditable=true]")) return;
  if (event.key === " " && target.closest("button")) return;
  const name = event.key === "Escape" ? "escape" : KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!name) return;
  if (name !== "escape") event.preventDefault();
  if (!event.repeat) on.key(name);
}
