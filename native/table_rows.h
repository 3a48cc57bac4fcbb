// Rows of one layout in slabs. A row never moves, so growing copies nothing.
//
// A slab holds the vectors of its rows, one after another, and behind them their tails: the state of the optimizers, the
// version of the last change and the time. A lookup reads vectors alone, so they stand together: a vector of 64 bytes is
// one cache line and not two halves.
//
// Threads: one writer. Readers `copy` vectors beside it, and get each whole: its words are atomic, and a sequence number,
// which a few thousand rows share, is odd while one of them is written (a seqlock; Boehm, 2012).
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <vector>

#include "table_memory.h"
#include "table_storage.h"

namespace feedmill::table {

inline constexpr std::uint32_t kNoRow = UINT32_MAX;
inline constexpr std::uint32_t kMostDimension = 4096;

// What stands at the end of a row's tail.
struct RowEnd {
  std::uint32_t version;  // of the last change, beside the table's base; the table's index has bounds of it
  std::uint32_t time;     // seconds since 1970: the latest of its changes
};
static_assert(sizeof(RowEnd) == 8);

// The numbers that tell readers of a vector that is being written.
class Sequences {
 public:
  static std::size_t number_of(std::uint32_t row) noexcept { return row % kNumbers; }
  std::atomic<std::uint32_t>& of(std::uint32_t row) const noexcept { return numbers_[number_of(row)]; }

 private:
  static constexpr std::size_t kNumbers = 4096;

  mutable std::array<std::atomic<std::uint32_t>, kNumbers> numbers_{};
};

class RowSlabs {
 public:
  // `state` is what the optimizers of a row keep: nothing where vectors are rounded.
  RowSlabs(std::uint32_t dimension, std::uint32_t state, Storage storage)
      : dimension_(dimension),
        state_(state),
        storage_(storage),
        vector_bytes_((packed_bytes(storage, dimension) + 7) / 8 * 8),
        tail_bytes_(state * sizeof(float) + sizeof(RowEnd)),
        shift_(std::bit_width(kSlabBytes / (vector_bytes_ + tail_bytes_)) - 1),
        slabs_(((vector_bytes_ + tail_bytes_) << shift_) / 64 * 64 + 64) {}

  std::uint32_t dimension() const noexcept { return dimension_; }
  std::uint32_t state() const noexcept { return state_; }
  std::size_t size() const noexcept { return used_ - free_; }
  std::size_t bytes() const noexcept { return slabs_.bytes(forgotten()) + frees_.capacity() * sizeof(Free); }
  std::size_t huge_bytes(const HugePages& pages) const noexcept { return slabs_.huge_bytes(pages, forgotten()); }
  // Of a row's vector and of the state of its optimizers.
  std::size_t learned_bytes() const noexcept { return packed_bytes(storage_, dimension_) + state_ * sizeof(float); }

  void prefetch_vector(std::uint32_t row) const noexcept { prefetch(vector_bytes(row), vector_bytes_); }
  void prefetch_tail(std::uint32_t row) const noexcept { prefetch(tail_bytes(row), tail_bytes_); }

  // The vector, whole: as it was before or after any write.
  void copy(std::uint32_t row, float* out) const noexcept {
    switch (storage_) {
      case Storage::float32: return copy_whole<Storage::float32, 0>(vectors(), row, out);
      case Storage::bfloat16: return copy_whole<Storage::bfloat16, 0>(vectors(), row, out);
      case Storage::int8: return copy_whole<Storage::int8, 0>(vectors(), row, out);
    }
  }

  // The vectors of rows, one after another; zeros for kNoRow. Each is asked for some rows ahead.
  void copy_many(const std::uint32_t* rows, std::size_t n, float* out) const noexcept {
    switch (storage_) {
      case Storage::float32: return copy_stored<Storage::float32>(rows, n, out);
      case Storage::bfloat16: return copy_stored<Storage::bfloat16>(rows, n, out);
      case Storage::int8: return copy_stored<Storage::int8>(rows, n, out);
    }
  }

  // The writer's. No reader may see what it writes through these; `publish` is for that. `vector` needs float32.
  const float* vector(std::uint32_t row) const noexcept { return reinterpret_cast<const float*>(vector_bytes(row)); }
  float* state(std::uint32_t row) noexcept { return reinterpret_cast<float*>(tail_bytes(row)); }
  const float* state(std::uint32_t row) const noexcept { return reinterpret_cast<const float*>(tail_bytes(row)); }
  RowEnd& end(std::uint32_t row) noexcept { return *reinterpret_cast<RowEnd*>(tail_bytes(row) + state_ * sizeof(float)); }
  const RowEnd& end(std::uint32_t row) const noexcept {
    return *reinterpret_cast<const RowEnd*>(tail_bytes(row) + state_ * sizeof(float));
  }

  // Sets the vector under the eyes of readers. Of two threads that do, no two rows may share a sequence.
  void publish(std::uint32_t row, const float* vector) noexcept {
    std::atomic<std::uint32_t>& sequence = sequences_.of(row);
    const std::uint32_t before = sequence.load(std::memory_order_relaxed);
    sequence.store(before + 1, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
    if (storage_ == Storage::float32) {
      store_words(vector_bytes(row), vector);
    } else {
      Word words[kMostWords];
      words[vector_bytes_ / 8 - 1] = 0;
      pack(storage_, vector, dimension_, reinterpret_cast<std::byte*>(words));
      for (std::size_t w = 0; w < vector_bytes_ / 8; ++w)
        __atomic_store_n(reinterpret_cast<Word*>(vector_bytes(row)) + w, words[w], __ATOMIC_RELAXED);
    }
    sequence.store(before + 2, std::memory_order_release);
  }

  // Makes the next `rows` calls of `allocate` succeed. Throws bad_alloc.
  void reserve(std::size_t rows) {
    const std::size_t slab_rows = std::size_t{1} << shift_;
    while (free_ + (slabs_.size() << shift_) - used_ < rows) {
      if ((slabs_.size() + 1) * slab_rows >= kMostRows) throw std::bad_alloc();
      frees_.reserve(slabs_.size() + 1);
      slabs_.add();
      frees_.push_back({});
    }
  }

  // A row with nothing in it yet: of the first slab that has a free one, so that the last slabs become empty.
  std::uint32_t allocate() noexcept {
    if (free_ == 0) return used_++;
    while (frees_[first_with_free_].rows == 0) ++first_with_free_;
    Free& free = frees_[first_with_free_];
    const std::uint32_t row = free.first;
    free.first = end(row).time;
    --free.rows;
    --free_;
    return row;
  }

  // The row must be one that no reader can find any more.
  void release(std::uint32_t row) noexcept {
    const std::uint32_t slab = row >> shift_;
    Free& free = frees_[slab];
    end(row).time = free.first;
    free.first = row;
    ++free.rows;
    ++free_;
    first_with_free_ = std::min(first_with_free_, slab);
  }

  // Subtracts from the versions of all rows, free ones too; those below become 0.
  void rebase(std::uint32_t by) noexcept {
    for (std::uint32_t row = 0; row < used_; ++row) {
      std::uint32_t& version = end(row).version;
      version = version > by ? version - by : 0;
    }
  }

  // Gives the memory of rows back to the system that have been released at the end of all.
  void give_back() noexcept {
    while (used_ != 0) {
      const std::uint32_t slab = (used_ - 1) >> shift_, in_slab = used_ - (slab << shift_);
      if (frees_[slab].rows != in_slab) return;
      used_ -= in_slab;
      free_ -= in_slab;
      frees_[slab] = {};
      slabs_.forget(slab);
    }
    first_with_free_ = 0;
  }

 private:
  static constexpr std::size_t kSlabBytes = std::size_t{2} << 20;
  static constexpr std::size_t kMostRows = UINT32_MAX - 2;  // the last numbers mean something else
  static constexpr std::size_t kMostWords = packed_bytes(Storage::bfloat16, kMostDimension) / 8;  // of a rounded vector

  using Word = std::uint64_t __attribute__((may_alias));

  struct Free {
    std::uint32_t rows = 0;
    std::uint32_t first = 0;  // of a list through the times of the free rows
  };

  std::byte* vector_bytes(std::uint32_t row) const noexcept {
    return slabs_[row >> shift_] + (row & ((1u << shift_) - 1)) * vector_bytes_;
  }
  std::byte* tail_bytes(std::uint32_t row) const noexcept {
    return slabs_[row >> shift_] + (vector_bytes_ << shift_) + (row & ((1u << shift_) - 1)) * tail_bytes_;
  }

  static void prefetch(const std::byte* start, std::size_t bytes) noexcept {
    for (std::size_t at = 0; at < bytes; at += 64) prefetch_line(start + at);
    if (bytes % 64 != 0) prefetch_line(start + bytes - 1);
  }

  // Slabs that no row in use or freed lies in.
  std::size_t forgotten() const noexcept { return slabs_.size() - ((used_ + (std::size_t{1} << shift_) - 1) >> shift_); }

  // Where the vectors of rows are that have been found before. Apart, so that it is in registers.
  struct Vectors {
    std::byte* const* slabs;
    int shift;
    std::size_t bytes;
    const std::byte* of(std::uint32_t row) const noexcept {
      return slabs[row >> shift] + (row & ((1u << shift) - 1)) * bytes;
    }
  };
  Vectors vectors() const noexcept { return {slabs_.table(), shift_, vector_bytes_}; }

  template <Storage kStorage>
  void copy_stored(const std::uint32_t* rows, std::size_t n, float* out) const noexcept {
    switch (dimension_) {
      case 8: return copy_all<kStorage, 8>(rows, n, out);
      case 16: return copy_all<kStorage, 16>(rows, n, out);
      case 32: return copy_all<kStorage, 32>(rows, n, out);
      case 64: return copy_all<kStorage, 64>(rows, n, out);
      default: return copy_all<kStorage, 0>(rows, n, out);
    }
  }

  // `kDimension` is the dimension where the compiler is to know it, else 0.
  template <Storage kStorage, std::uint32_t kDimension>
  void copy_all(const std::uint32_t* rows, std::size_t n, float* out) const noexcept {
    // Some 64 lines at once: as many as the processor can wait for, and not too many for its first cache.
    const std::size_t ahead = std::clamp<std::size_t>(4096 / vector_bytes_, 16, 64);
    const std::uint32_t dimension = kDimension != 0 ? kDimension : dimension_;
    const std::size_t bytes = kDimension != 0 ? (packed_bytes(kStorage, kDimension) + 7) / 8 * 8 : vector_bytes_;
    const Vectors vectors = this->vectors();
    const auto ask = [&](std::uint32_t row) {
      if (row != kNoRow) prefetch(vectors.of(row), bytes);
    };
    for (std::size_t k = 0; k < std::min(ahead, n); ++k) ask(rows[k]);
    for (std::size_t k = 0; k < n; ++k, out += dimension) {
      if (k + ahead < n) ask(rows[k + ahead]);
      if (rows[k] == kNoRow)
        std::fill_n(out, dimension, 0.0f);
      else
        copy_whole<kStorage, kDimension>(vectors, rows[k], out);
    }
  }

  template <Storage kStorage, std::uint32_t kDimension>
  void copy_whole(Vectors vectors, std::uint32_t row, float* out) const noexcept {
    // Apart from the first attempt, so that this one has no loop, and the registers to itself.
    if (!try_copy<kStorage, kDimension>(vectors, row, out)) [[unlikely]]
      copy_when_written<kStorage>(vectors, row, out);
  }

  template <Storage kStorage>
  [[gnu::noinline]] void copy_when_written(Vectors vectors, std::uint32_t row, float* out) const noexcept {
    while (!try_copy<kStorage, 0>(vectors, row, out)) {
    }
  }

  // Whether nobody wrote meanwhile.
  template <Storage kStorage, std::uint32_t kDimension>
  bool try_copy(Vectors vectors, std::uint32_t row, float* out) const noexcept {
    const std::uint32_t dimension = kDimension != 0 ? kDimension : dimension_;
    const std::atomic<std::uint32_t>& sequence = sequences_.of(row);
    const auto* words = reinterpret_cast<const Word*>(vectors.of(row));
    const std::uint32_t before = sequence.load(std::memory_order_acquire);
    if constexpr (kStorage == Storage::float32)
      load_words(words, dimension, out);
    else
      load_packed<kStorage, kDimension>(words, dimension, out);
    std::atomic_thread_fence(std::memory_order_acquire);
    return before % 2 == 0 && sequence.load(std::memory_order_relaxed) == before;
  }

  [[gnu::always_inline]] static void load_words(const Word* words, std::uint32_t dimension, float* out) noexcept {
#pragma GCC unroll 8
    for (std::uint32_t w = 0; w < dimension / 2; ++w) {
      const std::uint64_t word = __atomic_load_n(words + w, __ATOMIC_RELAXED);
      std::memcpy(out + 2 * w, &word, sizeof word);
    }
    if (dimension % 2 != 0) {
      const std::uint64_t word = __atomic_load_n(words + dimension / 2, __ATOMIC_RELAXED);
      std::memcpy(out + dimension - 1, &word, sizeof(float));
    }
  }

  template <Storage kStorage, std::uint32_t kDimension>
  [[gnu::always_inline]] static void load_packed(const Word* words, std::uint32_t dimension, float* out) noexcept {
    const std::size_t n = (packed_bytes(kStorage, kDimension != 0 ? kDimension : dimension) + 7) / 8;
    Word packed[kDimension != 0 ? (packed_bytes(kStorage, kDimension) + 7) / 8 : kMostWords];
    for (std::size_t w = 0; w < n; ++w) packed[w] = __atomic_load_n(words + w, __ATOMIC_RELAXED);
    unpack<kStorage>(reinterpret_cast<const std::byte*>(packed), kDimension != 0 ? kDimension : dimension, out);
  }

  void store_words(std::byte* to, const float* from) const noexcept {
    auto* words = reinterpret_cast<Word*>(to);
    for (std::uint32_t w = 0; w < dimension_ / 2; ++w) {
      std::uint64_t word;
      std::memcpy(&word, from + 2 * w, sizeof word);
      __atomic_store_n(words + w, word, __ATOMIC_RELAXED);
    }
    if (dimension_ % 2 != 0) {
      std::uint64_t word = 0;
      std::memcpy(&word, from + dimension_ - 1, sizeof(float));
      __atomic_store_n(words + dimension_ / 2, word, __ATOMIC_RELAXED);
    }
  }

  std::uint32_t dimension_, state_;
  Storage storage_;
  std::size_t vector_bytes_, tail_bytes_;
  int shift_;
  Blocks slabs_;
  Sequences sequences_;
  std::vector<Free> frees_;    // by slab
  std::uint32_t used_ = 0;     // rows ever handed out, but for those given back
  std::uint32_t free_ = 0;
  std::uint32_t first_with_free_ = 0;  // no slab before it has a free row
};

}  // namespace feedmill::table
