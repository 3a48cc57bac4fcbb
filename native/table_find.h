// Finding many ids at once, by what the processor can do: AVX-512 compares a bucket in one instruction, AVX2 in two. The
// portable way compares cell by cell without a branch, and is what other architectures run.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "table_index.h"
#include "table_kernel.h"

namespace feedmill::table {

// The most ids that are found together: so many that it does not matter what is waited for at the beginning and the end.
inline constexpr std::size_t kChunk = 1024;
// How many ids before its turn the memory of one is asked for.
inline constexpr std::size_t kAhead = 64;

// rows[k]: the row of ids[k], or kNoRow. Id 0 has no row.
using FindMany = void (*)(const Index&, const std::uint64_t* ids, std::size_t n, std::uint32_t* rows) noexcept;

namespace kernels {

// Whether a bucket has the id, which it does in one of these cells if in any; and its row.
[[gnu::always_inline]] inline bool take_row(const Bucket& bucket, std::uint64_t id, std::uint32_t cells,
                                            std::uint32_t& row) noexcept {
  const auto cell = static_cast<std::uint32_t>(__builtin_ctz(cells | 1u << (Bucket::kCells - 1)));
  row = bucket.rows[cell].load(std::memory_order_acquire);
  // Unless the cell has been given to another id in between, this is the row.
  return (bucket.ids[cell].load(std::memory_order_relaxed) == id) & (id != 0);
}

// Looks into the first bucket of every id without a branch that the data decides, then into the second of the one in seven
// that is not there, and of what has no row.
template <class Match>
[[gnu::always_inline]] inline void find_many(const Index& index, const std::uint64_t* ids, std::size_t n,
                                             std::uint32_t* rows, Match match) noexcept {
  std::array<const Bucket*, kAhead> buckets;
  std::array<std::uint16_t, kChunk> late;
  std::array<const Bucket*, kChunk> seconds;
  std::size_t n_late = 0;
  for (std::size_t k = 0; k < std::min(kAhead, n); ++k) buckets[k] = index.prefetch(mix64(ids[k])).bucket;
  for (std::size_t k = 0; k < n; ++k) {
    const Bucket& first = *buckets[k % kAhead];
    if (k + kAhead < n) buckets[k % kAhead] = index.prefetch(mix64(ids[k + kAhead])).bucket;
    const bool here = take_row(first, ids[k], match(first, ids[k]), rows[k]);
    late[n_late] = static_cast<std::uint16_t>(k);
    n_late += !here;
  }
  for (std::size_t l = 0; l < n_late; ++l) {
    seconds[l] = index.second(ids[late[l]]);
    prefetch_line(seconds[l]);
  }
  for (std::size_t l = 0; l < n_late; ++l) {
    const std::uint64_t id = ids[late[l]];
    if (std::uint32_t& row = rows[late[l]]; !take_row(*seconds[l], id, match(*seconds[l], id), row))
      row = id == 0 ? kNoRow : index.find(id);
  }
}

struct MatchPortable {
  std::uint32_t operator()(const Bucket& bucket, std::uint64_t id) const noexcept {
    std::uint32_t cells = 0;
    for (std::uint32_t cell = 0; cell < Bucket::kCells; ++cell)
      cells |= static_cast<std::uint32_t>(bucket.ids[cell].load(std::memory_order_acquire) == id) << cell;
    return cells;
  }
};

inline void find_portable(const Index& index, const std::uint64_t* ids, std::size_t n, std::uint32_t* rows) noexcept {
  find_many(index, ids, n, rows, MatchPortable());
}

#if FEEDMILL_X86_KERNELS
struct MatchAvx2 {
  FEEDMILL_TARGET("avx2") std::uint32_t operator()(const Bucket& bucket, std::uint64_t id) const noexcept {
    const __m256i four = _mm256_load_si256(reinterpret_cast<const __m256i*>(&bucket));
    const __m256i equal = _mm256_cmpeq_epi64(four, _mm256_set1_epi64x(static_cast<long long>(id)));
    const auto cells = static_cast<std::uint32_t>(_mm256_movemask_pd(_mm256_castsi256_pd(equal)));
    return cells | static_cast<std::uint32_t>(bucket.ids[4].load(std::memory_order_acquire) == id) << 4;
  }
};
FEEDMILL_TARGET("avx2")
inline void find_avx2(const Index& index, const std::uint64_t* ids, std::size_t n, std::uint32_t* rows) noexcept {
  find_many(index, ids, n, rows, MatchAvx2());
}

struct MatchAvx512 {
  FEEDMILL_TARGET("avx512f") std::uint32_t operator()(const Bucket& bucket, std::uint64_t id) const noexcept {
    const __m512i all = _mm512_load_si512(&bucket);
    return _mm512_mask_cmpeq_epi64_mask(0x1F, all, _mm512_set1_epi64(static_cast<long long>(id)));
  }
};
FEEDMILL_TARGET("avx512f")
inline void find_avx512(const Index& index, const std::uint64_t* ids, std::size_t n, std::uint32_t* rows) noexcept {
  find_many(index, ids, n, rows, MatchAvx512());
}
#endif

}  // namespace kernels

// The processor must have it.
inline FindMany finder(Kernel kernel) noexcept {
#if FEEDMILL_X86_KERNELS
  if (kernel == Kernel::avx512) return kernels::find_avx512;
  if (kernel == Kernel::avx2) return kernels::find_avx2;
#endif
  static_cast<void>(kernel);
  return kernels::find_portable;
}

}  // namespace feedmill::table
