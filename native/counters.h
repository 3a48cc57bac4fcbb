// Decayed counters: for each key, how many impressions there were and what followed, under several half-lives.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "flat_map.h"
#include "huge_vector.h"

namespace feedmill {

class Counters {
 public:
  // half_lives in milliseconds; 0 never decays. A key has `stride()` floats: for each half-life the count of
  // impressions and a sum for each outcome, as of the latest time at which it was added to.
  Counters(std::vector<double> half_lives, size_t outcomes) : half_lives_(std::move(half_lives)), outcomes_(outcomes) {}

  size_t stride() const { return half_lives_.size() * (1 + outcomes_); }
  size_t size() const { return index_.size(); }

  // The state of a key decayed to `now`; zeros for a key that was never added.
  void read(uint64_t key, int64_t now, float* out) const {
    const uint32_t row = key ? index_.find(key) : FlatMap::kNone;
    if (row == FlatMap::kNone) {
      for (size_t i = 0; i < stride(); ++i) out[i] = 0.0f;
      return;
    }
    const float* state = &states_[row * stride()];
    const double elapsed = double(now - times_[row]);
    for (size_t h = 0; h < half_lives_.size(); ++h) {
      const double keep = decay(elapsed, half_lives_[h]);
      for (size_t i = 0; i <= outcomes_; ++i) {
        const size_t at = h * (1 + outcomes_) + i;
        out[at] = float(state[at] * keep);
      }
    }
  }

  // The count of a key under the first half-life, decayed to `now`, as a number to order by: above 0 for every key that
  // has one. After 100 half-lives it fades by their number and no more by half each, because single precision would
  // make everything equal to nothing that is much older than the rest.
  float standing(uint64_t key, int64_t now) const {
    const uint32_t row = key ? index_.find(key) : FlatMap::kNone;
    if (row == FlatMap::kNone || !(states_[row * stride()] > 0)) return 0.0f;
    const double elapsed = std::max(0.0, double(now - times_[row]));
    const double halvings = half_lives_[0] > 0 ? elapsed / half_lives_[0] : 0.0;
    const double bits = std::log2(double(states_[row * stride()])) - halvings;
    return float(bits >= -kFar ? std::exp2(bits) : std::exp2(-kFar) / (1.0 - (bits + kFar)));
  }

  // Add `count` impressions with these outcomes at `now`. What comes late is added as if it had decayed since then.
  void add(uint64_t key, int64_t now, float count, const float* outcomes) {
    if (key == 0) return;
    const uint32_t row = index_.insert(key);
    if (row == times_.size()) {
      times_.push_back(now);
      states_.resize(states_.size() + stride(), 0.0f);
    }
    float* state = &states_[row * stride()];
    const double elapsed = double(now - times_[row]);
    for (size_t h = 0; h < half_lives_.size(); ++h) {
      float* part = state + h * (1 + outcomes_);
      const double keep = elapsed > 0 ? decay(elapsed, half_lives_[h]) : 1.0;
      const double weight = elapsed < 0 ? decay(-elapsed, half_lives_[h]) : 1.0;
      part[0] = float(part[0] * keep + weight * count);
      for (size_t o = 0; o < outcomes_; ++o) part[1 + o] = float(part[1 + o] * keep + weight * outcomes[o]);
      // A float counts exactly up to 2^24: halving in time keeps the rates right for ever.
      if (part[0] > kMost) {
        for (size_t i = 0; i <= outcomes_; ++i) part[i] *= 0.5f;
      }
    }
    if (elapsed > 0) times_[row] = now;
  }

  const HugeVector<uint64_t>& keys() const { return index_.keys(); }
  const HugeVector<int64_t>& times() const { return times_; }
  const HugeVector<float>& states() const { return states_; }

  // Counters of the same kind. Throws std::invalid_argument for keys that repeat or are 0.
  Counters with(const uint64_t* keys, const int64_t* times, const float* states, size_t n) const {
    Counters made(half_lives_, outcomes_);
    made.index_ = FlatMap::of(keys, n);
    made.times_.assign(times, times + n);
    made.states_.assign(states, states + n * stride());
    return made;
  }

 private:
  static constexpr float kMost = 8388608.0f;
  static constexpr double kFar = 100.0;

  static double decay(double elapsed, double half_life) {
    return half_life > 0 && elapsed > 0 ? std::exp2(-elapsed / half_life) : 1.0;
  }

  std::vector<double> half_lives_;
  size_t outcomes_;
  FlatMap index_;
  HugeVector<int64_t> times_;
  HugeVector<float> states_;
};

}  // namespace feedmill
