// What the processor can do, chosen at run time: one module runs everywhere.
#pragma once

#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
#include <immintrin.h>
#define FEEDMILL_X86_KERNELS 1
#define FEEDMILL_TARGET(name) __attribute__((target(name)))
#else
#define FEEDMILL_X86_KERNELS 0
#endif

namespace feedmill::table {

// The vector kernels load ids in lanes of 64 bits, each of which the processor reads whole; the thread sanitizer cannot
// know that, and is given the portable one. Arithmetic gives the same bits with each: it is not contracted or reordered.
enum class Kernel { portable, avx2, avx512 };

inline bool has(Kernel kernel) noexcept {
#if FEEDMILL_X86_KERNELS
  __builtin_cpu_init();
  if (kernel == Kernel::avx512) return __builtin_cpu_supports("avx512f");
  if (kernel == Kernel::avx2) return __builtin_cpu_supports("avx2");
#endif
  return kernel == Kernel::portable;
}

inline Kernel best_kernel() noexcept {
  return has(Kernel::avx512) ? Kernel::avx512 : has(Kernel::avx2) ? Kernel::avx2 : Kernel::portable;
}

}  // namespace feedmill::table
