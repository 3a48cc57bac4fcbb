// Rows of one dimension in slabs. A row never moves, so growing copies nothing.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace feedmill::table {

struct RowHeader {
  std::uint64_t id;       // while the row is free: the next free row
  std::uint64_t version;  // of the update that last changed it; 0 while the row is free
  std::int64_t time;      // the latest `now` of its updates
};
static_assert(sizeof(RowHeader) == 24);

// A row is its header, then `dimension` floats of the vector, then `dimension` floats of the Adagrad accumulators.
class RowSlabs {
 public:
  explicit RowSlabs(std::uint32_t dimension)
      : dimension_(dimension),
        stride_(sizeof(RowHeader) + std::size_t{2} * dimension * sizeof(float)),
        shift_(std::bit_width(kSlabBytes / stride_) - 1) {}

  std::uint32_t dimension() const noexcept { return dimension_; }
  std::size_t row_bytes() const noexcept { return stride_; }
  std::size_t bytes() const noexcept { return slabs_.size() * slab_bytes(); }

  const std::byte* row(std::uint32_t row) const noexcept {
    return slabs_[row >> shift_].get() + (row & ((1u << shift_) - 1)) * stride_;
  }
  std::byte* row(std::uint32_t row) noexcept { return const_cast<std::byte*>(std::as_const(*this).row(row)); }

  const RowHeader& header(std::uint32_t r) const noexcept { return *reinterpret_cast<const RowHeader*>(row(r)); }
  RowHeader& header(std::uint32_t r) noexcept { return *reinterpret_cast<RowHeader*>(row(r)); }

  const float* values(std::uint32_t r) const noexcept {
    return reinterpret_cast<const float*>(row(r) + sizeof(RowHeader));
  }
  float* values(std::uint32_t r) noexcept { return reinterpret_cast<float*>(row(r) + sizeof(RowHeader)); }
  float* accumulators(std::uint32_t r) noexcept { return values(r) + dimension_; }

  void prefetch_values(std::uint32_t r) const noexcept { prefetch(r, sizeof(RowHeader) + dimension_ * sizeof(float)); }
  void prefetch_row(std::uint32_t r) const noexcept { prefetch(r, stride_); }

  // Makes the next `rows` calls of `allocate` succeed. Throws bad_alloc.
  void reserve(std::size_t rows) {
    while (free_ + (slabs_.size() << shift_) - used_ < rows) {
      if ((slabs_.size() + 1) << shift_ >= kMostRows) throw std::bad_alloc();
      Slab slab(static_cast<std::byte*>(::operator new(slab_bytes(), std::align_val_t{kCacheLine})));
      slabs_.push_back(std::move(slab));
    }
  }

  // A row with nothing in it yet: a freed one if there is one.
  std::uint32_t allocate() noexcept {
    if (free_ == 0) return used_++;
    const std::uint32_t result = first_free_;
    first_free_ = static_cast<std::uint32_t>(header(result).id);
    --free_;
    return result;
  }

  void release(std::uint32_t row) noexcept {
    header(row) = {first_free_, 0, 0};
    first_free_ = row;
    ++free_;
  }

  // `visit(row)` for every row in use, in the order of their numbers.
  template <class Visit>
  void for_each(Visit visit) const {
    for (std::uint32_t row = 0; row < used_; ++row)
      if (header(row).version != 0) visit(row);
  }

 private:
  static constexpr std::size_t kSlabBytes = std::size_t{1} << 20;
  static constexpr std::size_t kCacheLine = 64;
  static constexpr std::size_t kMostRows = UINT32_MAX - 2;  // the last numbers mean something else

  struct FreeSlab {
    void operator()(std::byte* slab) const noexcept { ::operator delete(slab, std::align_val_t{kCacheLine}); }
  };
  using Slab = std::unique_ptr<std::byte[], FreeSlab>;

  std::size_t slab_bytes() const noexcept { return stride_ << shift_; }

  void prefetch(std::uint32_t r, std::size_t bytes) const noexcept {
    const std::byte* start = row(r);
    for (std::size_t at = 0; at < bytes; at += kCacheLine) __builtin_prefetch(start + at);
    __builtin_prefetch(start + bytes - 1);
  }

  std::uint32_t dimension_;
  std::size_t stride_;
  int shift_;
  std::vector<Slab> slabs_;
  std::uint32_t used_ = 0;  // rows ever handed out
  std::uint32_t free_ = 0;
  std::uint32_t first_free_ = 0;
};

}  // namespace feedmill::table
