// The two hashes of the table: where an id lies in an index, and what its vector starts from.
#pragma once

#include <cstdint>

namespace feedmill::table {

inline constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15u;

// The output function of SplitMix64 (Steele, Lea and Flood, 2014): a bijection in which every input bit moves every
// output bit.
constexpr std::uint64_t mix64(std::uint64_t x) noexcept {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

// The key of the stream of random words that a feature id starts from, under a table's seed.
constexpr std::uint64_t stream_key(std::uint64_t seed, std::uint64_t id) noexcept {
  return mix64(id ^ mix64(seed + kGolden));
}

// Word `column` of a stream as a number in [-1, 1), a multiple of 2^-23 and so exact in a float.
constexpr float signed_unit(std::uint64_t key, std::uint64_t column) noexcept {
  const std::uint64_t word = mix64(key + (column + 1) * kGolden);
  return static_cast<float>(word >> 40) * 0x1p-23f - 1.0f;
}

}  // namespace feedmill::table
