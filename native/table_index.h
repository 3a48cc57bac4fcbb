// From a feature id to the number of its row: an extendible directory of segments of buckets.
//
// A bucket is a cache line: five ids, the five rows that they have, and the last version in which one of them changed. So
// the row that a find reads in the index is the right one, and no id need be kept beside the vectors. The top bits of an
// id's hash choose the segment; others choose two buckets of it, and the id stands in the first of them or, where that
// was full, in the second (cuckoo hashing with buckets; Pagh and Rodler, 2004; Dietzfelbinger and Weidling, 2007). A
// bucket counts the ids that had to go to their second, so that a find reads another line only where one did.
//
// A segment is at most fourteen pages of 128 buckets. One that is 90 % full is replaced by one of a page more, or by two
// halves; so the load stays near 85 %, and no insert waits for more to be moved than the ids of a segment, at most eight
// thousand. Erasing empties a cell: there are no tombstones.
//
// Threads: one writer; any number of readers who hold a pin of the table's epochs.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "table_bucket.h"
#include "table_epochs.h"
#include "table_memory.h"
#include "table_mix.h"
#include "table_rows.h"

namespace feedmill::table {

struct IndexSegment;

class Index {
 public:
  // Where an id is looked for first.
  struct Probe {
    const Bucket* bucket;
    const IndexSegment* segment;
    std::uint32_t number;  // of the bucket in the segment
  };
  // A cell of a bucket, for the writer.
  struct Place {
    IndexSegment* segment;
    std::uint32_t bucket, cell;
  };

  explicit Index(Epochs& epochs);
  Index(const Index&) = delete;
  Index& operator=(const Index&) = delete;
  ~Index();

  std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }
  std::size_t cells() const noexcept { return pages_in_use_ * kPageBuckets * Bucket::kCells; }
  std::size_t bytes() const noexcept;
  std::size_t huge_bytes(const HugePages& pages) const noexcept { return pages_.huge_bytes(pages, forgotten_); }

  // The first step of a find: asks for the bucket.
  Probe prefetch(std::uint64_t hash) const noexcept;

  // The bucket that an id stands in if not in the first.
  const Bucket* second(std::uint64_t id) const noexcept;

  // The row of an id, or kNoRow.
  std::uint32_t find(std::uint64_t id) const noexcept;

  // Says that the row of an id changes in this version. The id must be there, and its buckets should be in a cache.
  void touch(std::uint64_t id, std::uint32_t version) noexcept;

  // The id must not be there. Throws bad_alloc, and then it still is not.
  void insert(std::uint64_t id, std::uint32_t row, std::uint32_t version);

  // Prepares an empty index for so many ids, in whatever order they come. One that grows by itself must not be given ids in
  // the order of their hashes: all would fall into one segment. Throws bad_alloc.
  void reserve(std::size_t ids);

  // The id must be there.
  void erase(std::uint64_t id) noexcept;

  // Segments in the order of their hashes, each once, from the one that holds this hash on, as long as
  // `visit(segment, first, last)` says so: all its hashes lie from first to last. It may erase from the segment.
  template <class Visit>
  void visit_segments(std::uint64_t from, Visit visit) const;

  // `visit(id, row)` for every id of a segment, in no order.
  template <class Visit>
  void visit_segment(const IndexSegment& segment, Visit visit) const;

  // `visit(id, row)` for ids whose rows may have changed after this version, in no order.
  template <class Visit>
  void visit_touched(std::int64_t since, Visit visit) const;

  // Frees the pages that a segment no longer needs after many have been erased from it.
  // `first` is the first hash of the segment.
  void shrink(const IndexSegment& segment, std::uint64_t first);

  // Gives the memory of free pages back to the system, where they are more than those in use.
  void forget_free_pages() noexcept;

  // Subtracts from all versions; those below become 0.
  void rebase(std::uint32_t by) noexcept;

  // What readers have left is used again.
  void reclaim() noexcept;

 private:
  friend struct IndexSegment;
  struct Entry {
    std::uint64_t id;
    std::uint32_t row, version;
  };
  struct Directory {
    explicit Directory(int bits) : bits(bits), segments(std::size_t{1} << bits) {}
    std::size_t entry_of(std::uint64_t hash) const noexcept { return bits == 0 ? 0 : hash >> (64 - bits); }
    int bits;
    std::vector<std::atomic<IndexSegment*>> segments;
  };
  struct Retired {
    std::uint64_t mark;
    std::unique_ptr<IndexSegment> segment;
  };

  static constexpr std::uint32_t kPageBuckets = 128;
  static constexpr std::uint32_t kMostPages = 14;
  static constexpr std::uint32_t kPageCells = kPageBuckets * Bucket::kCells;

  // At nine tenths of this many cells a segment is full.
  static constexpr std::uint32_t limit(std::uint32_t pages) noexcept { return pages * kPageCells / 10 * 9; }
  static constexpr std::uint32_t pages_for(std::uint32_t ids) noexcept {
    std::uint32_t pages = 1;
    while (limit(pages) < ids + ids / 32) ++pages;
    return pages;
  }

  Probe probe(std::uint64_t hash) const noexcept;
  static Bucket* bucket(const IndexSegment& segment, std::uint32_t number) noexcept;
  static std::uint32_t home(const IndexSegment& segment, std::uint64_t hash) noexcept;
  static std::uint32_t second_home(const IndexSegment& segment, std::uint64_t hash) noexcept;
  static std::uint32_t cell_of(const Bucket& bucket, std::uint64_t id) noexcept;
  Place find_place(std::uint64_t id) const noexcept;
  std::uint32_t take_page();
  std::unique_ptr<IndexSegment> make_segment(std::uint32_t pages, int bits);
  void give_back(IndexSegment& segment) noexcept;
  void set(IndexSegment& segment, std::uint32_t number, std::uint32_t cell, const Entry& entry) noexcept;
  bool make_room(IndexSegment& segment, std::uint64_t hash, std::uint32_t& number, std::uint32_t& cell) noexcept;
  void move(IndexSegment& segment, std::uint32_t from, std::uint32_t from_cell, std::uint32_t to,
            std::uint32_t to_cell) noexcept;
  bool place(IndexSegment& segment, const Entry& entry) noexcept;
  bool place_all(IndexSegment& segment, const std::vector<Entry>& entries) noexcept;
  std::vector<Entry> entries_of(const IndexSegment& segment) const;
  void enlarge(const IndexSegment& segment, std::uint64_t hash);
  std::unique_ptr<IndexSegment> make_half(const std::vector<Entry>& entries, int bits);
  void replace(const IndexSegment& old, std::uint64_t hash, std::unique_ptr<IndexSegment> low, std::unique_ptr<IndexSegment> high);
  void deepen();

  Epochs& epochs_;
  Blocks pages_{kPageBuckets * sizeof(Bucket)};
  std::vector<std::uint32_t> free_pages_;
  std::size_t forgotten_ = 0;  // of the free pages, from the first: have no memory
  std::size_t pages_in_use_ = 0;
  std::size_t segments_ = 0;
  std::vector<std::unique_ptr<Directory>> directories_;  // former ones are kept: all of them are as large as the last
  std::atomic<Directory*> directory_{nullptr};
  std::vector<Retired> retired_;
  std::atomic<std::size_t> size_{0};
};

// What readers need of it stands in its first two lines.
struct alignas(64) IndexSegment {
  std::uint32_t buckets = 0;
  // Odd while ids are moved from one bucket to another, when who does not find one must look again.
  std::atomic<std::uint32_t> moves{0};
  std::array<Bucket*, Index::kMostPages> pages{};
  std::uint32_t size = 0;
  int bits = 0;  // how many bits of the hash chose it
  std::array<std::uint32_t, Index::kMostPages> blocks{};    // which the pages are
  std::array<std::uint32_t, Index::kMostPages> versions{};  // of each page: the latest of its buckets
};

inline std::uint32_t Index::home(const IndexSegment& segment, std::uint64_t hash) noexcept {
  return static_cast<std::uint32_t>(((hash & UINT32_MAX) * segment.buckets) >> 32);
}

inline std::uint32_t Index::second_home(const IndexSegment& segment, std::uint64_t hash) noexcept {
  const auto number = static_cast<std::uint32_t>((((hash * kGolden) >> 32) * segment.buckets) >> 32);
  if (number != home(segment, hash)) return number;
  return number + 1 == segment.buckets ? 0 : number + 1;
}

inline Bucket* Index::bucket(const IndexSegment& segment, std::uint32_t number) noexcept {
  return segment.pages[number / kPageBuckets] + number % kPageBuckets;
}

inline Index::Probe Index::probe(std::uint64_t hash) const noexcept {
  const Directory& directory = *directory_.load();
  const IndexSegment* segment = directory.segments[directory.entry_of(hash)].load();
  const std::uint32_t number = home(*segment, hash);
  return {bucket(*segment, number), segment, number};
}

inline Index::Probe Index::prefetch(std::uint64_t hash) const noexcept {
  const Probe found = probe(hash);
  prefetch_line(found.bucket);
  return found;
}

inline const Bucket* Index::second(std::uint64_t id) const noexcept {
  const std::uint64_t hash = mix64(id);
  const IndexSegment& segment = *probe(hash).segment;
  return bucket(segment, second_home(segment, hash));
}

// kCells where the bucket does not have it.
inline std::uint32_t Index::cell_of(const Bucket& bucket, std::uint64_t id) noexcept {
  std::uint32_t cell = 0;
  while (cell < Bucket::kCells && bucket.ids[cell].load(std::memory_order_acquire) != id) ++cell;
  return cell;
}

inline std::uint32_t Index::find(std::uint64_t id) const noexcept {
  const std::uint64_t hash = mix64(id);
  for (;;) {
    const Probe first = probe(hash);
    const std::uint32_t moves = first.segment->moves.load(std::memory_order_acquire);
    const Bucket* here = first.bucket;
    std::uint32_t cell = cell_of(*here, id);
    if (cell == Bucket::kCells && here->any_away()) {
      here = bucket(*first.segment, second_home(*first.segment, hash));
      cell = cell_of(*here, id);
    }
    if (cell < Bucket::kCells) {
      const std::uint32_t row = here->rows[cell].load(std::memory_order_acquire);
      // Unless the cell has been given to another id in between, this is the row.
      if (here->ids[cell].load(std::memory_order_relaxed) == id) return row;
    } else {
      std::atomic_thread_fence(std::memory_order_acquire);
      if (moves % 2 == 0 && first.segment->moves.load(std::memory_order_relaxed) == moves) return kNoRow;
    }
  }
}

// The writer's. The id must be there.
inline Index::Place Index::find_place(std::uint64_t id) const noexcept {
  const std::uint64_t hash = mix64(id);
  const Probe first = probe(hash);
  auto* segment = const_cast<IndexSegment*>(first.segment);
  if (const std::uint32_t cell = cell_of(*first.bucket, id); cell < Bucket::kCells) return {segment, first.number, cell};
  const std::uint32_t second = second_home(*segment, hash);
  return {segment, second, cell_of(*bucket(*segment, second), id)};
}

inline void Index::touch(std::uint64_t id, std::uint32_t version) noexcept {
  const std::uint64_t hash = mix64(id);
  const Probe first = probe(hash);
  bool here = false;
  for (const auto& other : first.bucket->ids) here |= other.load(std::memory_order_relaxed) == id;
  auto& segment = const_cast<IndexSegment&>(*first.segment);
  const std::uint32_t number = here ? first.number : second_home(segment, hash);
  bucket(segment, number)->raise(version);
  segment.versions[number / kPageBuckets] = version;
}

template <class Visit>
void Index::visit_segments(std::uint64_t from, Visit visit) const {
  for (;;) {
    const Directory& directory = *directory_.load(std::memory_order_relaxed);
    const IndexSegment* segment = directory.segments[directory.entry_of(from)].load(std::memory_order_relaxed);
    const std::uint64_t span = segment->bits == 0 ? UINT64_MAX : (std::uint64_t{1} << (64 - segment->bits)) - 1;
    const std::uint64_t first = from & ~span, last = first | span;
    if (!visit(*segment, first, last) || last == UINT64_MAX) return;
    from = last + 1;
  }
}

template <class Visit>
void Index::visit_segment(const IndexSegment& segment, Visit visit) const {
  for (std::uint32_t at = 0; at < segment.buckets; ++at) {
    const Bucket& here = *bucket(segment, at);
    for (std::uint32_t cell = 0; cell < Bucket::kCells; ++cell)
      if (const std::uint64_t id = here.ids[cell].load(std::memory_order_relaxed); id != 0)
        visit(id, here.rows[cell].load(std::memory_order_relaxed));
  }
}

template <class Visit>
void Index::visit_touched(std::int64_t since, Visit visit) const {
  visit_segments(0, [&](const IndexSegment& segment, std::uint64_t, std::uint64_t) {
    for (std::uint32_t page = 0; page * kPageBuckets < segment.buckets; ++page) {
      if (segment.versions[page] <= since) continue;
      for (std::uint32_t b = 0; b < kPageBuckets; ++b) {
        const Bucket& here = *bucket(segment, page * kPageBuckets + b);
        if (here.version() <= since) continue;
        for (std::uint32_t cell = 0; cell < Bucket::kCells; ++cell)
          if (const std::uint64_t id = here.ids[cell].load(std::memory_order_relaxed); id != 0)
            visit(id, here.rows[cell].load(std::memory_order_relaxed));
      }
    }
    return true;
  });
}

inline Index::Index(Epochs& epochs) : epochs_(epochs) {
  directories_.push_back(std::make_unique<Directory>(0));
  directories_.back()->segments[0].store(make_segment(1, 0).release());
  directory_.store(directories_.back().get());
  segments_ = 1;
}

inline Index::~Index() {
  visit_segments(0, [](const IndexSegment& segment, std::uint64_t, std::uint64_t) {
    delete &segment;
    return true;
  });
}

inline std::size_t Index::bytes() const noexcept {
  std::size_t bytes = pages_.bytes(forgotten_) + free_pages_.capacity() * sizeof(std::uint32_t);
  bytes += (segments_ + retired_.size()) * sizeof(IndexSegment) + retired_.capacity() * sizeof(Retired);
  for (const auto& directory : directories_) bytes += directory->segments.size() * sizeof(IndexSegment*);
  return bytes;
}

inline std::uint32_t Index::take_page() {
  if (free_pages_.empty()) {
    // So that giving it back needs no memory.
    free_pages_.reserve(pages_.size() + 1);
    return pages_.add();
  }
  const std::uint32_t page = free_pages_.back();
  free_pages_.pop_back();
  forgotten_ = std::min(forgotten_, free_pages_.size());
  std::fill_n(pages_[page], kPageBuckets * sizeof(Bucket), std::byte{});
  return page;
}

inline std::unique_ptr<IndexSegment> Index::make_segment(std::uint32_t pages, int bits) {
  auto segment = std::make_unique<IndexSegment>();
  segment->bits = bits;
  try {
    for (std::uint32_t page = 0; page < pages; ++page) {
      segment->blocks[page] = take_page();
      segment->pages[page] = reinterpret_cast<Bucket*>(pages_[segment->blocks[page]]);
      segment->buckets += kPageBuckets;
      ++pages_in_use_;
    }
  } catch (...) {
    give_back(*segment);
    throw;
  }
  return segment;
}

inline void Index::give_back(IndexSegment& segment) noexcept {
  for (std::uint32_t page = 0; page * kPageBuckets < segment.buckets; ++page) {
    free_pages_.push_back(segment.blocks[page]);
    --pages_in_use_;
  }
}

// Readers who look for the id see the row or nothing.
inline void Index::set(IndexSegment& segment, std::uint32_t number, std::uint32_t cell, const Entry& entry) noexcept {
  Bucket& here = *bucket(segment, number);
  here.rows[cell].store(entry.row, std::memory_order_release);
  here.ids[cell].store(entry.id, std::memory_order_release);
  here.raise(entry.version);
  std::uint32_t& of_page = segment.versions[number / kPageBuckets];
  of_page = std::max(of_page, entry.version);
}

// Moves an id from one of its two buckets to the other. It stands in both for a moment; a reader who looked into the one
// before and into the other after has to look again.
inline void Index::move(IndexSegment& segment, std::uint32_t from, std::uint32_t from_cell, std::uint32_t to,
                        std::uint32_t to_cell) noexcept {
  Bucket& source = *bucket(segment, from);
  const std::uint64_t id = source.ids[from_cell].load(std::memory_order_relaxed);
  const bool goes = home(segment, mix64(id)) == from;
  set(segment, to, to_cell, {id, source.rows[from_cell].load(std::memory_order_relaxed), source.version()});
  if (goes) source.one_goes();
  source.ids[from_cell].store(0, std::memory_order_release);
  if (!goes) bucket(segment, to)->one_comes();
}

// Finds an empty cell in one of the two buckets of a hash, or makes one there by moving ids to their other buckets: the
// shortest chain of moves, searched breadth first. Whether there is one.
inline bool Index::make_room(IndexSegment& segment, std::uint64_t hash, std::uint32_t& number,
                             std::uint32_t& cell) noexcept {
  struct Step {
    std::uint32_t bucket;
    std::uint16_t parent;
    std::uint8_t cell;  // of the parent: the id that would move here
  };
  constexpr std::uint16_t kRoot = UINT16_MAX;
  std::array<Step, 512> steps;
  for (std::size_t root = 0; root < 2; ++root) {
    number = root == 0 ? home(segment, hash) : second_home(segment, hash);
    cell = cell_of(*bucket(segment, number), 0);
    if (cell < Bucket::kCells) return true;
    steps[root] = {number, kRoot, 0};
  }
  std::size_t n = 2;
  for (std::size_t at = 0; at < n; ++at) {
    const Bucket& here = *bucket(segment, steps[at].bucket);
    for (std::uint32_t c = 0; c < Bucket::kCells; ++c) {
      const std::uint64_t other = mix64(here.ids[c].load(std::memory_order_relaxed));
      const std::uint32_t first = home(segment, other);
      const std::uint32_t there = first == steps[at].bucket ? second_home(segment, other) : first;
      // A chain must not come back to a bucket that it changes.
      bool known = false;
      for (std::size_t step = at; !known && step != kRoot; step = steps[step].parent) known = steps[step].bucket == there;
      if (known) continue;
      if (const std::uint32_t empty = cell_of(*bucket(segment, there), 0); empty < Bucket::kCells) {
        segment.moves.fetch_add(1, std::memory_order_acq_rel);
        move(segment, steps[at].bucket, c, there, empty);
        number = steps[at].bucket;
        cell = c;
        for (std::size_t step = at; steps[step].parent != kRoot; step = steps[step].parent) {
          const std::uint32_t from = steps[steps[step].parent].bucket;
          move(segment, from, steps[step].cell, number, cell);
          number = from;
          cell = steps[step].cell;
        }
        segment.moves.fetch_add(1, std::memory_order_release);
        return true;
      }
      if (n < steps.size()) steps[n++] = {there, static_cast<std::uint16_t>(at), static_cast<std::uint8_t>(c)};
    }
  }
  return false;
}

// Whether there was room.
inline bool Index::place(IndexSegment& segment, const Entry& entry) noexcept {
  const std::uint64_t hash = mix64(entry.id);
  std::uint32_t number, cell;
  if (!make_room(segment, hash, number, cell)) return false;
  const std::uint32_t first = home(segment, hash);
  if (number != first) bucket(segment, first)->one_goes();
  set(segment, number, cell, entry);
  ++segment.size;
  return true;
}

inline bool Index::place_all(IndexSegment& segment, const std::vector<Entry>& entries) noexcept {
  constexpr std::size_t kAhead = 16;
  for (std::size_t e = 0; e < entries.size(); ++e) {
    if (e + kAhead < entries.size()) prefetch_line(bucket(segment, home(segment, mix64(entries[e + kAhead].id))));
    if (!place(segment, entries[e])) return false;
  }
  return true;
}

inline void Index::insert(std::uint64_t id, std::uint32_t row, std::uint32_t version) {
  const std::uint64_t hash = mix64(id);
  for (bool placed = false; !placed;) {
    auto& segment = const_cast<IndexSegment&>(*probe(hash).segment);
    placed = segment.size < limit(segment.buckets / kPageBuckets) && place(segment, {id, row, version});
    if (!placed) enlarge(segment, hash);
  }
  size_.store(size() + 1, std::memory_order_relaxed);
}

inline void Index::reserve(std::size_t ids) {
  int bits = 0;
  while (ids >> bits > limit(kMostPages) * 3 / 4) ++bits;
  if (bits == 0) return;
  const std::uint32_t pages = pages_for(static_cast<std::uint32_t>(ids >> bits));
  std::vector<std::unique_ptr<IndexSegment>> segments(std::size_t{1} << bits);
  retired_.reserve(retired_.size() + 1);
  try {
    while (directory_.load(std::memory_order_relaxed)->bits < bits) deepen();
    for (auto& segment : segments) segment = make_segment(pages, bits);
  } catch (...) {
    for (auto& segment : segments)
      if (segment) give_back(*segment);
    throw;
  }
  Directory& directory = *directory_.load(std::memory_order_relaxed);
  IndexSegment* old = directory.segments[0].load(std::memory_order_relaxed);
  for (std::size_t entry = 0; entry < segments.size(); ++entry) directory.segments[entry].store(segments[entry].release());
  segments_ = segments.size();
  retired_.push_back({epochs_.mark(), std::unique_ptr<IndexSegment>(old)});
  reclaim();
}

inline void Index::erase(std::uint64_t id) noexcept {
  const auto [segment, number, cell] = find_place(id);
  bucket(*segment, number)->ids[cell].store(0, std::memory_order_release);
  if (const std::uint32_t first = home(*segment, mix64(id)); first != number) bucket(*segment, first)->one_comes();
  --segment->size;
  size_.store(size() - 1, std::memory_order_relaxed);
}

inline std::vector<Index::Entry> Index::entries_of(const IndexSegment& segment) const {
  std::vector<Entry> entries;
  entries.reserve(segment.size);
  for (std::uint32_t at = 0; at < segment.buckets; ++at) {
    const Bucket& here = *bucket(segment, at);
    for (std::uint32_t cell = 0; cell < Bucket::kCells; ++cell)
      if (const std::uint64_t id = here.ids[cell].load(std::memory_order_relaxed); id != 0)
        entries.push_back({id, here.rows[cell].load(std::memory_order_relaxed), here.version()});
  }
  return entries;
}

inline void Index::enlarge(const IndexSegment& segment, std::uint64_t hash) {
  std::vector<Entry> entries = entries_of(segment);
  for (std::uint32_t pages = segment.buckets / kPageBuckets + 1; pages <= kMostPages; ++pages) {
    auto larger = make_segment(pages, segment.bits);
    if (place_all(*larger, entries)) return replace(segment, hash, std::move(larger), nullptr);
    give_back(*larger);
  }
  if (segment.bits == directory_.load(std::memory_order_relaxed)->bits) deepen();
  const auto is_low = [&](const Entry& entry) { return (mix64(entry.id) >> (63 - segment.bits) & 1) == 0; };
  const auto middle = std::stable_partition(entries.begin(), entries.end(), is_low);
  const std::vector<Entry> high_entries(middle, entries.end());
  entries.erase(middle, entries.end());
  auto low = make_half(entries, segment.bits + 1);
  try {
    replace(segment, hash, std::move(low), make_half(high_entries, segment.bits + 1));
  } catch (...) {
    if (low) give_back(*low);
    throw;
  }
}

// A new segment of just these ids, with room for more.
inline std::unique_ptr<IndexSegment> Index::make_half(const std::vector<Entry>& entries, int bits) {
  const auto ids = static_cast<std::uint32_t>(entries.size());
  for (std::uint32_t pages = std::min(pages_for(ids + 1), kMostPages);; ++pages) {
    // What fitted into one segment fits into another with all pages that there can be, unless the hash is broken.
    if (pages > kMostPages) throw std::bad_alloc();
    auto segment = make_segment(pages, bits);
    if (place_all(*segment, entries)) return segment;
    give_back(*segment);
  }
}

// Puts one segment, or two halves, in the place of another.
inline void Index::replace(const IndexSegment& old, std::uint64_t hash, std::unique_ptr<IndexSegment> low,
                           std::unique_ptr<IndexSegment> high) {
  try {
    retired_.reserve(retired_.size() + 1);
  } catch (...) {
    give_back(*low);
    if (high) give_back(*high);
    throw;
  }
  Directory& directory = *directory_.load(std::memory_order_relaxed);
  const std::size_t entries = std::size_t{1} << (directory.bits - old.bits);
  const std::size_t first = directory.entry_of(hash) / entries * entries;
  for (std::size_t entry = 0; entry < entries; ++entry)
    directory.segments[first + entry].store(high && entry >= entries / 2 ? high.get() : low.get());
  if (high) ++segments_;
  low.release();
  high.release();
  retired_.push_back({epochs_.mark(), std::unique_ptr<IndexSegment>(const_cast<IndexSegment*>(&old))});
  reclaim();
}

inline void Index::deepen() {
  const Directory& old = *directory_.load(std::memory_order_relaxed);
  directories_.reserve(directories_.size() + 1);
  auto deeper = std::make_unique<Directory>(old.bits + 1);
  for (std::size_t entry = 0; entry < deeper->segments.size(); ++entry)
    deeper->segments[entry].store(old.segments[entry / 2].load(std::memory_order_relaxed), std::memory_order_relaxed);
  directories_.push_back(std::move(deeper));
  directory_.store(directories_.back().get());
}

inline void Index::shrink(const IndexSegment& segment, std::uint64_t first) {
  const std::uint32_t pages = segment.buckets / kPageBuckets, wanted = pages_for(segment.size + 1);
  // Not for one page of two: whoever expires a little every day would move everything every day.
  if (wanted + wanted / 4 >= pages) return;
  auto smaller = make_half(entries_of(segment), segment.bits);
  replace(segment, first, std::move(smaller), nullptr);
}

inline void Index::forget_free_pages() noexcept {
  if (free_pages_.size() <= pages_in_use_) return;
  for (; forgotten_ < free_pages_.size(); ++forgotten_) pages_.forget(free_pages_[forgotten_]);
}

inline void Index::rebase(std::uint32_t by) noexcept {
  const auto less = [by](std::uint32_t& version) { version = version > by ? version - by : 0; };
  visit_segments(0, [&](const IndexSegment& segment, std::uint64_t, std::uint64_t) {
    for (std::uint32_t& version : const_cast<IndexSegment&>(segment).versions) less(version);
    for (std::uint32_t at = 0; at < segment.buckets; ++at) bucket(segment, at)->lower(by);
    return true;
  });
}

inline void Index::reclaim() noexcept {
  if (retired_.empty()) return;
  const std::uint64_t oldest = epochs_.oldest();
  std::erase_if(retired_, [&](const Retired& retired) {
    if (oldest <= retired.mark) return false;
    give_back(*retired.segment);
    return true;
  });
}

}  // namespace feedmill::table
