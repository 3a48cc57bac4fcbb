// From a feature id to the number of its row: open addressing over 8-byte cells.
//
// A cell holds 32 bits of the id's hash and 32 bits of row number; the id itself stands in the row, which a lookup
// reads anyway. The home of a cell is the top bits of its hash, so the index grows by one sequential pass that reads no
// row. Linear probing keeps a probe within a cache line or two; erasing shifts back, so there are no tombstones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

#include "table_mix.h"

namespace feedmill::table {

inline constexpr std::uint32_t kNoRow = UINT32_MAX;

inline std::uint32_t fingerprint(std::uint64_t id) noexcept { return static_cast<std::uint32_t>(mix64(id) >> 32); }

class RowIndex {
 public:
  RowIndex() : RowIndex(kSmallestBits) {}

  std::size_t size() const noexcept { return size_; }
  std::size_t capacity() const noexcept { return cells_.size(); }
  std::size_t bytes() const noexcept { return cells_.size() * sizeof(std::uint64_t); }

  bool has_room(std::size_t more) const noexcept { return size_ + more <= limit(cells_.size()); }

  // A copy with room for `more` rows, built aside so that readers go on meanwhile. Throws bad_alloc.
  RowIndex grown(std::size_t more) const {
    int bits = bits_;
    while (size_ + more > limit(std::size_t{1} << bits)) ++bits;
    if (bits > 32) throw std::bad_alloc();
    RowIndex result(bits);
    for (const std::uint64_t cell : cells_)
      if (cell != 0) result.place(cell);
    result.size_ = size_;
    return result;
  }

  void prefetch(std::uint32_t hash) const noexcept { __builtin_prefetch(&cells_[home(hash)]); }

  // The first row under this hash, which need not be the row of the id: two ids may share 32 bits. kNoRow if none.
  std::uint32_t candidate(std::uint32_t hash) const noexcept {
    return find(hash, [](std::uint32_t) { return true; });
  }

  // The row under this hash for which `is_it(row)` holds, or kNoRow.
  template <class IsIt>
  std::uint32_t find(std::uint32_t hash, IsIt is_it) const noexcept {
    for (std::size_t at = home(hash);; at = next(at)) {
      const std::uint64_t cell = cells_[at];
      if (cell == 0) return kNoRow;
      if (hash_of(cell) == hash && is_it(row_of(cell))) return row_of(cell);
    }
  }

  // The id must not be there yet, and there must be room.
  void insert(std::uint32_t hash, std::uint32_t row) noexcept {
    place((static_cast<std::uint64_t>(hash) << 32) | (row + 1u));
    ++size_;
  }

  // The row must be there under this hash.
  void erase(std::uint32_t hash, std::uint32_t row) noexcept {
    std::size_t hole = home(hash);
    while (hash_of(cells_[hole]) != hash || row_of(cells_[hole]) != row) hole = next(hole);
    const std::size_t mask = cells_.size() - 1;
    for (std::size_t at = next(hole); cells_[at] != 0; at = next(at)) {
      const std::size_t from_home = (at - home(hash_of(cells_[at]))) & mask;
      if (from_home >= ((at - hole) & mask)) {
        cells_[hole] = cells_[at];
        hole = at;
      }
    }
    cells_[hole] = 0;
    --size_;
  }

 private:
  static constexpr int kSmallestBits = 4;

  explicit RowIndex(int bits) : bits_(bits), cells_(std::size_t{1} << bits, 0) {}

  // A cell of 0 is empty, so row numbers are stored plus one.
  static std::uint32_t hash_of(std::uint64_t cell) noexcept { return static_cast<std::uint32_t>(cell >> 32); }
  static std::uint32_t row_of(std::uint64_t cell) noexcept { return static_cast<std::uint32_t>(cell) - 1u; }

  // At three quarters an unsuccessful probe reads 8.5 cells in the mean, about one cache line (Knuth, vol. 3, 6.4).
  static std::size_t limit(std::size_t capacity) noexcept { return capacity / 4 * 3; }

  std::size_t home(std::uint32_t hash) const noexcept { return hash >> (32 - bits_); }
  std::size_t next(std::size_t at) const noexcept { return (at + 1) & (cells_.size() - 1); }

  void place(std::uint64_t cell) noexcept {
    std::size_t at = home(hash_of(cell));
    while (cells_[at] != 0) at = next(at);
    cells_[at] = cell;
  }

  int bits_;
  std::size_t size_ = 0;
  std::vector<std::uint64_t> cells_;
};

}  // namespace feedmill::table
