#pragma once

// Which 64-bit keys has the log seen, and at which positions: a hash table for the newest keys, and for the rest sorted
// arrays behind split-block Bloom filters. A key is a hash, so its bits are taken as uniform; 0 is no key.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace feedmill {

struct KeyPosition {
  std::uint64_t key;
  std::int64_t position;

  bool operator<(const KeyPosition& other) const {
    return key != other.key ? key < other.key : position < other.position;
  }
};

// What a search for many keys found: the index of a key among those asked for, and one position where it stands.
struct KeyHits {
  std::vector<std::int64_t> probes;
  std::vector<std::int64_t> positions;
};

// Keys to positions, with repeats; open addressing with linear probing, at most half full.
class KeyMap {
 public:
  explicit KeyMap(std::size_t expected) { resize(expected); }

  std::size_t size() const { return size_; }

  void add(std::span<const std::uint64_t> keys, std::span<const std::int64_t> positions) {
    if ((size_ + keys.size()) * 2 > entries_.size()) resize(std::max(size_ + keys.size(), size_ * 2));
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (keys[i] != 0) insert({keys[i], positions[i]});
    }
  }

  void find(std::span<const std::uint64_t> keys, KeyHits& hits) const {
    constexpr std::size_t ahead = 16;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (i + ahead < keys.size()) __builtin_prefetch(&entries_[home(keys[i + ahead])]);
      if (keys[i] == 0) continue;
      for (std::size_t slot = home(keys[i]); entries_[slot].key != 0; slot = (slot + 1) & mask_) {
        if (entries_[slot].key != keys[i]) continue;
        hits.probes.push_back(static_cast<std::int64_t>(i));
        hits.positions.push_back(entries_[slot].position);
      }
    }
  }

  std::vector<KeyPosition> sorted() const {
    std::vector<KeyPosition> all;
    all.reserve(size_);
    for (const KeyPosition& entry : entries_) {
      if (entry.key != 0) all.push_back(entry);
    }
    std::sort(all.begin(), all.end());
    return all;
  }

 private:
  std::size_t home(std::uint64_t key) const { return (key * 0x9E3779B97F4A7C15u) >> shift_; }

  void insert(KeyPosition entry) {
    std::size_t slot = home(entry.key);
    while (entries_[slot].key != 0) slot = (slot + 1) & mask_;
    entries_[slot] = entry;
    ++size_;
  }

  void resize(std::size_t expected) {
    std::size_t capacity = 16;
    int bits = 4;
    while (capacity < expected * 2) {
      capacity *= 2;
      ++bits;
    }
    std::vector<KeyPosition> old(capacity, KeyPosition{0, 0});
    old.swap(entries_);
    mask_ = capacity - 1;
    shift_ = 64 - bits;
    size_ = 0;
    for (const KeyPosition& entry : old) {
      if (entry.key != 0) insert(entry);
    }
  }

  std::vector<KeyPosition> entries_;
  std::size_t mask_ = 0;
  std::size_t size_ = 0;
  int shift_ = 60;
};

// Split-block Bloom filter (Putze, Sanders and Singler, 2007, in the form of Apache Parquet): the high half of a key
// chooses a block of 256 bits, the low half one bit in each of its eight words. A probe touches half a cache line.
using FilterBlock = std::array<std::uint32_t, 8>;

inline constexpr std::size_t filter_bits_per_key = 16;

inline std::size_t filter_blocks(std::size_t keys) {
  return std::max<std::size_t>(1, (keys * filter_bits_per_key + 255) / 256);
}

inline constexpr std::array<std::uint32_t, 8> filter_salts = {0x47b6137bu, 0x44974d91u, 0x8824ad5bu, 0xa2b7289du,
                                                              0x705495c7u, 0x2df1424bu, 0x9efc4947u, 0x5c6bfb31u};

inline std::size_t filter_block(std::uint64_t key, std::size_t blocks) {
  return static_cast<std::size_t>(((key >> 32) * static_cast<std::uint64_t>(blocks)) >> 32);
}

inline std::uint32_t filter_bit(std::uint64_t key, std::size_t word) {
  return std::uint32_t{1} << ((static_cast<std::uint32_t>(key) * filter_salts[word]) >> 27);
}

inline bool filter_may_hold(const FilterBlock& block, std::uint64_t key) {
  for (std::size_t word = 0; word < block.size(); ++word) {
    if ((block[word] & filter_bit(key, word)) == 0) return false;
  }
  return true;
}

// Sets the bits of all keys in a filter that is zero.
inline void fill_filter(std::span<const std::uint64_t> keys, std::span<FilterBlock> filter) {
  for (std::uint64_t key : keys) {
    FilterBlock& block = filter[filter_block(key, filter.size())];
    for (std::size_t word = 0; word < block.size(); ++word) block[word] |= filter_bit(key, word);
  }
}

struct SortedKeys {
  std::span<const std::uint64_t> keys;
  std::span<const std::int64_t> positions;
};

inline void find_in_segment(std::span<const FilterBlock> filter, SortedKeys segment,
                            std::span<const std::uint64_t> probes, KeyHits& hits) {
  constexpr std::size_t ahead = 16;
  for (std::size_t i = 0; i < probes.size(); ++i) {
    if (i + ahead < probes.size()) __builtin_prefetch(&filter[filter_block(probes[i + ahead], filter.size())]);
    const std::uint64_t key = probes[i];
    if (key == 0 || !filter_may_hold(filter[filter_block(key, filter.size())], key)) continue;
    auto found = std::lower_bound(segment.keys.begin(), segment.keys.end(), key);
    for (; found != segment.keys.end() && *found == key; ++found) {
      hits.probes.push_back(static_cast<std::int64_t>(i));
      hits.positions.push_back(segment.positions[static_cast<std::size_t>(found - segment.keys.begin())]);
    }
  }
}

// Merges sorted parts into one. The parts are few, so the least head is found by looking at all of them.
inline void merge_sorted(std::vector<SortedKeys> parts, std::span<std::uint64_t> keys,
                         std::span<std::int64_t> positions) {
  std::erase_if(parts, [](const SortedKeys& part) { return part.keys.empty(); });
  for (std::size_t out = 0; !parts.empty(); ++out) {
    std::size_t least = 0;
    for (std::size_t i = 1; i < parts.size(); ++i) {
      if (parts[i].keys.front() < parts[least].keys.front()) least = i;
    }
    SortedKeys& part = parts[least];
    keys[out] = part.keys.front();
    positions[out] = part.positions.front();
    part = {part.keys.subspan(1), part.positions.subspan(1)};
    if (part.keys.empty()) parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(least));
  }
}

}  // namespace feedmill
