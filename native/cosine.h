#pragma once

// The nearest of many sets to each of some, by the cosine of their 0/1 vectors, shrunk where they share little.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <vector>

namespace feedmill {

// Sets of numbers, one after the other: set i has the members from bounds[i] to bounds[i + 1].
struct Sets {
  std::span<const std::int64_t> bounds;
  std::span<const std::int32_t> members;

  std::size_t size() const { return bounds.size() - 1; }
  std::span<const std::int32_t> operator[](std::size_t i) const {
    return members.subspan(bounds[i], bounds[i + 1] - bounds[i]);
  }

  // Throws std::invalid_argument unless all bounds lie within the members and these below `limit`.
  void check(std::size_t limit) const {
    if (bounds.empty() || bounds.front() != 0 || bounds.back() != static_cast<std::int64_t>(members.size()) ||
        !std::is_sorted(bounds.begin(), bounds.end())) {
      throw std::invalid_argument("bounds must go from 0 to the number of members");
    }
    for (std::int32_t member : members) {
      if (member < 0 || static_cast<std::size_t>(member) >= limit) throw std::invalid_argument("a member is out of range");
    }
  }
};

struct Neighbours {
  std::vector<std::int64_t> bounds{0};
  std::vector<std::int32_t> sets;
  std::vector<float> cosines;
};

// For each of `some` at most `count` of the sets that have a member in common with it, ascending; of equally near ones the
// first. `holders` has for each member the sets that hold it, `lengths` and `other_lengths` the roots of their sizes.
// `itself`: the set that is no neighbour of the first of `some`, the next one of the second and so on; -1: all may be.
inline Neighbours nearest_sets(const Sets& some, const Sets& holders, std::span<const float> lengths,
                               std::span<const float> other_lengths, std::size_t count, float shrinkage,
                               std::int64_t itself) {
  struct Near {
    float cosine;
    std::int32_t set;
  };
  Neighbours found;
  std::vector<float> common(other_lengths.size());
  std::vector<std::int32_t> met;
  std::vector<Near> near;
  for (std::size_t i = 0; i < some.size(); ++i) {
    met.clear();
    for (std::int32_t member : some[i]) {
      for (std::int32_t set : holders[member]) {
        if (common[set]++ == 0) met.push_back(set);
      }
    }
    near.clear();
    for (std::int32_t set : met) {
      const float together = common[set];
      common[set] = 0;
      if (itself >= 0 && set == itself + static_cast<std::int64_t>(i)) continue;
      float cosine = together / (other_lengths[set] * lengths[i]);
      if (shrinkage > 0) cosine *= together / (together + shrinkage);
      near.push_back({cosine, set});
    }
    if (near.size() > count) {
      std::nth_element(near.begin(), near.begin() + count, near.end(), [](const Near& a, const Near& b) {
        return a.cosine != b.cosine ? a.cosine > b.cosine : a.set < b.set;
      });
      near.resize(count);
    }
    std::sort(near.begin(), near.end(), [](const Near& a, const Near& b) { return a.set < b.set; });
    for (const Near& one : near) {
      found.sets.push_back(one.set);
      found.cosines.push_back(one.cosine);
    }
    found.bounds.push_back(static_cast<std::int64_t>(found.sets.size()));
  }
  return found;
}

}  // namespace feedmill
