// A consistent snapshot beside updates: the rows as they were when it began.
//
// Segments of the index are written one after another, each under the writer's lock for as long as it takes to copy it. A
// writer who is about to change a row that has not been written, and that is as old as the snapshot, keeps a copy of it
// first (copy on write, row by row). So an update waits for one segment at most, and memory grows by the rows that
// change meanwhile.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "table_mix.h"
#include "table_rules.h"
#include "table_state.h"

namespace feedmill::table {

// All is done under the writer's lock.
class SnapshotPass {
 public:
  bool active() const noexcept { return active_; }

  void begin(const State& state) noexcept {
    active_ = true;
    version_ = state.version();
    next_hash_ = 0;
    done_ = false;
  }
  void end() noexcept {
    active_ = false;
    kept_ = {};
  }

  // To be called before a row changes or goes. Throws bad_alloc. What has been kept of rows that do not change after all
  // must be forgotten again: `forget(kept())`, with what `kept` said before.
  void keep(const State& state, std::uint64_t id, std::uint32_t group, std::uint32_t row) {
    if (!active_ || done_ || mix64(id) < next_hash_ || !is_due(state, group, row)) return;
    state.append_row(kept_, id, group, row);
  }

  std::size_t kept() const noexcept { return kept_.size(); }
  void forget(std::size_t after) noexcept { kept_.resize(after); }

  // The rows of the next segment, in the order of their hashes, and those that have been kept since; whether there are
  // more to come. Throws bad_alloc.
  bool take(const State& state, const SlotRules& rules, std::vector<std::byte>& out) {
    out = std::exchange(kept_, {});
    if (done_) return false;
    state.index.visit_segments(next_hash_, [&](const IndexSegment& segment, std::uint64_t, std::uint64_t last) {
      found_.clear();
      state.index.visit_segment(segment, [&](std::uint64_t id, std::uint32_t row) {
        // A segment may have grown together with one that has been written.
        const std::uint64_t hash = mix64(id);
        if (hash >= next_hash_ && is_due(state, rules[id].group, row)) found_.push_back({hash, id, row});
      });
      std::sort(found_.begin(), found_.end(), [](const Found& a, const Found& b) { return a.hash < b.hash; });
      for (const Found& each : found_) state.append_row(out, each.id, rules[each.id].group, each.row);
      done_ = last == UINT64_MAX;
      next_hash_ = last + 1;
      return false;
    });
    return true;
  }

 private:
  struct Found {
    std::uint64_t hash, id;
    std::uint32_t row;
  };

  bool is_due(const State& state, std::uint32_t group, std::uint32_t row) const noexcept {
    return state.version_of(state.groups[group]->end(row)) <= version_;
  }

  bool active_ = false, done_ = false;
  std::uint64_t version_ = 0;
  std::uint64_t next_hash_ = 0;
  std::vector<std::byte> kept_;
  std::vector<Found> found_;
};

}  // namespace feedmill::table
