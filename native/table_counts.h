// How often an id that has no row yet has occurred: open addressing over 16-byte cells.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <vector>

#include "table_mix.h"

namespace feedmill::table {

inline constexpr std::uint32_t kMostAdmission = (1u << 16) - 1;

class OccurrenceCounts {
 public:
  OccurrenceCounts() : OccurrenceCounts(kSmallestBits) {}

  std::size_t size() const noexcept { return size_; }
  std::size_t bytes() const noexcept { return cells_.size() * sizeof(Cell); }

  // Makes the next `more` new ids fit. Throws bad_alloc, and then nothing has changed.
  void reserve(std::size_t more) {
    int bits = bits_;
    while (size_ + more > limit(std::size_t{1} << bits)) ++bits;
    if (bits != bits_) *this = rebuilt(bits, [](const Cell&) { return true; });
  }

  std::uint32_t count(std::uint64_t id) const noexcept { return cells_[find(id)].count; }

  // Sets the count of an id; its time only moves forward. A new id needs room.
  void set(std::uint64_t id, std::uint32_t count, std::uint32_t time) noexcept {
    Cell& cell = cells_[find(id)];
    if (cell.id == 0) ++size_;
    cell = {id, count, std::max(time, cell.time)};
  }

  // Forgets an id, if it is known.
  void erase(std::uint64_t id) noexcept {
    std::size_t hole = find(id);
    if (cells_[hole].id == 0) return;
    const std::size_t mask = cells_.size() - 1;
    for (std::size_t at = (hole + 1) & mask; cells_[at].id != 0; at = (at + 1) & mask) {
      const std::size_t from_home = (at - home(cells_[at].id)) & mask;
      if (from_home >= ((at - hole) & mask)) {
        cells_[hole] = cells_[at];
        hole = at;
      }
    }
    cells_[hole] = Cell{};
    --size_;
  }

  // A copy, no larger than it must be, of the ids for which `keep(id, time)` holds. Throws bad_alloc.
  template <class Keep>
  OccurrenceCounts filtered(Keep keep) const {
    const auto kept = [&](const Cell& cell) { return keep(cell.id, cell.time); };
    const auto size = static_cast<std::size_t>(
        std::count_if(cells_.begin(), cells_.end(), [&](const Cell& cell) { return cell.id != 0 && kept(cell); }));
    int bits = kSmallestBits;
    while (size > limit(std::size_t{1} << bits)) ++bits;
    return rebuilt(bits, kept);
  }

  // `visit(id, count, time)` in the order of the ids.
  template <class Visit>
  void for_each_sorted(Visit visit) const {
    std::vector<Cell> sorted;
    sorted.reserve(size_);
    std::copy_if(cells_.begin(), cells_.end(), std::back_inserter(sorted), [](const Cell& c) { return c.id != 0; });
    std::sort(sorted.begin(), sorted.end(), [](const Cell& a, const Cell& b) { return a.id < b.id; });
    for (const Cell& cell : sorted) visit(cell.id, cell.count, cell.time);
  }

 private:
  static constexpr int kSmallestBits = 4;

  struct Cell {
    std::uint64_t id = 0;  // 0: empty
    std::uint32_t count = 0;
    std::uint32_t time = 0;  // seconds since 1970
  };

  explicit OccurrenceCounts(int bits) : bits_(bits), cells_(std::size_t{1} << bits) {}

  static std::size_t limit(std::size_t capacity) noexcept { return capacity / 4 * 3; }
  std::size_t home(std::uint64_t id) const noexcept { return mix64(id) >> (64 - bits_); }

  // Where the id is, or the empty cell where it belongs.
  std::size_t find(std::uint64_t id) const noexcept {
    std::size_t at = home(id);
    while (cells_[at].id != 0 && cells_[at].id != id) at = (at + 1) & (cells_.size() - 1);
    return at;
  }

  template <class Keep>
  OccurrenceCounts rebuilt(int bits, Keep keep) const {
    OccurrenceCounts result(bits);
    for (const Cell& cell : cells_) {
      if (cell.id == 0 || !keep(cell)) continue;
      result.cells_[result.find(cell.id)] = cell;
      ++result.size_;
    }
    return result;
  }

  int bits_;
  std::size_t size_ = 0;
  std::vector<Cell> cells_;
};

}  // namespace feedmill::table
