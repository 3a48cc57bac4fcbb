// The fold of events into state, and the features that it emits on the way.
//
// Live serving, replay and training all come through `Fold`: `run` goes over rows in log order, emits the features of
// a row from the state before it, then applies the row; `read` emits without applying. Both use the same code on the
// same state, so a feature cannot differ between them. Nothing is shared between rows: a row's features do not depend
// on the batch it came in.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "counters.h"
#include "histories.h"

namespace feedmill {

enum class SlotKind : uint8_t {
  kComponents,  // one value: the combination of the row's components that `operands` names
  kUserBag,     // the user's bag `operands[0]`
  kItemBag,     // the item's bag `operands[0]`
  kAge,         // the age of the item, in half powers of two of hours
  kHistory,     // the items of the user's last positive feedbacks, newest first
};

struct SlotSpec {
  SlotKind kind;
  uint16_t number;
  std::vector<uint32_t> operands;
};

// Which slots a model reads, and whether it reads the dense columns.
struct View {
  std::vector<SlotSpec> slots;
  bool dense;
};

constexpr double kDay = 24.0 * 3600 * 1000;

struct FoldConfig {
  uint32_t item_components;  // per item: its key, author, category, ...; the user's key stands before, context after
  uint32_t context_columns;
  std::vector<uint8_t> binary;  // per objective: 1 where its label is 0 or 1
  std::vector<double> half_lives;
  std::vector<std::vector<uint32_t>> groups;  // per group of counters: the components whose combination is its key
  double smoothing;
  uint32_t history_length;
  uint32_t history_features;
  uint32_t affinity = 0;  // how many of the user's last liked items an item is compared with; 0: no such dense column
  double popularity_half_life = kDay;  // milliseconds; 0 never decays
};

struct Entity {
  std::vector<uint64_t> components;
  std::vector<uint64_t> bag_ids;
  std::vector<uint32_t> bag_ends;
  int64_t created_at = INT64_MIN;
};

// A row's place in the columns of a batch.
struct Row {
  int32_t user;  // -1: nobody that is known
  int32_t item;  // -1: none
  int64_t time;
  const uint64_t* context;
};

struct Output {
  std::vector<uint64_t> ids;
  std::vector<int64_t> offsets{0};
  std::vector<float> dense;
};

// A row without any flag changes nothing.
namespace flag {
constexpr uint8_t kShown = 1;          // the item was shown: counts as an impression
constexpr uint8_t kHides = 2;          // the user does not want to see it again
constexpr uint8_t kShownIfUnseen = 4;  // counts as an impression when none is known
constexpr uint8_t kFeedback = 8;       // the row carries outcomes
constexpr uint8_t kDrawn = 16;         // nobody saw it: counts as an impression in the counters, and nowhere else
}  // namespace flag

class Fold {
 public:
  static constexpr size_t kMaxComponents = 64;
  static constexpr size_t kMaxStride = 256;

  explicit Fold(FoldConfig config)
      : config_(std::move(config)),
        counters_(config_.half_lives, config_.binary.size()),
        popularity_({config_.popularity_half_life}, 0),
        histories_(config_.history_length) {}

  size_t dense_columns() const {
    return outcomes() + config_.groups.size() * counters_.stride() + (config_.affinity > 0 ? 1 : 0);
  }
  size_t outcomes() const { return config_.binary.size(); }
  size_t components() const { return 1 + config_.item_components + config_.context_columns; }

  void set_user(uint32_t ordinal, Entity user) { set(users_, ordinal, std::move(user)); }
  void set_item(uint32_t ordinal, Entity item) { set(items_, ordinal, std::move(item)); }
  size_t users() const { return users_.size(); }
  size_t items() const { return items_.size(); }

  void emit(const View& view, const Row& row, Output& out) const {
    uint64_t keys[kMaxComponents];
    components_of(row, keys);
    for (const SlotSpec& slot : view.slots) {
      emit_slot(slot, row, keys, out);
      out.offsets.push_back(int64_t(out.ids.size()));
    }
    if (view.dense) emit_dense(row, keys, out);
  }

  void apply(const Row& row, uint8_t flags, const float* outcomes, float weight) {
    uint64_t keys[kMaxComponents];
    components_of(row, keys);
    const uint64_t pair = combine(keys[0], keys[1]);
    const bool shown = (flags & flag::kShown) || ((flags & flag::kShownIfUnseen) && seen_.views(pair) == 0);
    const bool drawn = flags & flag::kDrawn;
    if (shown || drawn || (flags & flag::kFeedback)) {
      const float count = shown || drawn ? 1.0f : 0.0f;
      counters_.add(kAll, row.time, count, outcomes);
      for (size_t g = 0; g < config_.groups.size(); ++g) counters_.add(group_key(g, keys), row.time, count, outcomes);
    }
    if (row.user < 0 || row.item < 0) return;
    if (shown) seen_.view(pair);
    if (flags & flag::kHides) seen_.hide(pair);
    if (shown) impressions_[row.item] += 1;
    if (weight == 0) return;
    if (weight > 0 && !liked_last(row)) {
      popularity_.add(keys[1], row.time, weight, nullptr);
      positives_[row.item] += 1;
      visit_together(row);
    }
    histories_.add(uint32_t(row.user), {row.item, weight, row.time});
  }

  const Histories& histories() const { return histories_; }
  Histories& histories() { return histories_; }
  const Seen& seen() const { return seen_; }
  Seen& seen() { return seen_; }
  const CoVisits& covisits() const { return covisits_; }
  CoVisits& covisits() { return covisits_; }
  const Counters& counters() const { return counters_; }
  Counters& counters() { return counters_; }
  const Counters& popularity() const { return popularity_; }
  Counters& popularity() { return popularity_; }
  const std::vector<uint32_t>& impressions() const { return impressions_; }
  std::vector<uint32_t>& impressions() { return impressions_; }
  const std::vector<uint32_t>& positives() const { return positives_; }
  std::vector<uint32_t>& positives() { return positives_; }

  uint64_t user_key(int32_t user) const { return users_.at(size_t(user)).components[0]; }
  uint64_t item_key(int32_t item) const { return items_.at(size_t(item)).components[0]; }
  uint64_t pair_key(int32_t user, int32_t item) const { return combine(user_key(user), item_key(item)); }

 private:
  static constexpr uint64_t kAll = 1;
  static constexpr double kPriorRate = 0.1;
  static constexpr double kPriorWeight = 20.0;
  static constexpr double kLeastRate = 1e-4;
  static constexpr int64_t kHour = 3600 * 1000;
  static constexpr int64_t kSession = 24 * kHour;
  static constexpr size_t kTogether = 10;
  static constexpr double kFade = 0.9;
  static constexpr double kSlightAffinity = 0.02;

  void set(std::vector<Entity>& entities, uint32_t ordinal, Entity entity) {
    if (ordinal >= entities.size()) entities.resize(ordinal + 1);
    entities[ordinal] = std::move(entity);
    if (&entities == &items_ && impressions_.size() < items_.size()) {
      impressions_.resize(items_.size(), 0);
      positives_.resize(items_.size(), 0);
    }
  }

  void components_of(const Row& row, uint64_t* keys) const {
    keys[0] = row.user < 0 ? 0 : users_[row.user].components[0];
    for (uint32_t c = 0; c < config_.item_components; ++c) {
      keys[1 + c] = row.item < 0 ? 0 : items_[row.item].components[c];
    }
    for (uint32_t c = 0; c < config_.context_columns; ++c) {
      keys[1 + config_.item_components + c] = row.context[c];
    }
  }

  // 0 ("nothing") where any of the components is missing.
  static uint64_t combined(const std::vector<uint32_t>& operands, const uint64_t* keys) {
    uint64_t key = keys[operands[0]];
    for (size_t i = 1; i < operands.size(); ++i) {
      if (key == 0 || keys[operands[i]] == 0) return 0;
      key = combine(key, keys[operands[i]]);
    }
    return key;
  }

  uint64_t group_key(size_t g, const uint64_t* keys) const {
    const uint64_t key = combined(config_.groups[g], keys);
    return key == 0 ? 0 : combine(g + 2, key);
  }

  static double log_odds(double p) { return std::log(p / (1.0 - p)); }

  static uint64_t feature(uint16_t slot, uint64_t key) {
    return (uint64_t(slot) << 52) | (key & ((1ULL << 52) - 1));
  }

  static void emit_bag(uint16_t slot, const Entity& entity, uint32_t bag, Output& out) {
    if (bag >= entity.bag_ends.size()) return;
    const uint32_t begin = bag == 0 ? 0 : entity.bag_ends[bag - 1];
    for (uint32_t i = begin; i < entity.bag_ends[bag]; ++i) out.ids.push_back(feature(slot, entity.bag_ids[i]));
  }

  void emit_slot(const SlotSpec& slot, const Row& row, const uint64_t* keys, Output& out) const {
    switch (slot.kind) {
      case SlotKind::kComponents: {
        const uint64_t key = combined(slot.operands, keys);
        if (key) out.ids.push_back(feature(slot.number, key));
        break;
      }
      case SlotKind::kUserBag:
        if (row.user >= 0) emit_bag(slot.number, users_[row.user], slot.operands[0], out);
        break;
      case SlotKind::kItemBag:
        if (row.item >= 0) emit_bag(slot.number, items_[row.item], slot.operands[0], out);
        break;
      case SlotKind::kAge: {
        if (row.item < 0 || items_[row.item].created_at == INT64_MIN) break;
        const double hours = double(row.time - items_[row.item].created_at) / double(kHour);
        const int64_t bucket = hours <= 1.0 ? 0 : int64_t(std::floor(std::log2(hours) * 2.0));
        out.ids.push_back(feature(slot.number, mix(uint64_t(bucket) + 1)));
        break;
      }
      case SlotKind::kHistory: {
        if (row.user < 0) break;
        const auto& history = histories_.of(uint32_t(row.user));
        size_t left = config_.history_features;
        for (size_t i = history.size(); i-- > 0 && left > 0;) {
          if (history[i].weight <= 0) continue;
          out.ids.push_back(feature(slot.number, item_key(history[i].item)));
          --left;
        }
        break;
      }
    }
  }

  // First the rate of each objective over everything (under the first half-life, shrunk to a tenth), in log-odds where it
  // is binary. Then for each group and half-life: how many impressions there were (log), and for each objective how its
  // smoothed rate differs from that over everything. Last the affinity, where there is one.
  void emit_dense(const Row& row, const uint64_t* keys, Output& out) const {
    float state[kMaxStride];
    const size_t outcomes = config_.binary.size();
    double prior[kMaxStride];
    double prior_odds[kMaxStride];
    counters_.read(kAll, row.time, state);
    for (size_t o = 0; o < outcomes; ++o) {
      const double start = config_.binary[o] ? kPriorRate * kPriorWeight : 0.0;
      prior[o] = (state[1 + o] + start) / (state[0] + kPriorWeight);
      if (config_.binary[o]) prior[o] = std::clamp(prior[o], kLeastRate, 1.0 - kLeastRate);
      prior_odds[o] = config_.binary[o] ? log_odds(prior[o]) : prior[o];
      out.dense.push_back(float(prior_odds[o]));
    }
    for (size_t g = 0; g < config_.groups.size(); ++g) {
      counters_.read(group_key(g, keys), row.time, state);
      for (size_t h = 0; h < config_.half_lives.size(); ++h) {
        const float* part = state + h * (1 + outcomes);
        out.dense.push_back(float(0.5 * std::log1p(double(part[0])) - 0.5));
        for (size_t o = 0; o < outcomes; ++o) {
          const double rate = (part[1 + o] + config_.smoothing * prior[o]) / (part[0] + config_.smoothing);
          double value = rate - prior[o];
          if (config_.binary[o]) {
            value = log_odds(std::clamp(rate, kLeastRate, 1.0 - kLeastRate)) - prior_odds[o];
          }
          out.dense.push_back(float(std::clamp(value, -4.0, 4.0)));
        }
      }
    }
    if (config_.affinity > 0) out.dense.push_back(affinity(row));
  }

  // How often the item was liked together with what the user liked last: co-visits over the root of the product of both
  // items' likes (cosine), faded from each liked item to the one before it, as a logarithm that is 0 where there are none.
  float affinity(const Row& row) const {
    if (row.user < 0 || row.item < 0) return 0.0f;
    const auto& history = histories_.of(uint32_t(row.user));
    double sum = 0.0;
    double weight = 1.0;
    size_t left = config_.affinity;
    for (size_t i = history.size(); i-- > 0 && left > 0;) {
      const int32_t liked = history[i].item;
      if (history[i].weight <= 0 || liked == row.item) continue;
      for (const auto& partner : covisits_.of(uint32_t(liked))) {
        if (partner.item != row.item) continue;
        sum += weight * double(partner.weight) / std::sqrt(std::max(double(positives_[liked]) * positives_[row.item], 1.0));
        break;
      }
      weight *= kFade;
      --left;
    }
    return float(std::log1p(sum / kSlightAffinity));
  }

  // A like after a click on the same item is one positive feedback, not two.
  bool liked_last(const Row& row) const {
    const auto& history = histories_.of(uint32_t(row.user));
    return !history.empty() && history.back().item == row.item && history.back().weight > 0;
  }

  // The items liked in the same session are partners, the nearer the more.
  void visit_together(const Row& row) {
    const auto& history = histories_.of(uint32_t(row.user));
    size_t rank = 0;
    for (size_t i = history.size(); i-- > 0 && rank < kTogether;) {
      const Feedback& earlier = history[i];
      if (row.time - earlier.time > kSession) break;
      if (earlier.weight <= 0 || earlier.item == row.item) continue;
      ++rank;
      covisits_.add(row.item, earlier.item, 1.0f / float(rank));
    }
  }

  FoldConfig config_;
  std::vector<Entity> users_;
  std::vector<Entity> items_;
  Counters counters_;
  Counters popularity_;
  Histories histories_;
  Seen seen_;
  CoVisits covisits_;
  std::vector<uint32_t> impressions_;
  std::vector<uint32_t> positives_;
};

}  // namespace feedmill
