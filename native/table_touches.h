// Which rows which update changed, in order: what `touched(since)` is answered from.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace feedmill::table {

// A list of row numbers, cut into updates. An entry is stale when its row has changed again or is gone. A list without
// room is replaced by a copy without stale entries and with as much room again: constant time a touch in the mean.
class TouchLog {
 public:
  std::size_t bytes() const noexcept {
    return rows_.capacity() * sizeof(std::uint32_t) + marks_.capacity() * sizeof(Mark);
  }

  bool has_room(std::size_t touches) const noexcept {
    return rows_.size() + touches <= rows_.capacity() && marks_.size() < marks_.capacity();
  }

  // A copy with room for an update of that many touches, of the entries for which `is_current(version, group, row)`
  // holds, `current` in number; built aside so that readers go on meanwhile. Throws bad_alloc.
  template <class IsCurrent>
  TouchLog remade(std::size_t current, std::size_t touches, IsCurrent is_current) const {
    TouchLog result;
    result.rows_.resize(2 * current + touches + kSlack);
    std::size_t kept = 0;
    for_each_since(0, [&](std::uint64_t version, std::uint32_t group, std::uint32_t row) {
      if (result.marks_.empty() || result.marks_.back().version != version) {
        if (!result.marks_.empty() && result.marks_.back().begin == kept) result.marks_.pop_back();
        result.marks_.push_back({version, kept, group});
      }
      // Whether an entry is stale is anybody's guess, so nothing branches on it.
      result.rows_[kept] = row;
      kept += is_current(version, group, row);
    });
    if (!result.marks_.empty() && result.marks_.back().begin == kept) result.marks_.pop_back();
    result.rows_.resize(kept);
    result.marks_.reserve(2 * result.marks_.size() + kSlack);
    return result;
  }

  // What is added from here on belongs to this update, of rows of this group. Both need room.
  void begin(std::uint64_t version, std::uint32_t group) noexcept {
    marks_.push_back({version, rows_.size(), group});
  }
  void add(std::uint32_t row) noexcept { rows_.push_back(row); }

  // `visit(version, group, row)` for every entry of an update after `since`, in order, stale ones included.
  template <class Visit>
  void for_each_since(std::uint64_t since, Visit visit) const {
    auto mark = std::upper_bound(marks_.begin(), marks_.end(), since,
                                 [](std::uint64_t version, const Mark& m) { return version < m.version; });
    for (; mark != marks_.end(); ++mark) {
      const std::size_t end = mark + 1 == marks_.end() ? rows_.size() : (mark + 1)->begin;
      for (std::size_t at = mark->begin; at < end; ++at) visit(mark->version, mark->group, rows_[at]);
    }
  }

 private:
  static constexpr std::size_t kSlack = 256;

  struct Mark {
    std::uint64_t version;
    std::size_t begin;
    std::uint32_t group;
  };

  std::vector<std::uint32_t> rows_;
  std::vector<Mark> marks_;
};

}  // namespace feedmill::table
