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

namespace feedmill::table {

inline constexpr int kValueBits = 52;  // of a feature id; the slot stands above them
inline constexpr std::size_t kSlots = 4096;

struct Segment {
  std::uint32_t width;
  float learning_rate, initial_accumulator, initial_scale, l2;
};

// The rules of one slot, a number a column.
struct SlotRule {
  std::uint32_t group;  // slots of one dimension share a group
  std::uint32_t admission;
  std::optional<std::int64_t> time_to_live;
  std::vector<float> learning_rate, initial_accumulator, initial_scale, l2;
};

class SlotRules {
 public:
  SlotRules() { rule_of_slot_.fill(kNone); }

  void add(std::uint32_t number, const std::vector<Segment>& segments, std::uint32_t admission,
           std::optional<std::int64_t> time_to_live) {
    SlotRule rule{0, admission, time_to_live, {}, {}, {}, {}};
    for (const Segment& s : segments) {
      rule.learning_rate.insert(rule.learning_rate.end(), s.width, s.learning_rate);
      rule.initial_accumulator.insert(rule.initial_accumulator.end(), s.width, s.initial_accumulator);
      rule.initial_scale.insert(rule.initial_scale.end(), s.width, s.initial_scale);
      rule.l2.insert(rule.l2.end(), s.width, s.l2);
    }
    const auto dimension = static_cast<std::uint32_t>(rule.l2.size());
    const auto known = std::find(dimensions_.begin(), dimensions_.end(), dimension);
    rule.group = static_cast<std::uint32_t>(known - dimensions_.begin());
    if (known == dimensions_.end()) dimensions_.push_back(dimension);
    rule_of_slot_.at(number) = static_cast<std::uint16_t>(rules_.size());
    rules_.push_back(std::move(rule));
  }

  // By group.
  const std::vector<std::uint32_t>& dimensions() const noexcept { return dimensions_; }

  bool knows(std::uint64_t id) const noexcept { return id != 0 && rule_of_slot_[id >> kValueBits] != kNone; }

  // The id must be of a known slot.
  const SlotRule& operator[](std::uint64_t id) const noexcept { return rules_[rule_of_slot_[id >> kValueBits]]; }

  bool any_expires(std::uint32_t group) const noexcept {
    return std::any_of(rules_.begin(), rules_.end(),
                       [&](const SlotRule& rule) { return rule.group == group && rule.time_to_live; });
  }

  std::uint32_t group_of(std::uint32_t dimension) const {
    const auto known = std::find(dimensions_.begin(), dimensions_.end(), dimension);
    if (known == dimensions_.end())
      throw std::invalid_argument("no slot of the table has the dimension " + std::to_string(dimension));
    return static_cast<std::uint32_t>(known - dimensions_.begin());
  }

  // The dimension of the first id that is not 0; 0 if there is none.
  std::uint32_t dimension_of(std::span<const std::uint64_t> ids) const {
    const auto first = std::find_if(ids.begin(), ids.end(), [](std::uint64_t id) { return id != 0; });
    if (first == ids.end()) return 0;
    require_known(*first, static_cast<std::size_t>(first - ids.begin()));
    return dimensions_[(*this)[*first].group];
  }

  // Throws unless every id is 0 or of a slot of this group.
  void check_ids(std::span<const std::uint64_t> ids, std::uint32_t group) const {
    for (std::size_t k = 0; k < ids.size(); ++k) {
      if (ids[k] == 0) continue;
      require_known(ids[k], k);
      const std::uint32_t own = (*this)[ids[k]].group;
      if (own != group)
        throw std::invalid_argument(describe(ids[k], k) + " of dimension " + std::to_string(dimensions_[own]) +
                                    ", not " + std::to_string(dimensions_[group]) +
                                    ": one call takes ids of one dimension");
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
  std::vector<std::uint32_t> dimensions_;
};

}  // namespace feedmill::table
