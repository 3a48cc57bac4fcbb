// What arguments of a table must be, beside their ids. Each throws invalid_argument, and names what is wrong and where.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>

namespace feedmill::table {

// A gradient beyond this is a diverged model's.
inline constexpr float kLargestGradient = 1e15f;
// What the gradients of an id may add up to: its square is finite.
inline constexpr float kLargestSum = 1e18f;

inline void check_offsets(std::span<const std::uint64_t> ids, std::span<const std::int64_t> offsets) {
  if (offsets.empty() || offsets.front() != 0) throw std::invalid_argument("offsets must begin with 0");
  for (std::size_t bag = 1; bag < offsets.size(); ++bag)
    if (offsets[bag] < offsets[bag - 1])
      throw std::invalid_argument("offsets[" + std::to_string(bag) + "] is less than the one before it");
  if (offsets.back() != static_cast<std::int64_t>(ids.size()))
    throw std::invalid_argument("offsets end at " + std::to_string(offsets.back()) + ", but there are " +
                                std::to_string(ids.size()) + " ids");
}

inline void check_gradients(const float* gradients, std::size_t bags, std::uint32_t dimension) {
  const std::size_t size = bags * dimension;
  int good = 1;
  for (std::size_t i = 0; i < size; ++i) good &= std::fabs(gradients[i]) <= kLargestGradient;
  if (good) return;
  std::size_t i = 0;
  while (std::fabs(gradients[i]) <= kLargestGradient) ++i;
  throw std::invalid_argument("gradients[" + std::to_string(i / dimension) + ", " + std::to_string(i % dimension) +
                              "] is " + std::to_string(gradients[i]) + ": it must be finite and within 1e15");
}

// sums: [ids, dimension], of the gradients of each id.
inline void check_sums(const float* sums, std::span<const std::uint64_t> ids, std::uint32_t dimension) {
  const std::size_t size = ids.size() * dimension;
  int good = 1;
  for (std::size_t i = 0; i < size; ++i) good &= std::fabs(sums[i]) <= kLargestSum;
  if (good) return;
  std::size_t i = 0;
  while (std::fabs(sums[i]) <= kLargestSum) ++i;
  throw std::invalid_argument("gradients: those of the id " + std::to_string(ids[i / dimension]) + " add up to " +
                              std::to_string(sums[i]) + ", beyond 1e18");
}

inline void check_vectors(const float* vectors, std::size_t ids, std::uint32_t dimension) {
  for (std::size_t i = 0; i < ids * dimension; ++i)
    if (!std::isfinite(vectors[i]))
      throw std::invalid_argument("vectors[" + std::to_string(i / dimension) + ", " +
                                  std::to_string(i % dimension) + "] is " + std::to_string(vectors[i]) +
                                  ": it must be finite");
}

}  // namespace feedmill::table
