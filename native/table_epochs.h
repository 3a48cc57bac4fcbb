// When nobody reads any more what has been taken out of a structure (epoch-based reclamation; Fraser, 2004, section 5.2.3).
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>

namespace feedmill::table {

// A reader holds a pin for one call. The writer takes something out of what readers can reach, asks for the `mark` of
// this moment, and may use the memory again once the `oldest` reader has come after it.
//
// All accesses are sequentially consistent: either the writer sees the pin, or the reader, who loads what it follows
// after it has pinned, sees that the thing is gone.
class Epochs {
 public:
  class Pin {
   public:
    explicit Pin(std::atomic<std::uint64_t>& cell) noexcept : cell_(cell) {}
    Pin(const Pin&) = delete;
    Pin& operator=(const Pin&) = delete;
    ~Pin() { cell_.store(0, std::memory_order_release); }

   private:
    std::atomic<std::uint64_t>& cell_;
  };

  // Waits only while as many as there are cells read at once.
  Pin pin() const noexcept {
    static std::atomic<std::size_t> threads{0};
    thread_local const std::size_t first = threads.fetch_add(1, std::memory_order_relaxed);
    for (std::size_t at = first;; ++at) {
      std::atomic<std::uint64_t>& cell = cells_[at % cells_.size()].since;
      std::uint64_t empty = 0;
      if (cell.load(std::memory_order_relaxed) == 0 && cell.compare_exchange_strong(empty, now_.load())) return Pin(cell);
      if ((at - first) % cells_.size() == cells_.size() - 1) std::this_thread::yield();
    }
  }

  std::uint64_t mark() noexcept { return now_.fetch_add(1); }

  // The mark at which the reader pinned who has been there longest; UINT64_MAX where nobody is. What was taken out before
  // it is nobody's.
  std::uint64_t oldest() const noexcept {
    std::uint64_t oldest = UINT64_MAX;
    for (const Cell& cell : cells_)
      if (const std::uint64_t since = cell.since.load(); since != 0) oldest = std::min(oldest, since);
    return oldest;
  }

 private:
  struct alignas(64) Cell {
    std::atomic<std::uint64_t> since{0};  // 0: free
  };

  mutable std::array<Cell, 32> cells_;
  std::atomic<std::uint64_t> now_{1};
};

}  // namespace feedmill::table
