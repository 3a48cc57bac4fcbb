// What the phone is made of.

export const TEMPLATE = `
<section class="fm-phone" data-testid="phone" role="region" aria-roledescription="feed" aria-label="Your feed" tabindex="0">
  <div class="fm-beneath" :class="{ slow: slow || (!shown && !leaving && !waiting) }" ref="beneath" aria-hidden="true"><i></i><i></i><i></i></div>
  <article v-for="layer in layers" :key="layer.serial" class="fm-card" :ref="(element) => place(layer, element)"
    :class="[{ leaving: layer === leaving, dark: layer.picture.colours.dark }, layer === leaving ? 'by-' + leaving.how : '']"
    :style="paint(layer)" :inert="layer === leaving"
    :data-testid="layer === leaving ? null : 'card'" :data-topic="layer.card.topic" :data-item="layer.card.item_id"
    :data-mood="layer.card.mood" :aria-label="layer.card.title">
    <canvas aria-hidden="true"></canvas>
    <div class="fm-scrim"></div>
    <div class="fm-words">
      <div class="fm-creator">
        <span class="fm-face" v-html="face(layer)"></span>
        <span class="fm-handle">@{{ layer.card.author_id }}</span>
        <button type="button" class="fm-follow" data-testid="follow" :aria-pressed="has(layer, 'follow')"
          :class="{ chosen: has(layer, 'follow') }" @click="act('follow')"
          :aria-label="'Follow @' + layer.card.author_id">{{ has(layer, "follow") ? "Following" : "Follow" }}</button>
      </div>
      <h2 class="fm-title">{{ layer.card.title }}</h2>
      <div class="fm-chips">
        <span v-for="topic in (layer.card.topics?.length ? layer.card.topics : [layer.card.topic])" class="fm-chip">
          <i :style="{ background: colours[topic] }"></i>{{ topic }}</span>
        <span class="fm-mood">{{ layer.card.mood }}</span>
      </div>
      <p class="fm-why" v-if="layer.card.why"><span v-html="icons.why[0]"></span>{{ layer.card.why }}</p>
    </div>
    <div class="fm-rail">
      <button v-for="button in rail" type="button" :key="button.name" :data-testid="button.name" :class="['fm-act', button.name, { chosen: has(layer, button.name) }]"
        :aria-label="button.label" :aria-pressed="button.name === 'hide' ? null : has(layer, button.name)"
        :title="button.label + ' (' + button.key + ')'" @click="act(button.name)"
        v-html="icons[button.name][has(layer, button.name) ? 1 : 0]"></button>
      <button type="button" class="fm-act next" :class="{ hint: !left }" data-testid="next" aria-label="Next card" title="Next card (↓)" @click="leave()" v-html="icons.next[0]"></button>
    </div>
    <div class="fm-line"><div class="fm-played"></div></div>
  </article>
  <div class="fm-burst" ref="burst" aria-hidden="true"></div>
  <div class="fm-toast" :class="{ on: toast }" role="status">{{ toast }}</div>
  <button type="button" class="fm-keys-open" data-testid="keys" aria-label="Keys" :aria-expanded="keysOpen" title="Keys (?)" @click="openKeys()" v-html="icons.keys[0]"></button>
  <div v-if="keysOpen" class="fm-keys" ref="keys" role="dialog" aria-label="Keys" tabindex="-1" @click="closeKeys()">
    <dl><template v-for="[key, meaning] in keys"><dt>{{ key }}</dt><dd>{{ meaning }}</dd></template></dl>
  </div>
  <div class="fm-heard" aria-live="polite">{{ shown ? shown.card.title + ", by " + shown.card.author_id : "" }}</div>
</section>`;
