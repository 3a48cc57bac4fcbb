// A bucket of the table's index: one cache line.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace feedmill::table {

struct alignas(64) Bucket {
  static constexpr std::uint32_t kCells = 5;

  std::array<std::atomic<std::uint64_t>, kCells> ids;  // 0: empty
  std::array<std::atomic<std::uint32_t>, kCells> rows;
  // 27 bits: no row of these ids has changed after this version. 5 bits: how many ids of which this is the first bucket
  // stand in their second; kManyAway stands for itself and more, for ever.
  std::atomic<std::uint32_t> version_and_away;

  std::uint32_t version() const noexcept { return version_and_away.load(std::memory_order_relaxed) >> kAwayBits; }
  bool any_away() const noexcept { return (version_and_away.load(std::memory_order_acquire) & kManyAway) != 0; }

  // The writer's.
  void raise(std::uint32_t to) noexcept {
    if (to > version()) set(to, away());
  }
  void lower(std::uint32_t by) noexcept { set(version() > by ? version() - by : 0, away()); }
  void one_goes() noexcept {
    if (away() < kManyAway) set(version(), away() + 1);
  }
  void one_comes() noexcept {
    if (away() < kManyAway) set(version(), away() - 1);
  }

 private:
  static constexpr int kAwayBits = 5;
  static constexpr std::uint32_t kManyAway = (1u << kAwayBits) - 1;

  std::uint32_t away() const noexcept { return version_and_away.load(std::memory_order_relaxed) & kManyAway; }
  void set(std::uint32_t version, std::uint32_t away) noexcept {
    version_and_away.store(version << kAwayBits | away, std::memory_order_release);
  }
};
static_assert(sizeof(Bucket) == 64);

// The last version that a bucket can hold.
inline constexpr std::uint32_t kMostVersion = (1u << 27) - 1;

}  // namespace feedmill::table
