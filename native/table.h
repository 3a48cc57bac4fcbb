// The collisionless embedding table (Monolith, arXiv 2209.07663, section 2.1): a row for every admitted feature id, its
// vector and Adagrad accumulators side by side. Arrays in, arrays out.
//
// Threads: any number of readers beside any number of writers. `writer_` admits one writer at a time; it plans beside
// the readers (what it reads only a writer changes) and changes rows under the gate, which readers hold for one whole
// call. So a lookup sees the table as it was between two updates, never half a row and never half an update.
//
// Results depend on the sequence of calls alone: never on where a row lies, how large an index is, or the iteration
// order of a hash table.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "table_file.h"
#include "table_gate.h"
#include "table_mix.h"
#include "table_plan.h"
#include "table_rules.h"
#include "table_state.h"

namespace feedmill::table {

// A gradient beyond this is a diverged model's. Squares of sums below it stay finite, so no row can ever turn NaN.
inline constexpr float kLargestGradient = 1e15f;

struct TableStats {
  std::size_t rows;
  std::size_t waiting;        // ids that have occurred and have no row yet
  std::size_t bytes;          // reserved in all
  std::size_t learned_bytes;  // of the vectors and accumulators of the rows
  double load;                // rows over cells of the index
};

class Table {
 public:
  Table(std::uint64_t seed, SlotRules rules) : seed_(seed), rules_(std::move(rules)), state_(empty_state()) {}

  const SlotRules& rules() const noexcept { return rules_; }

  // out: [ids, dimension].
  void lookup(std::span<const std::uint64_t> ids, std::uint32_t dimension, float* out) const {
    const std::uint32_t g = rules_.group_of(dimension);
    rules_.check_ids(ids, g);
    gate_.read([&] {
      const Group& group = state_.groups[g];
      group.visit_rows(ids, [&](std::size_t k, std::uint32_t row) {
        if (row == kNoRow)
          std::fill_n(out + k * dimension, dimension, 0.0f);
        else
          std::copy_n(group.rows.values(row), dimension, out + k * dimension);
      });
    });
  }

  // out: [offsets - 1, dimension].
  void pooled_lookup(std::span<const std::uint64_t> ids, std::span<const std::int64_t> offsets, bool mean,
                     std::uint32_t dimension, float* out) const {
    const std::uint32_t g = rules_.group_of(dimension);
    rules_.check_ids(ids, g);
    check_offsets(ids, offsets);
    const std::size_t bags = offsets.size() - 1;
    std::size_t begun = 0;
    const auto begin_next = [&] { std::fill_n(out + begun++ * dimension, dimension, 0.0f); };
    gate_.read([&] {
      const Group& group = state_.groups[g];
      group.visit_rows(ids, [&](std::size_t k, std::uint32_t row) {
        while (offsets[begun] <= static_cast<std::int64_t>(k)) begin_next();
        if (row != kNoRow) add_columns(out + (begun - 1) * dimension, group.rows.values(row), dimension);
      });
    });
    while (begun < bags) begin_next();
    if (!mean) return;
    for (std::size_t bag = 0; bag < bags; ++bag) {
      const auto length = static_cast<float>(offsets[bag + 1] - offsets[bag]);
      if (length < 2) continue;
      for (std::size_t i = bag * dimension; i < (bag + 1) * dimension; ++i) out[i] /= length;
    }
  }

  // gradients: [offsets - 1, dimension]. Throws before anything has changed, or not at all.
  void update(std::span<const std::uint64_t> ids, std::span<const std::int64_t> offsets, const float* gradients,
              std::uint32_t dimension, bool mean, std::int64_t now) {
    const std::uint32_t g = rules_.group_of(dimension);
    rules_.check_ids(ids, g);
    check_offsets(ids, offsets);
    check_gradients(gradients, offsets.size() - 1, dimension);
    check_time(now);
    std::lock_guard only_writer(writer_);
    plan_.gather(ids);
    plan_.sum(offsets, gradients, dimension, mean);
    find_planned(g);
    admit_planned();
    Larger larger = larger_for_planned(g);
    state_.counts.reserve(plan_.waiting);
    gate_.write([&] {
      RowSlabs& rows = state_.groups[g].rows;
      change_planned(g, larger, now, [&](const SlotRule& rule, std::uint32_t row, const float* gradient) {
        adagrad(rule, gradient, rows.values(row), rows.accumulators(row));
      });
    });
  }

  // vectors: [ids, dimension]. Rows become what is given, and those that are not there are made; of an id that stands
  // twice the last counts. Throws before anything has changed, or not at all.
  void put(std::span<const std::uint64_t> ids, const float* vectors, std::uint32_t dimension, std::int64_t now) {
    const std::uint32_t g = rules_.group_of(dimension);
    rules_.check_ids(ids, g);
    check_vectors(vectors, ids.size(), dimension);
    check_time(now);
    std::lock_guard only_writer(writer_);
    plan_.gather(ids);
    plan_.take_last(vectors, dimension);
    find_planned(g);
    admit_all_planned();
    Larger larger = larger_for_planned(g);
    gate_.write([&] {
      change_planned(g, larger, now, [&](const SlotRule&, std::uint32_t row, const float* vector) {
        std::copy_n(vector, dimension, state_.groups[g].rows.values(row));
      });
    });
  }

  // Drops rows, and counts of ids without one, whose slot's time to live has passed; the number of rows dropped.
  std::size_t expire(std::int64_t now) {
    check_time(now);
    std::lock_guard only_writer(writer_);
    const auto is_old = [&](std::uint64_t id, std::int64_t time) {
      const auto& time_to_live = rules_[id].time_to_live;
      return time_to_live && now - time >= *time_to_live;
    };
    std::vector<std::pair<Group*, std::uint32_t>> old;
    for (std::uint32_t g = 0; g < state_.groups.size(); ++g) {
      if (!rules_.any_expires(g)) continue;
      Group& group = state_.groups[g];
      group.rows.for_each([&](std::uint32_t row) {
        if (is_old(group.rows.header(row).id, group.rows.header(row).time)) old.emplace_back(&group, row);
      });
    }
    OccurrenceCounts kept =
        state_.counts.filtered([&](std::uint64_t id, std::int64_t time) { return !is_old(id, time); });
    gate_.write([&] {
      state_.counts = std::move(kept);
      for (const auto& [group, row] : old) {
        group->index.erase(fingerprint(group->rows.header(row).id), row);
        group->rows.release(row);
      }
    });
    return old.size();
  }

  // The ids whose rows changed after version `since`, the longest unchanged first.
  std::vector<std::uint64_t> touched(std::uint64_t since) const {
    return gate_.read([&] {
      if (since > state_.version)
        throw std::invalid_argument("since is " + std::to_string(since) + ", but the table is at version " +
                                    std::to_string(state_.version) + ": it is a version of another table");
      std::vector<std::uint64_t> ids;
      state_.visit_touched(since, [&](std::uint64_t, std::uint32_t group, std::uint32_t row) {
        ids.push_back(state_.groups[group].rows.header(row).id);
      });
      return ids;
    });
  }

  std::uint64_t version() const {
    return gate_.read([&] { return state_.version; });
  }
  std::size_t size() const {
    return gate_.read([&] { return state_.rows(); });
  }

  TableStats stats() const {
    std::lock_guard only_writer(writer_);
    TableStats stats{state_.rows(), state_.counts.size(), 0, 0, 0.0};
    stats.bytes = plan_.bytes() + state_.counts.bytes() + state_.touches.bytes();
    std::size_t cells = 0;
    for (const Group& group : state_.groups) {
      stats.bytes += group.index.bytes() + group.rows.bytes();
      stats.learned_bytes += group.index.size() * (group.rows.row_bytes() - sizeof(RowHeader));
      cells += group.index.capacity();
    }
    if (cells != 0) stats.load = static_cast<double>(stats.rows) / static_cast<double>(cells);
    return stats;
  }

  // Writes `head` and then the state to a file. Updates wait meanwhile; lookups do not.
  void write(int file, std::string_view head) const {
    std::lock_guard only_writer(writer_);
    FileWriter out(file);
    out.write(head.data(), head.size());
    state_.write(out);
    out.finish();
  }

  // Reads what `write` wrote, the `head_bytes` of its head included, which the caller has judged already.
  // Throws invalid_argument when the file is damaged, and then the table is as before.
  void read(int file, std::size_t head_bytes) {
    FileReader in(file);
    std::vector<std::byte> head(head_bytes);
    in.read(head.data(), head.size());
    State state = empty_state();
    state.read(in, rules_);
    in.finish();
    std::lock_guard only_writer(writer_);
    gate_.write([&] { std::swap(state_, state); });
  }

 private:
  // What must be replaced before an update fits.
  struct Larger {
    std::optional<RowIndex> index;
    std::optional<TouchLog> touches;
  };

  State empty_state() const {
    State state;
    for (const std::uint32_t dimension : rules_.dimensions()) state.groups.emplace_back(dimension);
    return state;
  }

  static void check_offsets(std::span<const std::uint64_t> ids, std::span<const std::int64_t> offsets) {
    if (offsets.empty() || offsets.front() != 0) throw std::invalid_argument("offsets must begin with 0");
    for (std::size_t bag = 1; bag < offsets.size(); ++bag)
      if (offsets[bag] < offsets[bag - 1])
        throw std::invalid_argument("offsets[" + std::to_string(bag) + "] is less than the one before it");
    if (offsets.back() != static_cast<std::int64_t>(ids.size()))
      throw std::invalid_argument("offsets end at " + std::to_string(offsets.back()) + ", but there are " +
                                  std::to_string(ids.size()) + " ids");
  }

  static void check_gradients(const float* gradients, std::size_t bags, std::uint32_t dimension) {
    const std::size_t size = bags * dimension;
    int good = 1;
    for (std::size_t i = 0; i < size; ++i) good &= std::fabs(gradients[i]) <= kLargestGradient;
    if (good) return;
    std::size_t i = 0;
    while (std::fabs(gradients[i]) <= kLargestGradient) ++i;
    throw std::invalid_argument("gradients[" + std::to_string(i / dimension) + ", " + std::to_string(i % dimension) +
                                "] is " + std::to_string(gradients[i]) + ": it must be finite and within 1e15");
  }

  static void check_vectors(const float* vectors, std::size_t ids, std::uint32_t dimension) {
    for (std::size_t i = 0; i < ids * dimension; ++i)
      if (!std::isfinite(vectors[i]))
        throw std::invalid_argument("vectors[" + std::to_string(i / dimension) + ", " +
                                    std::to_string(i % dimension) + "] is " + std::to_string(vectors[i]) +
                                    ": it must be finite");
  }

  static void check_time(std::int64_t now) {
    if (!is_time(now))
      throw std::invalid_argument("now is " + std::to_string(now) + ", which is no time in UTC milliseconds");
  }

  void find_planned(std::uint32_t g) {
    plan_.rows.resize(plan_.ids.size());
    state_.groups[g].visit_rows(plan_.ids, [&](std::size_t u, std::uint32_t row) { plan_.rows[u] = row; });
  }

  void admit_all_planned() noexcept {
    plan_.admitted = static_cast<std::size_t>(std::count(plan_.rows.begin(), plan_.rows.end(), kNoRow));
    plan_.waiting = 0;
    std::replace(plan_.rows.begin(), plan_.rows.end(), kNoRow, kToAdmit);
  }

  Larger larger_for_planned(std::uint32_t g) const {
    const Group& group = state_.groups[g];
    Larger larger;
    if (!group.index.has_room(plan_.admitted)) larger.index = group.index.grown(plan_.admitted);
    const std::size_t touches = plan_.ids.size() - plan_.waiting;
    if (!state_.touches.has_room(touches)) larger.touches = state_.remade_touches(touches);
    return larger;
  }

  // Decides which ids without a row get one. Where one must wait, its occurrences become its new count.
  void admit_planned() {
    plan_.admitted = 0;
    plan_.waiting = 0;
    for (std::size_t u = 0; u < plan_.ids.size(); ++u) {
      if (plan_.rows[u] != kNoRow) continue;
      const SlotRule& rule = rules_[plan_.ids[u]];
      const std::uint64_t before = rule.admission > 1 ? state_.counts.count(plan_.ids[u]) : 0;
      const std::uint64_t seen = before + plan_.occurrences[u];
      if (seen >= rule.admission) {
        plan_.rows[u] = kToAdmit;
        ++plan_.admitted;
      } else {
        plan_.occurrences[u] = static_cast<std::uint32_t>(seen);
        ++plan_.waiting;
      }
    }
  }

  // `change(rule, row, values)` for every row, with what the plan has for it.
  template <class Change>
  void change_planned(std::uint32_t g, Larger& larger, std::int64_t now, Change change) {
    constexpr std::size_t kAhead = 8;
    Group& group = state_.groups[g];
    group.rows.reserve(plan_.admitted);  // the last thing that can fail
    if (larger.index) group.index = std::move(*larger.index);
    if (larger.touches) state_.touches = std::move(*larger.touches);
    ++state_.version;
    if (plan_.ids.size() > plan_.waiting) state_.touches.begin(state_.version, g);
    for (std::size_t u = 0; u < plan_.ids.size(); ++u) {
      if (u + kAhead < plan_.ids.size() && plan_.rows[u + kAhead] < kToAdmit)
        group.rows.prefetch_row(plan_.rows[u + kAhead]);
      const std::uint64_t id = plan_.ids[u];
      std::uint32_t row = plan_.rows[u];
      if (row == kNoRow) {
        state_.counts.set(id, plan_.occurrences[u], now);
        continue;
      }
      const SlotRule& rule = rules_[id];
      if (row == kToAdmit) {
        row = start_row(group, rule, id, now);
        if (rule.admission > 1) state_.counts.erase(id);
      }
      change(rule, row, &plan_.values[u * group.rows.dimension()]);
      RowHeader& header = group.rows.header(row);
      header.version = state_.version;
      header.time = std::max(header.time, now);
      state_.touches.add(row);
    }
  }

  std::uint32_t start_row(Group& group, const SlotRule& rule, std::uint64_t id, std::int64_t now) noexcept {
    const std::uint32_t row = group.rows.allocate();
    group.index.insert(fingerprint(id), row);
    group.rows.header(row) = {id, state_.version, now};
    const std::uint64_t key = stream_key(seed_, id);
    float* values = group.rows.values(row);
    float* accumulators = group.rows.accumulators(row);
    for (std::uint32_t c = 0; c < group.rows.dimension(); ++c) {
      values[c] = rule.initial_scale[c] * signed_unit(key, c);
      accumulators[c] = rule.initial_accumulator[c];
    }
    return row;
  }

  // Duchi, Hazan and Singer (2011), the diagonal case.
  static void adagrad(const SlotRule& rule, const float* __restrict gradient, float* __restrict values,
                      float* __restrict accumulators) noexcept {
    const float* __restrict learning_rate = rule.learning_rate.data();
    const float* __restrict l2 = rule.l2.data();
    const std::size_t dimension = rule.l2.size();
    for (std::size_t c = 0; c < dimension; ++c) {
      const float g = gradient[c] + l2[c] * values[c];
      const float accumulator = accumulators[c] + g * g;
      accumulators[c] = accumulator;
      values[c] -= learning_rate[c] * g / std::sqrt(accumulator);
    }
  }

  std::uint64_t seed_;
  SlotRules rules_;
  State state_;
  Plan plan_;  // of the writer
  mutable std::mutex writer_;
  Gate gate_;
};

}  // namespace feedmill::table
