/*
 * A chart of time: lines or stacked shares, drawn as SVG in the page's own type and colours.
 *
 * Props say what is drawn, `tell` brings what is new. Points that the chart has are sent once: a message replaces what
 * is later than `after` and drops what is earlier than `from`.
 *
 * props.look:
 *   kind     "lines" or "stack"
 *   scale    "linear" or "log"
 *   unit     "percent", "milliseconds" or "number": how values are written
 *   span     [low, high] that the value axis shows at least
 *   grain    what the ends of a linear axis are rounded to, so that it stands still
 *   series   [{key, label, shade, width, dash}]; of a stack, the order of the bands from below
 *   ends     whether lines and bands are named where they end, in `room` pixels
 *   sentences  whether notes are written above the plot, or only marked
 */

const DAY = 86_400_000;
const HOUR = 3_600_000;
const ROWS = 3;

const WRITE = {
  percent: (value) => `${(100 * value).toFixed(0)} %`,
  number: (value) => value.toFixed(2),
  milliseconds: (value) => {
    if (value < 1) return `${value.toFixed(1)} ms`;
    if (value < 1000) return `${value.toFixed(0)} ms`;
    return `${(value / 1000).toFixed(value < 10_000 ? 1 : 0)} s`;
  },
};

const ruler = document.createElement("canvas").getContext("2d");

/** A sentence, cut where it is wider than `room` pixels in `font`; and its width. */
function fitted(sentence, font, room) {
  ruler.font = font;
  let text = sentence;
  while (text.length > 1 && ruler.measureText(text).width > room) text = `${text.slice(0, -2).trimEnd()}…`;
  return { text, wide: ruler.measureText(text).width };
}

/** Values at round steps within [low, high]: about `wanted` of them. */
function roundSteps(low, high, wanted) {
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const steps = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step * 1e-6; value += step) steps.push(value);
  return steps;
}

/** Moves wanted places apart so that neighbours are at least `gap` from each other, within [low, high]. */
function spread(places, gap, low, high) {
  const order = places.map((place, index) => ({ place, index })).sort((a, b) => a.place - b.place);
  order.forEach((one, at) => (one.place = at ? Math.max(one.place, order[at - 1].place + gap) : Math.max(one.place, low)));
  for (let at = order.length - 1; at >= 0; at--) {
    const most = at === order.length - 1 ? high : order[at + 1].place - gap;
    order[at].place = Math.min(order[at].place, most);
  }
  const moved = [];
  for (const { place, index } of order) moved[index] = place;
  return moved;
}

export default {
  template: `
    <div class="mill-chart" role="img" :aria-label="summary"
         @pointermove="point" @pointerdown="point" @pointerleave="at = null">
      <svg v-if="drawn" :width="width" :height="height" aria-hidden="true">
        <g v-for="line in drawn.levels" :key="line.text">
          <line class="mill-grid" :x1="drawn.left" :x2="drawn.right" :y1="line.y" :y2="line.y" />
          <text class="mill-tick" :x="0" :y="line.y + line.shift">{{ line.text }}</text>
        </g>
        <text v-for="tick in drawn.times" :key="tick.text" class="mill-tick" :x="tick.x" :y="height - 2"
              :text-anchor="tick.anchor">{{ tick.text }}</text>
        <g v-for="note in drawn.notes" :key="note.key" class="mill-note" :class="{'is-told': note.text}">
          <line :x1="note.x" :x2="note.x" :y1="note.y" :y2="drawn.bottom" />
          <text v-if="note.text" :x="note.textX" :y="note.y + 9" :text-anchor="note.anchor">{{ note.text }}</text>
        </g>
        <path v-for="band in drawn.bands" :key="band.key" :d="band.path" :style="{fill: band.shade}" class="mill-band" />
        <path v-for="line in drawn.lines" :key="line.key" :d="line.path" class="mill-line"
              :style="{stroke: line.shade, strokeWidth: line.width, strokeDasharray: line.dash}" />
        <g v-for="end in drawn.ends" :key="end.key" class="mill-end">
          <circle v-if="end.dot" :cx="drawn.endX" :cy="end.dot" r="3" :style="{fill: end.shade}" />
          <rect v-if="look.kind === 'stack'" :x="drawn.right + 12" :y="end.y - 4" width="8" height="8" :style="{fill: end.shade}" />
          <text :x="drawn.right + (look.kind === 'stack' ? 28 : 12)" :y="end.y + 4" :class="{'is-first': end.first}" :style="{fill: end.ink}">
            <tspan>{{ end.label }}</tspan><tspan class="mill-end-value" dx="6">{{ end.value }}</tspan>
          </text>
        </g>
        <g v-if="read">
          <line class="mill-cross" :x1="read.x" :x2="read.x" :y1="drawn.top" :y2="drawn.bottom" />
          <circle v-for="dot in read.dots" :key="dot.key" :cx="read.x" :cy="dot.y" r="3.5" :style="{fill: dot.shade}" class="mill-dot" />
        </g>
      </svg>
      <div v-if="read" class="mill-reading" :style="read.place">
        <div class="mill-reading-time">{{ read.time }}</div>
        <div v-for="row in read.rows" :key="row.key" class="mill-reading-row">
          <i :style="{background: row.shade}"></i><span>{{ row.label }}</span><b>{{ row.value }}</b>
        </div>
        <div v-for="text in read.notes" :key="text" class="mill-reading-note">{{ text }}</div>
      </div>
    </div>`,

  props: { look: { type: Object, required: true } },

  data() {
    return { width: 0, height: 0, version: 0, at: null, summary: "" };
  },

  created() {
    this.xs = [];
    this.ys = {};
    this.notes = [];
    this.origin = 0;
    this.extra = [];
  },

  mounted() {
    this.font = `12px ${getComputedStyle(this.$el).fontFamily}`;
    this.watcher = new ResizeObserver(() => {
      this.width = this.$el.clientWidth;
      this.height = this.$el.clientHeight;
    });
    this.watcher.observe(this.$el);
  },

  beforeUnmount() {
    this.watcher.disconnect();
  },

  computed: {
    series() {
      this.version;
      return this.extra.length ? this.extra : this.look.series;
    },

    drawn() {
      this.version;
      if (this.width < 40 || this.height < 24) return null;
      const { look, xs } = this;
      const told = look.sentences ? this.notes.filter(([time]) => xs.length && time >= xs[0]).slice(-ROWS) : [];
      // A small chart writes its levels upon their lines; a large one beside them.
      const left = look.ends ? 40 : 0;
      const right = this.width - (look.ends ? look.room : 4);
      const top = (look.ends ? 8 : 14) + (look.sentences ? 16 * told.length + (told.length ? 4 : 0) : 0);
      const bottom = this.height - 20;
      const first = xs.length ? xs[0] : this.origin;
      const last = Math.max(xs.length ? xs[xs.length - 1] : first, first + 3 * HOUR);
      const x = (time) => left + ((time - first) / (last - first)) * (right - left);
      const [low, high] = this.range();
      const y = this.place(low, high, top, bottom);
      const drawn = { left, right, top, bottom, first, last, x, y };
      drawn.endX = xs.length ? x(xs[xs.length - 1]) : left;
      drawn.levels = this.levels(low, high).map((value) => {
        const shift = look.ends ? 4 : value === low ? 14 : -4;
        return { y: y(value), shift, text: WRITE[look.unit](value) };
      });
      drawn.times = this.times(drawn);
      drawn.notes = this.marks(drawn, told);
      drawn.bands = look.kind === "stack" ? this.bands(drawn) : [];
      drawn.lines = look.kind === "lines" ? this.lines(drawn) : [];
      drawn.ends = look.ends ? this.ends(drawn) : [];
      return drawn;
    },

    read() {
      this.version;
      if (this.at === null || !this.drawn || !this.xs.length) return null;
      const { x, y } = this.drawn;
      let index = 0;
      this.xs.forEach((time, i) => {
        if (Math.abs(x(time) - this.at) < Math.abs(x(this.xs[index]) - this.at)) index = i;
      });
      const time = this.xs[index];
      const rows = [];
      const dots = [];
      for (const one of this.series) {
        const value = this.ys[one.key]?.[index];
        if (value === null || value === undefined) continue;
        rows.push({ key: one.key, label: one.label, shade: one.shade, value: WRITE[this.look.unit](value), size: value });
        if (this.look.kind === "lines") dots.push({ key: one.key, y: y(value), shade: one.shade });
      }
      rows.sort((a, b) => b.size - a.size);
      const notes = this.notes.filter(([when]) => Math.abs(x(when) - x(time)) < 6).map(([, text]) => text);
      const place = x(time) > this.width / 2 ? { right: `${this.width - x(time) + 12}px` } : { left: `${x(time) + 12}px` };
      return { x: x(time), time: this.clock(time), rows, dots, notes, place };
    },
  },

  methods: {
    /** What is new: {origin, from, after, times, values: {key: [...]}, notes, series?, summary}. */
    tell(news) {
      const keep = this.xs.map((time) => time >= news.from && time <= news.after);
      const kept = this.xs.filter((_, i) => keep[i]);
      const values = {};
      for (const key of new Set([...Object.keys(this.ys), ...Object.keys(news.values)])) {
        const old = (this.ys[key] ?? this.xs.map(() => null)).filter((_, i) => keep[i]);
        values[key] = old.concat(news.values[key] ?? news.times.map(() => null));
      }
      this.xs = kept.concat(news.times);
      this.ys = values;
      this.notes = news.notes;
      this.origin = news.origin;
      if (news.series) this.extra = news.series;
      this.summary = news.summary;
      this.version++;
    },

    point(event) {
      this.at = event.clientX - this.$el.getBoundingClientRect().left;
    },

    range() {
      const [floor, ceiling] = this.look.span;
      const all = this.series.flatMap((one) => this.ys[one.key] ?? []).filter((value) => value !== null && value !== undefined);
      if (this.look.kind === "stack") return [0, 1];
      if (this.look.scale === "log") {
        const positive = all.filter((value) => value > 0);
        const low = 10 ** Math.floor(Math.log10(Math.min(floor, ...positive)));
        return [low, 10 ** Math.ceil(Math.log10(Math.max(ceiling, ...positive)))];
      }
      const { grain } = this.look;
      const low = all.length ? Math.min(...all) : floor;
      const high = all.length ? Math.max(...all) : ceiling;
      return [Math.floor(Math.min(low, floor) / grain) * grain, Math.ceil(Math.max(high, ceiling) / grain) * grain];
    },

    place(low, high, top, bottom) {
      if (this.look.scale !== "log") return (value) => bottom - ((value - low) / (high - low)) * (bottom - top);
      const from = Math.log10(low);
      const tall = Math.log10(high) - from;
      return (value) => bottom - ((Math.log10(Math.max(value, low)) - from) / tall) * (bottom - top);
    },

    levels(low, high) {
      if (this.look.kind === "stack") return [0, 0.5, 1];
      if (this.look.scale !== "log") return this.look.ends ? roundSteps(low, high, Math.max(2, (this.height - 30) / 56)) : [low, high];
      const levels = [];
      for (let value = low; value <= high * 1.001; value *= 10) levels.push(value);
      return [levels[0], levels[levels.length - 1]];
    },

    times({ first, last, x, left, right }) {
      if (!this.xs.length || !this.look.ends) return [];
      const long = last - first > 1.5 * DAY;
      const stride = long ? DAY * Math.ceil((last - first) / DAY / ((right - left) / 64)) : 6 * HOUR;
      const ticks = [];
      const begin = long ? this.origin : first - (first % stride);
      for (let time = begin; time <= last; time += stride) {
        if (time < first || x(time) > right - 8) continue;
        const [day, minutes] = this.clock(time).split(", ");
        const text = minutes === "00:00" ? day : minutes;
        ticks.push({ x: x(time), text, anchor: x(time) - left < 16 ? "start" : "middle" });
      }
      return ticks;
    },

    clock(time) {
      const day = Math.floor((time - this.origin) / DAY) + 1;
      return `day ${day}, ${new Date(time).toISOString().slice(11, 16)}`;
    },

    marks({ x, first, right, top }, told) {
      const marks = [];
      this.notes.forEach(([time, sentence], i) => {
        if (time < first) return;
        const row = told.findIndex((one) => one === this.notes[i]);
        const mark = { key: `${time} ${sentence}`, x: Math.min(x(time), right), y: top };
        if (row >= 0) {
          // Later notes stand higher and reach left, so that no line runs through the words of another.
          const { text, wide } = fitted(sentence, this.font, Math.max(mark.x, this.width - mark.x) - 8);
          mark.anchor = wide <= mark.x - 8 ? "end" : "start";
          mark.textX = mark.x + (mark.anchor === "end" ? -6 : 6);
          mark.text = text;
          mark.y = 4 + 16 * (told.length - 1 - row);
        }
        marks.push(mark);
      });
      return marks;
    },

    lines({ x, y }) {
      return this.series.map((one) => {
        let path = "";
        let open = false;
        (this.ys[one.key] ?? []).forEach((value, i) => {
          if (value === null || value === undefined) {
            open = false;
            return;
          }
          path += `${open ? "L" : "M"}${x(this.xs[i]).toFixed(1)} ${y(value).toFixed(1)}`;
          open = true;
        });
        return { key: one.key, path, shade: one.shade, width: one.width ?? 1.5, dash: one.dash ?? "none" };
      });
    },

    bands({ x, y }) {
      const below = this.xs.map(() => 0);
      return this.series.map((one) => {
        const shares = this.ys[one.key] ?? [];
        const lower = below.map((value, i) => `${x(this.xs[i]).toFixed(1)} ${y(value).toFixed(1)}`);
        shares.forEach((value, i) => (below[i] += value ?? 0));
        const upper = below.map((value, i) => `${x(this.xs[i]).toFixed(1)} ${y(value).toFixed(1)}`);
        const path = this.xs.length ? `M${upper.join("L")}L${lower.reverse().join("L")}Z` : "";
        return { key: one.key, path, shade: one.shade };
      });
    },

    ends({ y, top, bottom }) {
      const ends = [];
      let below = 0;
      for (const one of this.series) {
        const values = this.ys[one.key] ?? [];
        const stacked = this.look.kind === "stack";
        const value = stacked ? values[values.length - 1] : values.findLast((each) => each !== null && each !== undefined);
        if (value === undefined || value === null) continue;
        const end = { key: one.key, label: one.label, value: WRITE[this.look.unit](value), shade: one.shade, first: one.first };
        end.ink = stacked ? null : (one.ink ?? null);
        end.wanted = y(stacked ? below + value / 2 : value);
        end.dot = stacked ? null : end.wanted;
        below += value;
        if (!stacked || value >= 0.04) ends.push(end);
      }
      const places = spread(ends.map((end) => end.wanted), 16, top + 4, bottom);
      ends.forEach((end, i) => (end.y = places[i]));
      return ends;
    },
  },
};
