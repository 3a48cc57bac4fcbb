// The heart that a double tap leaves where it fell.

import { HEART } from "./icons.js";

const SPARKS = 9;

/** Adds a heart at (x, y) in px of `host`; it removes itself when it has played. */
export function burst(host, x, y, still) {
  const heart = document.createElement("div");
  heart.className = "fm-heart";
  heart.style.left = `${x}px`;
  heart.style.top = `${y}px`;
  heart.style.setProperty("--lean", `${Math.round((x / host.clientWidth - 0.5) * 44)}deg`);
  const sparks = still ? "" : Array.from({ length: SPARKS }, (_, i) => `<i style="--turn:${(i / SPARKS) * 360 + 10}deg;--far:${52 + (i % 3) * 14}px"></i>`).join("");
  heart.innerHTML = `<svg viewBox="0 0 24 24"><path d="${HEART}" fill="currentColor"/></svg>${sparks}`;
  heart.firstChild.addEventListener("animationend", () => heart.remove());
  host.append(heart);
}
