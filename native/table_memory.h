// Memory from the system in blocks of one size, on huge pages where it pays and the system gives them.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "huge_pages.h"

namespace feedmill::table {

// Asks for the cache line of an address. Volatile, because compilers take a function that only prefetches for one without
// effect and leave its calls out (GCC 12 does).
[[gnu::always_inline]] inline void prefetch_line(const void* address) noexcept {
#if defined(__x86_64__)
  asm volatile("prefetcht0 %0" : : "m"(*static_cast<const char*>(address)));
#elif defined(__aarch64__)
  asm volatile("prfm pldl1keep, %0" : : "Q"(*static_cast<const char*>(address)));
#else
  __builtin_prefetch(address);
#endif
}

inline constexpr std::size_t kHugePage = std::size_t{2} << 20;

// Zeroed pages, aligned to a huge page.
class Region {
 public:
  explicit Region(std::size_t bytes) : bytes_((bytes + kHugePage - 1) / kHugePage * kHugePage) {
    const std::size_t mapped = bytes_ + kHugePage;
    void* start = ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED) throw std::bad_alloc();
    auto* first = static_cast<std::byte*>(start);
    const std::size_t before = (kHugePage - reinterpret_cast<std::uintptr_t>(first) % kHugePage) % kHugePage;
    if (before != 0) ::munmap(first, before);
    data_ = first + before;
    if (before != kHugePage) ::munmap(data_ + bytes_, kHugePage - before);
  }
  Region(Region&& other) noexcept : data_(std::exchange(other.data_, nullptr)), bytes_(other.bytes_) {}
  Region& operator=(Region&&) = delete;
  ~Region() {
    if (data_ != nullptr) ::munmap(data_, bytes_);
  }

  std::byte* data() const noexcept { return data_; }
  std::size_t bytes() const noexcept { return bytes_; }

  void ask_for_huge_pages() noexcept {
#ifdef MADV_HUGEPAGE
    ::madvise(data_, bytes_, MADV_HUGEPAGE);
#endif
  }

 private:
  std::byte* data_;
  std::size_t bytes_;
};

// Numbered blocks of one size. Blocks never move; any number of threads may ask for the address of a block that they
// have been told of, beside the one that allocates.
class Blocks {
 public:
  // `block_bytes` is a multiple of 64.
  explicit Blocks(std::size_t block_bytes) : block_bytes_(block_bytes) {}

  std::byte* operator[](std::uint32_t block) const noexcept {
    return table()[block];
  }

  // The addresses of the blocks, by number; nullptr before there is one. They hold all blocks of which the caller has been
  // told by then.
  std::byte* const* table() const noexcept { return table_.load(std::memory_order_acquire); }

  std::size_t size() const noexcept { return used_; }
  // In use, when so many blocks are forgotten.
  std::size_t bytes(std::size_t forgotten) const noexcept { return (used_ - forgotten) * block_bytes_ + tables_bytes(); }
  std::size_t huge_bytes(const HugePages& pages, std::size_t forgotten) const noexcept {
    std::size_t bytes = 0;
    for (const Region& region : regions_) bytes += pages.within(region.data(), region.bytes());
    return std::min(bytes, (used_ - forgotten) * block_bytes_);
  }

  // A block that was never used: zeroed. Throws bad_alloc, and then nothing has changed.
  std::uint32_t add() {
    if (regions_.empty() || regions_.back().bytes() - filled_ < block_bytes_) add_region();
    if (!next_ && 2 * filled_ >= regions_.back().bytes()) prepare_region();
    if (used_ == capacity_) enlarge_table();
    std::byte* block = regions_.back().data() + filled_;
    table_.load(std::memory_order_relaxed)[used_] = block;
    filled_ += block_bytes_;
    return static_cast<std::uint32_t>(used_++);
  }

  // Gives the memory of a block back to the system; its address stays, and it reads as zeros where whole pages lie in it.
  void forget(std::uint32_t block) noexcept {
    constexpr std::uintptr_t kPage = 4096;
    const auto start = reinterpret_cast<std::uintptr_t>((*this)[block]);
    const std::uintptr_t first = (start + kPage - 1) / kPage * kPage, last = (start + block_bytes_) / kPage * kPage;
    if (last > first) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
  }

 private:
  static constexpr std::size_t kLargestRegion = std::size_t{64} << 20;

  void add_region() {
    regions_.reserve(regions_.size() + 1);
    if (regions_.empty())
      // Not on huge pages, so that a small table takes only the pages that it fills.
      regions_.emplace_back(std::max(block_bytes_, kHugePage));
    else if (next_)
      regions_.push_back(std::move(*next_));
    else
      regions_.push_back(new_region());
    next_.reset();
    filled_ = 0;
  }

  Region new_region() const {
    std::size_t reserved = 0;
    for (const Region& region : regions_) reserved += region.bytes();
    Region region(std::max(block_bytes_, std::clamp(reserved / 8, kHugePage, kLargestRegion)));
    region.ask_for_huge_pages();
    return region;
  }

  // Has the system back the next region with memory beside what goes on here: a page that is touched first is zeroed, and
  // in a virtual machine fetched from the host, which can take milliseconds. Nothing is lost where that is not possible.
  void prepare_region() noexcept {
#ifdef MADV_POPULATE_WRITE
    try {
      populating_ = {};
      next_.emplace(new_region());
      populating_ = std::jthread([start = next_->data(), bytes = next_->bytes()](const std::stop_token& stop) {
        for (std::size_t at = 0; at < bytes && !stop.stop_requested(); at += kHugePage)
          if (::madvise(start + at, kHugePage, MADV_POPULATE_WRITE) != 0) return;
      });
    } catch (const std::exception&) {
      // No memory, or no thread: the region is made when it is needed, and fails there if it must.
    }
#endif
  }

  // The former tables are kept, because somebody may be reading them: together they are as large as the newest.
  void enlarge_table() {
    const std::size_t capacity = std::max<std::size_t>(64, 2 * capacity_);
    auto larger = std::make_unique<std::byte*[]>(capacity);
    if (capacity_ != 0) std::copy_n(tables_.back().get(), used_, larger.get());
    tables_.push_back(std::move(larger));
    table_.store(tables_.back().get(), std::memory_order_release);
    capacity_ = capacity;
  }

  std::size_t tables_bytes() const noexcept { return capacity_ == 0 ? 0 : (2 * capacity_ - 64) * sizeof(std::byte*); }

  std::size_t block_bytes_;
  std::vector<Region> regions_;
  std::size_t filled_ = 0;  // bytes of the last region
  std::optional<Region> next_;
  std::vector<std::unique_ptr<std::byte*[]>> tables_;
  std::atomic<std::byte**> table_{nullptr};
  std::size_t capacity_ = 0;
  std::size_t used_ = 0;
  std::jthread populating_;  // ends before the regions do
};

}  // namespace feedmill::table
