// One update before it is applied: its distinct ids in the order of their first occurrence, and what each is due.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <vector>

#include "table_index.h"
#include "table_mix.h"

namespace feedmill::table {

inline constexpr std::uint32_t kToAdmit = kNoRow - 1;

// target += source, column by column.
inline void add_columns(float* __restrict target, const float* __restrict source, std::uint32_t columns) noexcept {
  for (std::uint32_t c = 0; c < columns; ++c) target[c] += source[c];
}

// Used again for the next update, for its memory.
struct Plan {
  std::vector<std::uint64_t> ids;
  std::vector<std::uint32_t> occurrences;  // in this update; of an id that must wait, ever
  std::vector<std::uint32_t> rows;         // kToAdmit: gets a row now; kNoRow: must wait
  float* values = nullptr;                 // [ids, dimension]: summed gradients, or vectors to put
  std::size_t admitted = 0, waiting = 0;

  std::size_t bytes() const noexcept {
    return ids.capacity() * sizeof(std::uint64_t) + own_.capacity() * sizeof(float) +
           (occurrences.capacity() + rows.capacity() + places_.capacity() + cells_.capacity()) * sizeof(std::uint32_t);
  }

  // Fills `ids` and `occurrences`.
  void gather(std::span<const std::uint64_t> all) {
    if (all.size() >= kToAdmit) throw std::invalid_argument("ids: too many for one update; split it");
    ids.clear();
    occurrences.clear();
    places_.resize(all.size());
    const int bits = std::bit_width(2 * all.size() + 1);
    const std::size_t mask = (std::size_t{1} << bits) - 1;
    cells_.assign(mask + 1, 0);
    for (std::size_t k = 0; k < all.size(); ++k) {
      if (all[k] == 0) {
        places_[k] = kNowhere;
        continue;
      }
      std::size_t at = mix64(all[k]) >> (64 - bits);
      while (cells_[at] != 0 && ids[cells_[at] - 1] != all[k]) at = (at + 1) & mask;
      if (cells_[at] == 0) {
        ids.push_back(all[k]);
        occurrences.push_back(0);
        cells_[at] = static_cast<std::uint32_t>(ids.size());
      }
      places_[k] = cells_[at] - 1;
      ++occurrences[places_[k]];
    }
  }

  // Sets `values`, after `gather`: a bag's gradient goes to each of its ids, in a mean divided by the bag's length. Where
  // there is nothing to add up they are the gradients themselves, unless they are `written` later.
  void sum(std::span<const std::int64_t> offsets, const float* gradients, std::uint32_t dimension, bool mean,
           bool written) {
    if (!written && ids.size() == places_.size() && are_alone(offsets)) {
      values = const_cast<float*>(gradients);
      return;
    }
    own_.assign(ids.size() * dimension, 0.0f);
    values = own_.data();
    std::vector<float> share(dimension);
    for (std::size_t bag = 0; bag + 1 < offsets.size(); ++bag) {
      const float* gradient = gradients + bag * dimension;
      const std::int64_t length = offsets[bag + 1] - offsets[bag];
      if (mean && length > 1) {
        for (std::uint32_t c = 0; c < dimension; ++c) share[c] = gradient[c] / static_cast<float>(length);
        gradient = share.data();
      }
      for (std::int64_t k = offsets[bag]; k < offsets[bag + 1]; ++k)
        if (places_[k] != kNowhere) add_columns(values + std::size_t{places_[k]} * dimension, gradient, dimension);
    }
  }

  // Sets `values`, after `gather`: of an id that stands twice, to the last of its vectors. They are not written.
  void take_last(const float* vectors, std::uint32_t dimension) {
    if (ids.size() == places_.size()) {
      values = const_cast<float*>(vectors);
      return;
    }
    own_.resize(ids.size() * dimension);
    values = own_.data();
    for (std::size_t k = 0; k < places_.size(); ++k)
      if (places_[k] != kNowhere)
        std::copy_n(vectors + k * dimension, dimension, values + std::size_t{places_[k]} * dimension);
  }

 private:
  static constexpr std::uint32_t kNowhere = UINT32_MAX;

  // Whether each bag holds one id.
  static bool are_alone(std::span<const std::int64_t> offsets) noexcept {
    for (std::size_t bag = 0; bag < offsets.size(); ++bag)
      if (offsets[bag] != static_cast<std::int64_t>(bag)) return false;
    return true;
  }

  std::vector<float> own_;

  std::vector<std::uint32_t> places_;  // by position in the update: which of `ids`; kNowhere for id 0
  std::vector<std::uint32_t> cells_;   // open addressing over `ids`: a position plus one
};

}  // namespace feedmill::table
