// A damped spring for one number, stepped by the frames of the page.

export class Spring {
  /** `stiffness` in 1/s², `damping` in 1/s, for a mass of one. */
  constructor(value, { stiffness = 320, damping = 30 } = {}) {
    this.value = value;
    this.target = value;
    this.velocity = 0;
    this.stiffness = stiffness;
    this.damping = damping;
  }

  /** Moves on by `seconds`; small steps inside keep it stable on slow frames. */
  step(seconds) {
    let left = Math.min(seconds, 0.1);
    while (left > 0) {
      const dt = Math.min(left, 1 / 240);
      this.velocity += (this.stiffness * (this.target - this.value) - this.damping * this.velocity) * dt;
      this.value += this.velocity * dt;
      left -= dt;
    }
    if (this.resting) {
      this.value = this.target;
      this.velocity = 0;
    }
  }

  get resting() {
    return Math.abs(this.target - this.value) < 0.05 && Math.abs(this.velocity) < 0.5;
  }

  /** At its target at once. */
  settle(value = this.target) {
    this.value = this.target = value;
    this.velocity = 0;
  }
}
