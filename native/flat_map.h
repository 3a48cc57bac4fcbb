// An open-addressing map from non-zero 64-bit keys to dense indexes. Values live in the caller's arrays, in the order
// in which their keys came: nothing that is computed depends on where a key landed.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <utility>
#include <vector>

namespace feedmill {

inline uint64_t mix(uint64_t x) {
  // The finalizer of MurmurHash3.
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccdULL;
  x ^= x >> 33;
  x *= 0xc4ceb9fe1a85ec53ULL;
  x ^= x >> 33;
  return x;
}

// A key of two keys, which is never 0.
inline uint64_t combine(uint64_t a, uint64_t b) {
  const uint64_t key = mix(a * 0x9e3779b97f4a7c15ULL + mix(b + 0x632be59bd9b4e019ULL));
  return key ? key : 1;
}

class FlatMap {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  // The map of keys to their places. Throws std::invalid_argument for keys that repeat or are 0.
  static FlatMap of(const uint64_t* keys, size_t n) {
    FlatMap made;
    for (size_t i = 0; i < n; ++i) {
      if (keys[i] == 0 || made.insert(keys[i]) != i) throw std::invalid_argument("keys repeat, or are 0");
    }
    return made;
  }

  uint32_t size() const { return size_; }

  uint32_t find(uint64_t key) const {
    if (slots_.empty()) return kNone;
    for (uint64_t i = mix(key) & mask_;; i = (i + 1) & mask_) {
      if (slots_[i].first == key) return slots_[i].second;
      if (slots_[i].first == 0) return kNone;
    }
  }

  // The index of a key, new or known; a new one is `size()` as it was before the call.
  uint32_t insert(uint64_t key) {
    if (uint64_t(size_) * 10 >= slots_.size() * 7) grow();
    for (uint64_t i = mix(key) & mask_;; i = (i + 1) & mask_) {
      if (slots_[i].first == key) return slots_[i].second;
      if (slots_[i].first == 0) {
        slots_[i] = {key, size_};
        return size_++;
      }
    }
  }

  size_t bytes() const { return slots_.size() * sizeof(slots_[0]); }

 private:
  void grow() {
    std::vector<std::pair<uint64_t, uint32_t>> old(slots_.empty() ? 1024 : slots_.size() * 2);
    old.swap(slots_);
    mask_ = slots_.size() - 1;
    for (const auto& entry : old) {
      if (entry.first == 0) continue;
      uint64_t i = mix(entry.first) & mask_;
      while (slots_[i].first != 0) i = (i + 1) & mask_;
      slots_[i] = entry;
    }
  }

  std::vector<std::pair<uint64_t, uint32_t>> slots_;
  uint64_t mask_ = 0;
  uint32_t size_ = 0;
};

}  // namespace feedmill
