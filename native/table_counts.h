// How often ids that have no row yet have occurred, in memory that is bounded.
//
// A cell holds the whole id, so that no id is ever taken for another: none is admitted too early. An id belongs to one of
// two buckets of four cells, a cache line each. Where both are full, the id of them that was seen longest ago is forgotten,
// and begins to count anew when it comes again. Nothing is ever moved or allocated.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#include "table_memory.h"
#include "table_mix.h"

namespace feedmill::table {

inline constexpr std::uint32_t kMostAdmission = (1u << 16) - 1;

struct Occurrences {
  std::uint64_t id;  // 0: nobody's
  std::uint16_t count;
  std::uint16_t second;  // whether it lies in the second of its two buckets
  std::uint32_t time;    // seconds since 1970: of the last
};
static_assert(sizeof(Occurrences) == 16);

class OccurrenceCounts {
 public:
  // For so many ids, which fill at most half of it: then 2 in 100,000 have found no room; 0 for none. Throws bad_alloc.
  explicit OccurrenceCounts(std::size_t ids)
      : buckets_(ids == 0 ? 0 : std::bit_ceil((2 * ids + kCells - 1) / kCells)),
        memory_(buckets_ == 0 ? nullptr : std::make_unique<Region>(buckets_ * sizeof(Bucket))) {}

  std::size_t size() const noexcept { return size_; }
  // In memory, at most: a page once something has been written to it.
  std::size_t bytes() const noexcept { return std::min(buckets_ * sizeof(Bucket), puts_ * kPage); }

  std::uint32_t count(std::uint64_t id) const noexcept {
    const Occurrences* cell = find(id);
    return cell == nullptr ? 0 : cell->count;
  }

  // Sets the count of an id, at most kMostAdmission; its time only moves forward. There must be room for some.
  void set(std::uint64_t id, std::uint32_t count, std::uint32_t time) noexcept {
    const auto small = static_cast<std::uint16_t>(count);
    if (Occurrences* cell = find(id)) {
      *cell = {id, small, cell->second, std::max(time, cell->time)};
    } else {
      const auto [one, other] = buckets_of(id);
      put({id, small, empty_cells(*other) > empty_cells(*one), time});
    }
  }

  // Puts an id back that is not known, in the bucket where it was if that has room.
  void put(Occurrences occurrences) noexcept {
    ++puts_;
    const auto pair = buckets_of(occurrences.id);
    const std::array<Bucket*, 2> buckets{pair.first, pair.second};
    for (const std::uint16_t second : {occurrences.second, static_cast<std::uint16_t>(1 - occurrences.second)})
      for (Occurrences& cell : buckets[second]->cells)
        if (cell.id == 0) {
          cell = occurrences;
          cell.second = second;
          ++size_;
          return;
        }
    std::pair<Occurrences*, std::uint16_t> oldest{nullptr, 0};
    for (const std::uint16_t second : {std::uint16_t{0}, std::uint16_t{1}})
      for (Occurrences& cell : buckets[second]->cells)
        if (oldest.first == nullptr || age(cell) < age(*oldest.first)) oldest = {&cell, second};
    *oldest.first = occurrences;
    oldest.first->second = oldest.second;
  }

  // Forgets an id, if it is known.
  void erase(std::uint64_t id) noexcept {
    if (Occurrences* cell = find(id)) clear(*cell);
  }

  // Forgets the ids for which `is_old(id, time)` holds. Cost: linear in the room.
  template <class IsOld>
  void forget(IsOld is_old) noexcept {
    for (std::size_t b = 0; b < buckets_ && size_ != 0; ++b)
      for (Occurrences& cell : bucket(b).cells)
        if (cell.id != 0 && is_old(cell.id, cell.time)) clear(cell);
  }

  // In no order that means anything. Throws bad_alloc.
  std::vector<Occurrences> all() const {
    std::vector<Occurrences> all;
    all.reserve(size_);
    for (std::size_t b = 0; b < buckets_ && all.size() < size_; ++b)
      std::copy_if(std::begin(bucket(b).cells), std::end(bucket(b).cells), std::back_inserter(all),
                   [](const Occurrences& cell) { return cell.id != 0; });
    return all;
  }

 private:
  static constexpr std::size_t kCells = 4, kPage = 4096;

  struct Bucket {
    Occurrences cells[kCells];
  };
  static_assert(sizeof(Bucket) == 64);

  Bucket& bucket(std::size_t number) const noexcept { return reinterpret_cast<Bucket*>(memory_->data())[number]; }

  // The two buckets of an id: by the lower halves of two hashes. They may be the same one.
  std::pair<Bucket*, Bucket*> buckets_of(std::uint64_t id) const noexcept {
    const std::uint64_t hash = mix64(id);
    return {&bucket(hash & (buckets_ - 1)), &bucket((hash >> 32) & (buckets_ - 1))};
  }

  Occurrences* find(std::uint64_t id) const noexcept {
    if (buckets_ == 0) return nullptr;
    const auto [one, other] = buckets_of(id);
    for (Bucket* bucket : {one, other})
      for (Occurrences& cell : bucket->cells)
        if (cell.id == id) return &cell;
    return nullptr;
  }

  static std::ptrdiff_t empty_cells(const Bucket& bucket) noexcept {
    return std::count_if(std::begin(bucket.cells), std::end(bucket.cells), [](const auto& cell) { return cell.id == 0; });
  }

  // Who is forgotten first. No two are alike, so that it does not depend on the order in a bucket.
  static std::tuple<std::uint32_t, std::uint16_t, std::uint64_t> age(const Occurrences& cell) noexcept {
    return {cell.time, cell.count, cell.id};
  }

  void clear(Occurrences& cell) noexcept {
    cell = {};
    --size_;
  }

  std::size_t buckets_;
  std::unique_ptr<Region> memory_;
  std::size_t size_ = 0, puts_ = 0;
};

}  // namespace feedmill::table
