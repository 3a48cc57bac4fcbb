// What a table was made with: its slots. Never changes once the table is in use, so it is read without a lock.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "table_kernel.h"
#include "table_mix.h"
#include "table_optimizers.h"

namespace feedmill::table {

inline constexpr int kValueBits = 52;  // of a feature id; the slot stands above them
inline constexpr std::size_t kSlots = 4096;

// How the rows of a group are laid out: slots whose rows have as many columns and as much state share one.
struct Layout {
  std::uint32_t dimension, state;
  bool operator==(const Layout&) const = default;
};

// The rules of one slot.
struct SlotRule {
  std::uint32_t group = 0;
  std::uint32_t admission = 1;          // the occurrence at which an id gets a row
  double admission_probability = 1.0;   // with which each occurrence gives it one
  std::optional<std::uint32_t> time_to_live;  // seconds
  std::vector<Segment> segments;
  std::vector<float> initial_scale;  // a number a column

  bool always_admits() const noexcept { return admission <= 1 && admission_probability >= 1.0; }

  // The initial vector of an id.
  void start_vector(std::uint64_t seed, std::uint64_t id, float* vector) const noexcept {
    const std::uint64_t key = stream_key(seed, id);
    for (std::size_t c = 0; c < initial_scale.size(); ++c) vector[c] = initial_scale[c] * signed_unit(key, c);
  }

  // The initial state of the optimizers.
  void start_state(float* state) const noexcept {
    for (const Segment& segment : segments) {
      segment.start(state);
      state += segment.state();
    }
  }

  // May cut the gradient.
  [[gnu::always_inline]] void learn(float* gradient, float* vector, float* state) const noexcept {
    for (const Segment& segment : segments) {
      apply(segment, gradient, vector, state);
      gradient += segment.width;
      vector += segment.width;
      state += segment.state();
    }
  }
};

// One update of a row, by what the processor has.
using Learn = void (*)(const SlotRule&, float* gradient, float* vector, float* state) noexcept;

namespace kernels {

inline void learn_portable(const SlotRule& rule, float* gradient, float* vector, float* state) noexcept {
  rule.learn(gradient, vector, state);
}
#if FEEDMILL_X86_KERNELS
FEEDMILL_TARGET("avx2")
inline void learn_avx2(const SlotRule& rule, float* gradient, float* vector, float* state) noexcept {
  rule.learn(gradient, vector, state);
}
FEEDMILL_TARGET("avx512f")
inline void learn_avx512(const SlotRule& rule, float* gradient, float* vector, float* state) noexcept {
  rule.learn(gradient, vector, state);
}
#endif

}  // namespace kernels

// The processor must have it.
inline Learn learner(Kernel kernel) noexcept {
#if FEEDMILL_X86_KERNELS
  if (kernel == Kernel::avx512) return kernels::learn_avx512;
  if (kernel == Kernel::avx2) return kernels::learn_avx2;
#endif
  static_cast<void>(kernel);
  return kernels::learn_portable;
}

class SlotRules {
 public:
  std::size_t waiting = std::size_t{1} << 20;  // ids that wait for admission and are counted

  SlotRules() { rule_of_slot_.fill(kNone); }

  void add(std::uint32_t number, SlotRule rule) {
    Layout layout{0, 0};
    for (const Segment& s : rule.segments) {
      rule.initial_scale.insert(rule.initial_scale.end(), s.width, s.initial_scale);
      layout.dimension += s.width;
      layout.state += s.state();
    }
    const auto known = std::find(layouts_.begin(), layouts_.end(), layout);
    rule.group = static_cast<std::uint32_t>(known - layouts_.begin());
    if (known == layouts_.end()) layouts_.push_back(layout);
    rule_of_slot_.at(number) = static_cast<std::uint16_t>(rules_.size());
    rules_.push_back(std::move(rule));
  }

  // By group.
  const std::vector<Layout>& layouts() const noexcept { return layouts_; }
  std::uint32_t dimension_of(const SlotRule& rule) const noexcept { return layouts_[rule.group].dimension; }

  bool knows(std::uint64_t id) const noexcept { return id != 0 && rule_of_slot_[id >> kValueBits] != kNone; }

  // The id must be of a known slot.
  const SlotRule& operator[](std::uint64_t id) const noexcept { return rules_[rule_of_slot_[id >> kValueBits]]; }

  bool any_waits() const noexcept {
    return std::any_of(rules_.begin(), rules_.end(), [](const SlotRule& rule) { return rule.admission > 1; });
  }

  bool any_clips() const noexcept {
    return std::any_of(rules_.begin(), rules_.end(), [](const SlotRule& rule) {
      return std::any_of(rule.segments.begin(), rule.segments.end(), [](const Segment& s) { return s.clip > 0.0f; });
    });
  }

  bool any_expires() const noexcept {
    return std::any_of(rules_.begin(), rules_.end(), [](const SlotRule& rule) { return rule.time_to_live.has_value(); });
  }

  // The only group of this dimension; none when slots of this dimension differ in state.
  std::optional<std::uint32_t> only_group(std::uint32_t dimension) const noexcept {
    std::optional<std::uint32_t> only;
    for (std::uint32_t g = 0; g < layouts_.size(); ++g) {
      if (layouts_[g].dimension != dimension) continue;
      if (only) return std::nullopt;
      only = g;
    }
    return only;
  }

  // The dimension of the first id that is not 0; 0 if there is none.
  std::uint32_t dimension_of(std::span<const std::uint64_t> ids) const {
    const auto first = std::find_if(ids.begin(), ids.end(), [](std::uint64_t id) { return id != 0; });
    if (first == ids.end()) return 0;
    require_known(*first, static_cast<std::size_t>(first - ids.begin()));
    return dimension_of((*this)[*first]);
  }

  // Throws unless every id is 0 or of a slot of this dimension, and there is one.
  void check_ids(std::span<const std::uint64_t> ids, std::uint32_t dimension) const {
    if (std::none_of(layouts_.begin(), layouts_.end(), [&](Layout l) { return l.dimension == dimension; }))
      throw std::invalid_argument("no slot of the table has the dimension " + std::to_string(dimension));
    for (std::size_t k = 0; k < ids.size(); ++k) {
      if (ids[k] == 0) continue;
      require_known(ids[k], k);
      const std::uint32_t own = dimension_of((*this)[ids[k]]);
      if (own != dimension)
        throw std::invalid_argument(describe(ids[k], k) + " of dimension " + std::to_string(own) + ", not " +
                                    std::to_string(dimension) + ": one call takes ids of one dimension");
    }
  }

 private:
  static constexpr std::uint16_t kNone = UINT16_MAX;

  static std::string describe(std::uint64_t id, std::size_t k) {
    return "ids[" + std::to_string(k) + "] is of slot " + std::to_string(id >> kValueBits);
  }

  void require_known(std::uint64_t id, std::size_t k) const {
    if (rule_of_slot_[id >> kValueBits] == kNone)
      throw std::invalid_argument(describe(id, k) + ", which the table was not made with");
  }

  std::array<std::uint16_t, kSlots> rule_of_slot_;
  std::vector<SlotRule> rules_;
  std::vector<Layout> layouts_;
};

}  // namespace feedmill::table
