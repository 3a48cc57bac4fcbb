// An open-addressing map from non-zero 64-bit keys to dense indexes. Values live in the caller's arrays, in the order
// in which their keys came: nothing that is computed depends on where a key landed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <stdexcept>

#include "huge_vector.h"

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

  // The map of keys to their places. Throws std::invalid_argument for keys that repeat or are 0. Cost: 25 ns a key.
  static FlatMap of(const uint64_t* keys, size_t n) {
    FlatMap made;
    made.keys_.assign(keys, keys + n);
    size_t slots = kFewest;
    while (slots * kFull < n * 10) slots *= 2;
    made.build(slots);
    return made;
  }

  uint32_t size() const { return uint32_t(keys_.size()); }

  // By their indexes.
  const HugeVector<uint64_t>& keys() const { return keys_; }

  uint32_t find(uint64_t key) const {
    if (slots_.empty()) return kNone;
    const uint64_t hash = mix(key);
    for (uint64_t i = hash & mask_;; i = (i + 1) & mask_) {
      const Slot slot = slots_[i];
      if (slot.place == 0) return kNone;
      if (slot.tag == tag_of(hash) && keys_[slot.place - 1] == key) return slot.place - 1;
    }
  }

  // The index of a key, new or known; a new one is `size()` as it was before the call.
  uint32_t insert(uint64_t key) {
    const uint32_t known = find(key);
    if (known != kNone) return known;
    if (keys_.size() * 10 >= slots_.size() * kFull) build(std::max(kFewest, slots_.size() * 2));
    keys_.push_back(key);
    put(size());
    return size() - 1;
  }

 private:
  static constexpr size_t kFewest = 1024;
  static constexpr size_t kFull = 7;  // tenths

  struct Slot {
    uint32_t tag;    // the upper half of the hash, so that other keys are seldom looked at
    uint32_t place;  // the index of the key, from 1; 0: none
  };

  static uint32_t tag_of(uint64_t hash) { return uint32_t(hash >> 32); }

  // Where a key belongs is a miss of the caches, so many are under way at once.
  void build(size_t slots) {
    constexpr size_t kAhead = 16;
    slots_.assign(slots, {0, 0});
    mask_ = slots - 1;
    for (size_t i = 0; i < keys_.size(); ++i) {
      if (i + kAhead < keys_.size()) __builtin_prefetch(&slots_[mix(keys_[i + kAhead]) & mask_], 1);
      if (keys_[i] == 0 || !put(uint32_t(i + 1))) throw std::invalid_argument("keys repeat, or are 0");
    }
  }

  // Whether the key at a place is another than those that were put before.
  bool put(uint32_t place) {
    const uint64_t hash = mix(keys_[place - 1]);
    for (uint64_t i = hash & mask_;; i = (i + 1) & mask_) {
      Slot& slot = slots_[i];
      if (slot.place == 0) {
        slot = {tag_of(hash), place};
        return true;
      }
      if (slot.tag == tag_of(hash) && keys_[slot.place - 1] == keys_[place - 1]) return false;
    }
  }

  HugeVector<uint64_t> keys_;
  HugeVector<Slot> slots_;
  uint64_t mask_ = 0;
};

}  // namespace feedmill
