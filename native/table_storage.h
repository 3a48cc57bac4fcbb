// How the numbers of a vector are kept: float32 where they are learned; rounded in copies that only serve.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace feedmill::table {

// bfloat16: the upper half of a float32, rounded to nearest, ties to even. int8: a multiple of -127 to 127 of a float32
// that stands before the vector, a 127th of its largest number. A finite number stays finite.
enum class Storage : std::uint32_t { float32, bfloat16, int8 };

// Of a vector, without padding.
constexpr std::size_t packed_bytes(Storage storage, std::uint32_t dimension) noexcept {
  switch (storage) {
    case Storage::bfloat16: return std::size_t{dimension} * 2;
    case Storage::int8: return sizeof(float) + dimension;
    default: return std::size_t{dimension} * sizeof(float);
  }
}

// 127 of it are finite.
inline constexpr float kLargestScale = 0x1.020406p+121f;

inline std::uint16_t bfloat16_of(float number) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(number);
  const std::uint32_t rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
  // What would round to infinity.
  return static_cast<std::uint16_t>((rounded & 0x7FFF) == 0x7F80 ? rounded - 1 : rounded);
}

// `packed` takes `packed_bytes`. The numbers are finite.
inline void pack(Storage storage, const float* vector, std::uint32_t dimension, std::byte* packed) noexcept {
  if (storage == Storage::float32) {
    std::memcpy(packed, vector, dimension * sizeof(float));
  } else if (storage == Storage::bfloat16) {
    for (std::uint32_t c = 0; c < dimension; ++c) {
      const std::uint16_t half = bfloat16_of(vector[c]);
      std::memcpy(packed + 2 * c, &half, sizeof half);
    }
  } else {
    float largest = 0.0f;
    for (std::uint32_t c = 0; c < dimension; ++c) largest = std::max(largest, std::fabs(vector[c]));
    const float scale = std::min(largest / 127.0f, kLargestScale);
    std::memcpy(packed, &scale, sizeof scale);
    for (std::uint32_t c = 0; c < dimension; ++c) {
      // Next to the smallest and the largest numbers there are, the scale itself is rounded.
      const float steps = scale > 0.0f ? std::clamp(std::nearbyint(vector[c] / scale), -127.0f, 127.0f) : 0.0f;
      packed[sizeof scale + c] = static_cast<std::byte>(static_cast<std::int8_t>(steps));
    }
  }
}

template <Storage kStorage>
[[gnu::always_inline]] inline void unpack(const std::byte* packed, std::uint32_t dimension, float* vector) noexcept {
  if constexpr (kStorage == Storage::float32) {
    std::memcpy(vector, packed, dimension * sizeof(float));
  } else if constexpr (kStorage == Storage::bfloat16) {
    for (std::uint32_t c = 0; c < dimension; ++c) {
      std::uint16_t half;
      std::memcpy(&half, packed + 2 * c, sizeof half);
      vector[c] = std::bit_cast<float>(std::uint32_t{half} << 16);
    }
  } else {
    float scale;
    std::memcpy(&scale, packed, sizeof scale);
    for (std::uint32_t c = 0; c < dimension; ++c)
      vector[c] = scale * static_cast<float>(static_cast<std::int8_t>(packed[sizeof scale + c]));
  }
}

}  // namespace feedmill::table
