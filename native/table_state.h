// What a table knows, and how it is written to a file and read back.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <vector>

#include "table_counts.h"
#include "table_file.h"
#include "table_index.h"
#include "table_rows.h"
#include "table_rules.h"
#include "table_touches.h"

namespace feedmill::table {

// The rows of all slots of one dimension.
struct Group {
  explicit Group(std::uint32_t dimension) : rows(dimension) {}

  // `visit(position, row)` for every id in order, kNoRow where it has none. An id's index cell is asked for two strides
  // ahead, its row one.
  template <class Visit>
  void visit_rows(std::span<const std::uint64_t> ids, Visit visit) const {
    constexpr std::size_t kStride = 16;
    constexpr std::size_t kRing = 64;  // at least two strides and one
    std::array<std::uint32_t, kRing> hashes;
    std::array<std::uint32_t, kRing> found;
    for (std::size_t k = 0; k < ids.size() + 2 * kStride; ++k) {
      if (k < ids.size()) {
        const std::uint32_t hash = hashes[k % kRing] = fingerprint(ids[k]);
        index.prefetch(hash);
      }
      if (k >= kStride && k - kStride < ids.size()) {
        const std::size_t at = (k - kStride) % kRing;
        found[at] = index.candidate(hashes[at]);
        if (found[at] != kNoRow) rows.prefetch_values(found[at]);
      }
      if (k >= 2 * kStride) {
        const std::size_t position = k - 2 * kStride;
        const std::uint64_t id = ids[position];
        std::uint32_t row = found[position % kRing];
        const auto is_it = [&](std::uint32_t other) { return rows.header(other).id == id; };
        if (row != kNoRow && !is_it(row)) row = index.find(hashes[position % kRing], is_it);
        visit(position, row);
      }
    }
  }

  RowIndex index;
  RowSlabs rows;
};

struct State {
  std::vector<Group> groups;
  OccurrenceCounts counts;  // of ids without a row
  TouchLog touches;
  std::uint64_t version = 0;

  std::size_t rows() const noexcept {
    std::size_t rows = 0;
    for (const Group& group : groups) rows += group.index.size();
    return rows;
  }

  // `visit(version, group, row)` for every row changed after version `since`, the longest unchanged first.
  template <class Visit>
  void visit_touched(std::uint64_t since, Visit visit) const {
    touches.for_each_since(since, [&](std::uint64_t version, std::uint32_t group, std::uint32_t row) {
      if (is_current(version, group, row)) visit(version, group, row);
    });
  }

  TouchLog remade_touches(std::size_t more) const {
    return touches.remade(rows(), more, [&](std::uint64_t version, std::uint32_t group, std::uint32_t row) {
      return is_current(version, group, row);
    });
  }

  // Rows in the order of their last change, counts in the order of their ids: equal states write equal bytes.
  void write(FileWriter& out) const {
    out.write<std::uint64_t>(version);
    out.write<std::uint64_t>(rows());
    out.write<std::uint64_t>(counts.size());
    visit_touched(0, [&](std::uint64_t, std::uint32_t group, std::uint32_t row) {
      out.write(groups[group].rows.row(row), groups[group].rows.row_bytes());
    });
    counts.for_each_sorted([&](std::uint64_t id, std::uint64_t count, std::int64_t time) {
      out.write(id);
      out.write(count);
      out.write(time);
    });
  }

  // Into a state that has its groups and nothing else. Throws invalid_argument where the file makes no sense; that it
  // makes sense is no proof before the reader's `finish`.
  void read(FileReader& in, const SlotRules& rules) {
    version = in.read<std::uint64_t>();
    const auto n_rows = in.read<std::uint64_t>();
    const auto n_counts = in.read<std::uint64_t>();
    RowHeader last{};
    for (std::uint64_t r = 0; r < n_rows; ++r) {
      const auto header = in.read<RowHeader>();
      const bool same_update = header.version == last.version;
      if (!rules.knows(header.id) || header.version < last.version || header.version == 0 ||
          header.version > version || (same_update && rules[header.id].group != rules[last.id].group) ||
          !is_time(header.time))
        throw std::invalid_argument("it holds an impossible row: the file has been altered");
      add_row(in, header, rules[header.id].group, !same_update);
      last = header;
    }
    for (std::uint64_t c = 0; c < n_counts; ++c) {
      const auto id = in.read<std::uint64_t>();
      const auto count = in.read<std::uint64_t>();
      const auto time = in.read<std::int64_t>();
      if (!rules.knows(id) || count == 0 || count > kMostAdmission || !is_time(time))
        throw std::invalid_argument("it holds an impossible count: the file has been altered");
      counts.reserve(1);
      counts.set(id, static_cast<std::uint32_t>(count), time);
    }
  }

 private:
  bool is_current(std::uint64_t version, std::uint32_t group, std::uint32_t row) const noexcept {
    return groups[group].rows.header(row).version == version;
  }

  void add_row(FileReader& in, const RowHeader& header, std::uint32_t g, bool begins_update) {
    Group& group = groups[g];
    const std::uint32_t hash = fingerprint(header.id);
    if (group.index.find(hash, [&](std::uint32_t row) { return group.rows.header(row).id == header.id; }) != kNoRow)
      throw std::invalid_argument("it holds a row twice: the file has been altered");
    if (!group.index.has_room(1)) group.index = group.index.grown(1);
    if (!touches.has_room(1)) touches = remade_touches(1);
    group.rows.reserve(1);
    const std::uint32_t row = group.rows.allocate();
    group.rows.header(row) = header;
    in.read(group.rows.values(row), group.rows.row_bytes() - sizeof(RowHeader));
    group.index.insert(hash, row);
    if (begins_update) touches.begin(header.version, g);
    touches.add(row);
  }
};

}  // namespace feedmill::table
