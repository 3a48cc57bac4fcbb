// What a table knows, and how it is written to a file and read back.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include "table_counts.h"
#include "table_epochs.h"
#include "table_file.h"
#include "table_index.h"
#include "table_rows.h"
#include "table_rules.h"

namespace feedmill::table {

class State {
 public:
  State(const SlotRules& rules, Storage storage, Epochs& epochs)
      : index(epochs), counts(rules.any_waits() ? rules.waiting : 0), epochs_(epochs) {
    for (const Layout& layout : rules.layouts())
      groups.push_back(std::make_unique<RowSlabs>(
          layout.dimension, storage == Storage::float32 ? layout.state : 0, storage));
  }

  Index index;
  std::vector<std::unique_ptr<RowSlabs>> groups;
  OccurrenceCounts counts;  // of ids without a row

  std::uint64_t version() const noexcept { return version_.load(std::memory_order_acquire); }
  std::uint64_t version_of(const RowEnd& end) const noexcept { return base_ + end.version; }

  // What rows carry for the version that comes next: few bits, from a base that moves on each 2^26 updates. Then what has
  // not changed for as long counts as changed when the base began.
  std::uint32_t begin_version() noexcept {
    if (version() + 1 - base_ > kMostVersion) rebase(kRebase);
    return static_cast<std::uint32_t>(version() + 1 - base_);
  }
  void end_version() noexcept { version_.store(version() + 1, std::memory_order_release); }

  // `visit(id)` for every id whose row has changed after version `since`.
  template <class Visit>
  void visit_touched(std::uint64_t since, const SlotRules& rules, Visit visit) const {
    const std::int64_t beside = since < base_ ? -1 : static_cast<std::int64_t>(since - base_);
    index.visit_touched(beside, [&](std::uint64_t id, std::uint32_t row) {
      if (static_cast<std::int64_t>(groups[rules[id].group]->end(row).version) > beside) visit(id);
    });
  }

  // The row must be in no index any more. It is used again once all readers have gone who may have found it.
  // There must be room (`retired.reserve`).
  void retire(std::uint32_t group, std::uint32_t row) noexcept { retired_.push_back({epochs_.mark(), group, row}); }
  void reserve_retired(std::size_t rows) { retired_.reserve(retired_.size() + rows); }

  void reclaim() noexcept {
    index.reclaim();
    if (retired_.empty()) return;
    const std::uint64_t oldest = epochs_.oldest();
    std::erase_if(retired_, [&](const Retired& retired) {
      if (oldest <= retired.mark) return false;
      groups[retired.group]->release(retired.row);
      return true;
    });
    if (retired_.empty())
      for (const auto& rows : groups) rows->give_back();
  }

  std::size_t bytes() const noexcept {
    std::size_t bytes = index.bytes() + counts.bytes() + retired_.capacity() * sizeof(Retired);
    for (const auto& rows : groups) bytes += rows->bytes();
    return bytes;
  }

  // A row as it stands in a file: id, version, time, vector, state. It must be one of float32.
  void append_row(std::vector<std::byte>& out, std::uint64_t id, std::uint32_t group, std::uint32_t row) const {
    const RowSlabs& rows = *groups[group];
    const FileRow head{id, version_of(rows.end(row)), rows.end(row).time};
    const std::size_t start = out.size();
    out.resize(start + sizeof head + rows.learned_bytes());
    std::byte* at = out.data() + start;
    std::memcpy(at, &head, sizeof head);
    std::memcpy(at + sizeof head, rows.vector(row), rows.dimension() * sizeof(float));
    std::memcpy(at + sizeof head + rows.dimension() * sizeof(float), rows.state(row), rows.state() * sizeof(float));
  }

  // Ids that wait, as they stand in a file.
  static void write_counts(FileWriter& out, std::vector<Occurrences> counts) {
    std::sort(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
    for (const Occurrences& each : counts) out.write(FileCount{each.id, each.count, each.second, each.time});
  }

  // Into a state that has nothing. Throws invalid_argument where the file makes no sense; that it makes sense is no proof
  // before the reader's `finish`.
  void read(FileReader& in, const SlotRules& rules) {
    const auto version = in.read<std::uint64_t>();
    const auto n_rows = in.read<std::uint64_t>();
    const auto n_counts = in.read<std::uint64_t>();
    version_.store(version, std::memory_order_relaxed);
    base_ = version >= kMostVersion ? version - kRebase : 0;
    // They come in the order of their hashes. Their number is to be believed only as far as the file can hold them.
    index.reserve(std::min<std::uint64_t>(n_rows, in.file_bytes() / sizeof(FileRow)));
    std::vector<float> vector, learned;
    for (std::uint64_t r = 0; r < n_rows; ++r) {
      const auto head = in.read<FileRow>();
      if (!rules.knows(head.id) || head.version == 0 || head.version > version || !is_time(head.time))
        throw std::invalid_argument("it holds an impossible row: the file has been altered");
      if (index.find(head.id) != kNoRow)
        throw std::invalid_argument("it holds a row twice: the file has been altered");
      const std::uint32_t group = rules[head.id].group;
      RowSlabs& rows = *groups[group];
      rows.reserve(1);
      const std::uint32_t row = rows.allocate();
      vector.resize(rows.dimension());
      in.read(vector.data(), rows.dimension() * sizeof(float));
      rows.publish(row, vector.data());
      learned.resize(rules.layouts()[group].state);
      in.read(learned.data(), learned.size() * sizeof(float));
      std::copy_n(learned.data(), rows.state(), rows.state(row));
      const auto beside = static_cast<std::uint32_t>(head.version > base_ ? head.version - base_ : 0);
      rows.end(row) = {beside, static_cast<std::uint32_t>(head.time)};
      index.insert(head.id, row, beside);
    }
    for (std::uint64_t c = 0; c < n_counts; ++c) {
      const auto waiting = in.read<FileCount>();
      if (!rules.knows(waiting.id) || waiting.count == 0 || waiting.count > kMostAdmission || waiting.second > 1 ||
          !is_time(waiting.time) || counts.count(waiting.id) != 0)
        throw std::invalid_argument("it holds an impossible count: the file has been altered");
      if (rules.any_waits())
        counts.put({waiting.id, static_cast<std::uint16_t>(waiting.count), static_cast<std::uint16_t>(waiting.second),
                    static_cast<std::uint32_t>(waiting.time)});
    }
  }

 private:
  struct FileRow {
    std::uint64_t id, version;
    std::int64_t time;
  };
  struct FileCount {
    std::uint64_t id;
    std::uint32_t count, second;
    std::int64_t time;
  };
  struct Retired {
    std::uint64_t mark;
    std::uint32_t group, row;
  };

  static bool is_time(std::int64_t seconds) noexcept { return seconds >= 0 && seconds <= UINT32_MAX; }

  void rebase(std::uint32_t by) noexcept {
    index.rebase(by);
    for (const auto& rows : groups) rows->rebase(by);
    base_ += by;
  }

  static constexpr std::uint32_t kRebase = 1u << 26;

  Epochs& epochs_;
  std::atomic<std::uint64_t> version_{0};
  std::uint64_t base_ = 0;
  std::vector<Retired> retired_;
};

}  // namespace feedmill::table
