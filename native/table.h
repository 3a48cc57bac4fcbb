// The collisionless embedding table (Monolith, arXiv 2209.07663, section 2.1): a row for every admitted feature id, its
// vector and the state of its optimizers. Arrays in, arrays out.
//
// Threads: any number of readers beside any number of writers. Readers take no lock: they pin the epoch for one call, find
// rows in an index whose cells are atomic, and copy each vector under a sequence number. So a lookup sees every row
// whole, as it was before or after an update, and rows of one update may be seen before others of it. `writer_` admits
// one writer at a time.
//
// Results depend on the sequence of calls alone: never on where a row lies, how large an index is, or the order of a
// hash table.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "table_checks.h"
#include "table_file.h"
#include "table_find.h"
#include "table_mix.h"
#include "table_plan.h"
#include "table_rules.h"
#include "table_snapshot.h"
#include "table_state.h"

namespace feedmill::table {

struct TableStats {
  std::size_t rows;
  std::size_t waiting;        // ids that have occurred and have no row yet
  std::size_t bytes;          // in use in all
  std::size_t learned_bytes;  // of the vectors and optimizer states of the rows
  std::size_t huge_bytes;     // of `bytes`: on huge pages
  double load;                // rows over cells of the index
};

class Table {
 public:
  // Where vectors are not float32, the table is a copy to serve from: it takes no updates, and writes no file.
  Table(std::uint64_t seed, SlotRules rules, Storage storage = Storage::float32, Kernel kernel = best_kernel())
      : find_many_(finder(kernel)),
        learn_(learner(kernel)),
        seed_(seed),
        storage_(storage),
        rules_(std::move(rules)),
        state_(std::make_unique<State>(rules_, storage_, epochs_)),
        current_(state_.get()) {}

  const SlotRules& rules() const noexcept { return rules_; }

  // out: [ids, dimension].
  void lookup(std::span<const std::uint64_t> ids, std::uint32_t dimension, float* out, unsigned threads = 1) const {
    rules_.check_ids(ids, dimension);
    in_parallel(threads, ids.size(), [&](std::size_t first, std::size_t last) {
      lookup_some(ids.subspan(first, last - first), dimension, out + first * dimension);
    });
  }

  // out: [offsets - 1, dimension].
  void pooled_lookup(std::span<const std::uint64_t> ids, std::span<const std::int64_t> offsets, bool mean,
                     std::uint32_t dimension, float* out, unsigned threads = 1) const {
    rules_.check_ids(ids, dimension);
    check_offsets(ids, offsets);
    in_parallel(threads, offsets.size() - 1, [&](std::size_t first, std::size_t last) {
      pool_some(ids, offsets.subspan(first, last - first + 1), mean, dimension, out + first * dimension);
    });
  }

  // gradients: [offsets - 1, dimension]; now: seconds since 1970. Throws before anything has changed, or not at all.
  void update(std::span<const std::uint64_t> ids, std::span<const std::int64_t> offsets, const float* gradients,
              std::uint32_t dimension, bool mean, std::uint32_t now, unsigned threads = 1) {
    rules_.check_ids(ids, dimension);
    check_offsets(ids, offsets);
    check_gradients(gradients, offsets.size() - 1, dimension);
    check_learns();
    std::lock_guard only_writer(writer_);
    plan_.gather(ids);
    plan_.sum(offsets, gradients, dimension, mean, rules_.any_clips());
    check_sums(plan_.values, plan_.ids, dimension);
    const std::uint32_t version = begin_change();
    admit_planned();
    prepare_planned(version, now);
    change_planned(version, now, threads, dimension,
                   [&](const SlotRule& rule, RowSlabs& rows, std::uint32_t row, float* gradient, float* next) {
                     std::copy_n(rows.vector(row), dimension, next);
                     learn_(rule, gradient, next, rows.state(row));
                     rows.publish(row, next);
                   });
  }

  // vectors: [ids, dimension]. Rows become what is given, and those that are not there are made; of an id that stands
  // twice the last counts. Throws before anything has changed, or not at all.
  void put(std::span<const std::uint64_t> ids, const float* vectors, std::uint32_t dimension, std::uint32_t now) {
    rules_.check_ids(ids, dimension);
    check_vectors(vectors, ids.size(), dimension);
    std::lock_guard only_writer(writer_);
    plan_.gather(ids);
    plan_.take_last(vectors, dimension);
    const std::uint32_t version = begin_change();
    admit_all_planned();
    prepare_planned(version, now);
    change_planned(version, now, 1, dimension,
                   [](const SlotRule&, RowSlabs& rows, std::uint32_t row, const float* vector, float*) {
                     rows.publish(row, vector);
                   });
  }

  // Drops rows, and counts of ids without one, whose slot's time to live has passed; the number of rows dropped. Looks at
  // about so many rows, going on where the last call stopped; at all where that many are asked for.
  std::size_t expire(std::uint32_t now, std::size_t most) {
    std::lock_guard only_writer(writer_);
    State& state = *state_;
    if (!rules_.any_expires()) return 0;
    if (most >= state.index.size()) expired_to_ = 0;
    const auto is_old = [&](std::uint64_t id, std::uint32_t time) {
      const auto& time_to_live = rules_[id].time_to_live;
      return time_to_live && now >= time && now - time >= *time_to_live;
    };
    std::size_t looked_at = 0, dropped = 0;
    std::vector<std::pair<std::uint64_t, std::uint32_t>> old;
    state.index.visit_segments(expired_to_, [&](const IndexSegment& segment, std::uint64_t first, std::uint64_t last) {
      old.clear();
      state.index.visit_segment(segment, [&](std::uint64_t id, std::uint32_t row) {
        ++looked_at;
        if (is_old(id, state.groups[rules_[id].group]->end(row).time)) old.emplace_back(id, row);
      });
      state.reserve_retired(old.size());
      keep_for_snapshot(old);
      for (const auto& [id, row] : old) {
        state.index.erase(id);
        state.retire(rules_[id].group, row);
      }
      dropped += old.size();
      expired_to_ = last + 1;
      if (!old.empty()) state.index.shrink(segment, first);
      return looked_at < most;
    });
    if (expired_to_ == 0) state.counts.forget(is_old);
    state.reclaim();
    state.index.forget_free_pages();
    return dropped;
  }

  // The ids whose rows changed after version `since`, in the order of their ids.
  std::vector<std::uint64_t> touched(std::uint64_t since) const {
    std::vector<std::uint64_t> ids;
    {
      std::lock_guard only_writer(writer_);
      if (since > state_->version())
        throw std::invalid_argument("since is " + std::to_string(since) + ", but the table is at version " +
                                    std::to_string(state_->version()) + ": it is a version of another table");
      state_->visit_touched(since, rules_, [&](std::uint64_t id) { ids.push_back(id); });
    }
    std::sort(ids.begin(), ids.end());
    return ids;
  }

  std::uint64_t version() const noexcept {
    const Epochs::Pin pin = epochs_.pin();
    return current_.load()->version();
  }
  std::size_t size() const noexcept {
    const Epochs::Pin pin = epochs_.pin();
    return current_.load()->index.size();
  }

  TableStats stats() const {
    const HugePages pages;
    std::lock_guard only_writer(writer_);
    const State& state = *state_;
    TableStats stats{state.index.size(), state.counts.size(), state.bytes() + plan_.bytes(), 0, 0, 0.0};
    stats.huge_bytes = state.index.huge_bytes(pages);
    for (const auto& rows : state.groups) {
      stats.learned_bytes += rows->size() * rows->learned_bytes();
      stats.huge_bytes += rows->huge_bytes(pages);
    }
    stats.load = static_cast<double>(stats.rows) / static_cast<double>(state.index.cells());
    return stats;
  }

  // Writes `head` and then the state of this moment to a file, beside updates and lookups; calls `begun` when no change
  // that begins from then on is in it any more.
  void write(int file, std::string_view head, const std::function<void()>& begun) const {
    check_learns();
    std::lock_guard only_snapshot(snapshooter_);
    FileWriter out(file);
    out.write(head.data(), head.size());
    std::vector<Occurrences> counts;
    {
      std::lock_guard only_writer(writer_);
      counts = state_->counts.all();
      out.write<std::uint64_t>(state_->version());
      out.write<std::uint64_t>(state_->index.size());
      out.write<std::uint64_t>(counts.size());
      snapshot_.begin(*state_);
    }
    try {
      begun();
      std::vector<std::byte> rows;
      for (bool more = true; more;) {
        {
          std::lock_guard only_writer(writer_);
          more = snapshot_.take(*state_, rules_, rows);
          if (!more) snapshot_.end();
        }
        out.write(rows.data(), rows.size());
      }
    } catch (...) {
      std::lock_guard only_writer(writer_);
      snapshot_.end();
      throw;
    }
    State::write_counts(out, std::move(counts));
    out.finish();
  }

  // Reads what `write` wrote, the `head_bytes` of its head included, which the caller has judged already.
  // Throws invalid_argument when the file is damaged, and then the table is as before.
  void read(int file, std::size_t head_bytes) {
    FileReader in(file);
    std::vector<std::byte> head(head_bytes);
    in.read(head.data(), head.size());
    auto state = std::make_unique<State>(rules_, storage_, epochs_);
    state->read(in, rules_);
    in.finish();
    std::lock_guard only_snapshot(snapshooter_);
    std::lock_guard only_writer(writer_);
    current_.store(state.get());
    std::swap(state_, state);
    expired_to_ = 0;
    const std::uint64_t mark = epochs_.mark();
    while (epochs_.oldest() <= mark) std::this_thread::yield();
  }

 private:
  void check_learns() const {
    if (storage_ != Storage::float32)
      throw std::invalid_argument("the table is a copy to serve from, whose vectors are rounded: it takes rows with"
                                  " `put` or `restore`; to learn, and for snapshots, make one that stores float32");
  }

  void lookup_some(std::span<const std::uint64_t> ids, std::uint32_t dimension, float* out) const {
    const Epochs::Pin pin = epochs_.pin();
    const State& state = *current_.load();
    const auto group = rules_.only_group(dimension);
    std::array<std::uint32_t, kChunk> found;
    for (std::size_t start = 0; start < ids.size(); start += kChunk, out += kChunk * dimension) {
      const auto some = ids.subspan(start, std::min(kChunk, ids.size() - start));
      find_many_(state.index, some.data(), some.size(), found.data());
      if (group)
        state.groups[*group]->copy_many(found.data(), some.size(), out);
      else
        copy_mixed(state, some, found.data(), dimension, out);
    }
  }

  // The vectors of ids whose slots are of one dimension, but keep different state, and so lie in different slabs.
  void copy_mixed(const State& state, std::span<const std::uint64_t> ids, const std::uint32_t* rows,
                  std::uint32_t dimension, float* out) const {
    const auto slabs_of = [&](std::size_t k) -> const RowSlabs& { return *state.groups[rules_[ids[k]].group]; };
    for (std::size_t k = 0; k < ids.size(); ++k, out += dimension) {
      if (k + kAhead < ids.size() && rows[k + kAhead] != kNoRow) slabs_of(k + kAhead).prefetch_vector(rows[k + kAhead]);
      if (rows[k] == kNoRow)
        std::fill_n(out, dimension, 0.0f);
      else
        slabs_of(k).copy(rows[k], out);
    }
  }

  // The bags between these offsets into all ids.
  void pool_some(std::span<const std::uint64_t> all, std::span<const std::int64_t> offsets, bool mean,
                 std::uint32_t dimension, float* out) const {
    const std::size_t bags = offsets.size() - 1;
    const auto start = static_cast<std::size_t>(offsets.front());
    const auto ids = all.subspan(start, static_cast<std::size_t>(offsets.back()) - start);
    std::size_t begun = 0;
    const auto begin_next = [&] { std::fill_n(out + begun++ * dimension, dimension, 0.0f); };
    std::vector<float> vectors(kChunk * dimension);
    for (std::size_t at = 0; at < ids.size(); at += kChunk) {
      const auto some = ids.subspan(at, std::min(kChunk, ids.size() - at));
      lookup_some(some, dimension, vectors.data());
      for (std::size_t k = 0; k < some.size(); ++k) {
        while (offsets[begun] <= static_cast<std::int64_t>(start + at + k)) begin_next();
        add_columns(out + (begun - 1) * dimension, &vectors[k * dimension], dimension);
      }
    }
    while (begun < bags) begin_next();
    if (!mean) return;
    for (std::size_t bag = 0; bag < bags; ++bag) {
      const auto length = static_cast<float>(offsets[bag + 1] - offsets[bag]);
      if (length < 2) continue;
      for (std::size_t i = bag * dimension; i < (bag + 1) * dimension; ++i) out[i] /= length;
    }
  }

  static std::size_t threads_for(std::size_t threads, std::size_t items, std::size_t least = 4096) noexcept {
    return std::clamp<std::size_t>(items / least, 1, std::max<std::size_t>(threads, 1));
  }

  // `action(first, last)` for the parts of so many items, each on a thread of its own, but not for too few.
  template <class Action>
  static void in_parallel(std::size_t threads, std::size_t items, Action action, std::size_t least = 4096) {
    threads = threads_for(threads, items, least);
    std::vector<std::jthread> others;
    for (std::size_t t = 1; t < threads; ++t)
      others.emplace_back([=] { action(items * t / threads, items * (t + 1) / threads); });
    action(0, items / threads);
  }

  // Finds the rows of the plan, and says that they change in the version that comes next, which rows will carry as this.
  std::uint32_t begin_change() {
    State& state = *state_;
    state.reclaim();
    const std::uint32_t version = state.begin_version();
    const std::size_t n = plan_.ids.size();
    plan_.rows.resize(n);
    for (std::size_t start = 0; start < n; start += kChunk) {
      const std::size_t end = std::min(start + kChunk, n);
      find_many_(state.index, &plan_.ids[start], end - start, &plan_.rows[start]);
      for (std::size_t u = start; u < end; ++u)
        if (plan_.rows[u] != kNoRow) state.index.touch(plan_.ids[u], version);
    }
    return version;
  }

  void admit_all_planned() noexcept {
    plan_.admitted = static_cast<std::size_t>(std::count(plan_.rows.begin(), plan_.rows.end(), kNoRow));
    plan_.waiting = 0;
    std::replace(plan_.rows.begin(), plan_.rows.end(), kNoRow, kToAdmit);
  }

  // Decides which ids without a row get one. Where one must wait, its occurrences become its new count.
  void admit_planned() noexcept {
    plan_.admitted = 0;
    plan_.waiting = 0;
    for (std::size_t u = 0; u < plan_.ids.size(); ++u) {
      if (plan_.rows[u] != kNoRow) continue;
      const SlotRule& rule = rules_[plan_.ids[u]];
      if (rule.always_admits() || (rule.admission > 1 ? is_enough(rule, u) : is_drawn(rule, u))) {
        plan_.rows[u] = kToAdmit;
        ++plan_.admitted;
      } else if (rule.admission > 1) {
        ++plan_.waiting;
      }
    }
  }

  bool is_enough(const SlotRule& rule, std::size_t u) noexcept {
    const std::uint64_t seen = std::uint64_t{state_->counts.count(plan_.ids[u])} + plan_.occurrences[u];
    if (seen >= rule.admission) return true;
    plan_.occurrences[u] = static_cast<std::uint32_t>(seen);
    return false;
  }

  // A pure function of the seed, the id and the version, so that who goes over a log again admits the same.
  bool is_drawn(const SlotRule& rule, std::size_t u) const noexcept {
    double refused = 1.0;
    for (std::uint32_t i = 0; i < plan_.occurrences[u] && refused > 1e-12; ++i)
      refused *= 1.0 - rule.admission_probability;
    const std::uint64_t word = mix64(stream_key(~seed_, plan_.ids[u]) + (state_->version() + 1) * kGolden);
    return static_cast<double>(word >> 11) * 0x1p-53 >= refused;
  }

  // Everything that can fail: room, copies for a snapshot, and rows for the admitted ids, which start from their initial
  // vectors. Where it fails they are gone again.
  void prepare_planned(std::uint32_t version, std::uint32_t now) {
    constexpr std::size_t kInsertAhead = 16;
    State& state = *state_;
    if (plan_.admitted == 0 && !snapshot_.active()) return;
    state.reserve_retired(plan_.admitted);
    reserve_rows();
    std::vector<float> vector;
    admitted_.clear();
    admitted_.reserve(plan_.admitted);
    const std::size_t kept = snapshot_.kept();
    try {
      if (snapshot_.active())
        for (std::size_t u = 0; u < plan_.ids.size(); ++u)
          if (plan_.rows[u] < kToAdmit) snapshot_.keep(state, plan_.ids[u], rules_[plan_.ids[u]].group, plan_.rows[u]);
      for (std::size_t u = 0; u < plan_.ids.size(); ++u) {
        if (u + kInsertAhead < plan_.ids.size()) state.index.prefetch(mix64(plan_.ids[u + kInsertAhead]));
        if (plan_.rows[u] != kToAdmit) continue;
        const std::uint64_t id = plan_.ids[u];
        const SlotRule& rule = rules_[id];
        RowSlabs& rows = *state.groups[rule.group];
        vector.resize(rows.dimension());
        const std::uint32_t row = rows.allocate();
        rule.start_vector(seed_, id, vector.data());
        if (storage_ == Storage::float32) rule.start_state(rows.state(row));
        rows.publish(row, vector.data());
        rows.end(row) = {version, now};
        admitted_.push_back({u, row});
        state.index.insert(id, row, version);
      }
    } catch (...) {
      snapshot_.forget(kept);
      for (const auto& [u, row] : admitted_) {
        if (state.index.find(plan_.ids[u]) != kNoRow) state.index.erase(plan_.ids[u]);
        state.retire(rules_[plan_.ids[u]].group, row);
      }
      throw;
    }
    for (const auto& [u, row] : admitted_) plan_.rows[u] = row;
    for (const auto& [u, row] : admitted_) state.counts.erase(plan_.ids[u]);
  }

  void reserve_rows() {
    for (std::uint32_t g = 0; g < state_->groups.size(); ++g) {
      const auto own = std::count_if(plan_.ids.begin(), plan_.ids.end(), [&, u = std::size_t{0}](std::uint64_t id) mutable {
        return plan_.rows[u++] == kToAdmit && rules_[id].group == g;
      });
      state_->groups[g]->reserve(static_cast<std::size_t>(own));
    }
  }

  // `change(rule, rows, row, values, buffer)` for every row, with what the plan has for it.
  template <class Change>
  void change_planned(std::uint32_t version, std::uint32_t now, unsigned threads, std::uint32_t dimension,
                      Change change) {
    State& state = *state_;
    // Rows are shared out by their sequences, of which no two threads may write one.
    const std::size_t shares = threads_for(threads, plan_.ids.size());
    in_parallel(shares, shares, [&](std::size_t share, std::size_t) {
      change_share(version, now, share, shares, dimension, change);
    }, 1);
    for (std::size_t u = 0; state.counts.size() + plan_.waiting != 0 && u < plan_.ids.size(); ++u)
      if (plan_.rows[u] == kNoRow && rules_[plan_.ids[u]].admission > 1)
        state.counts.set(plan_.ids[u], plan_.occurrences[u], now);
    state.end_version();
  }

  template <class Change>
  void change_share(std::uint32_t version, std::uint32_t now, std::size_t share, std::size_t shares,
                    std::uint32_t dimension, Change& change) {
    constexpr std::size_t kAhead = 16;  // each of a row is two or more lines
    State& state = *state_;
    std::vector<float> buffer(dimension);
    const std::size_t n = plan_.ids.size();
    const auto is_ours = [&](std::uint32_t row) {
      return row != kNoRow && (shares == 1 || Sequences::number_of(row) % shares == share);
    };
    for (std::size_t u = 0; u < n; ++u) {
      if (u + kAhead < n && is_ours(plan_.rows[u + kAhead])) {
        const RowSlabs& rows = *state.groups[rules_[plan_.ids[u + kAhead]].group];
        rows.prefetch_vector(plan_.rows[u + kAhead]);
        rows.prefetch_tail(plan_.rows[u + kAhead]);
      }
      const std::uint32_t row = plan_.rows[u];
      if (!is_ours(row)) continue;
      const SlotRule& rule = rules_[plan_.ids[u]];
      RowSlabs& rows = *state.groups[rule.group];
      change(rule, rows, row, plan_.values + u * dimension, buffer.data());
      RowEnd& end = rows.end(row);
      end = {version, std::max(end.time, now)};
    }
  }

  void keep_for_snapshot(const std::vector<std::pair<std::uint64_t, std::uint32_t>>& rows) {
    const std::size_t kept = snapshot_.kept();
    try {
      for (const auto& [id, row] : rows) snapshot_.keep(*state_, id, rules_[id].group, row);
    } catch (...) {
      snapshot_.forget(kept);
      throw;
    }
  }

  struct Admitted {
    std::size_t place;  // in the plan
    std::uint32_t row;
  };

  FindMany find_many_;
  Learn learn_;
  std::uint64_t seed_;
  Storage storage_;
  SlotRules rules_;
  mutable Epochs epochs_;
  std::unique_ptr<State> state_;
  std::atomic<State*> current_;  // what readers read
  Plan plan_;                    // of the writer, and what follows
  std::vector<Admitted> admitted_;
  std::uint64_t expired_to_ = 0;  // the hash at which expiry goes on
  mutable SnapshotPass snapshot_;
  mutable std::mutex writer_;
  mutable std::mutex snapshooter_;  // taken before `writer_`
};

}  // namespace feedmill::table
