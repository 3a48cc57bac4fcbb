// Vectors that grow to gigabytes: on huge pages, where the system gives them. Memory that is touched first is zeroed page by
// page, and in a virtual machine fetched from the host: a gigabyte in pages of 4 KB took 2 seconds.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdlib>
#include <new>
#include <vector>

namespace feedmill {

template <class T>
struct HugeAllocator {
  using value_type = T;

  HugeAllocator() = default;
  template <class U>
  HugeAllocator(const HugeAllocator<U>&) noexcept {}

  T* allocate(std::size_t n) {
    if (is_small(n)) return static_cast<T*>(::operator new(n * sizeof(T)));
    const std::size_t bytes = (n * sizeof(T) + kHugePage - 1) / kHugePage * kHugePage;
    void* start = std::aligned_alloc(kHugePage, bytes);
    if (start == nullptr) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
    ::madvise(start, bytes, MADV_HUGEPAGE);
#endif
    return static_cast<T*>(start);
  }
  void deallocate(T* start, std::size_t n) noexcept {
    if (is_small(n)) {
      ::operator delete(start);
    } else {
      std::free(start);
    }
  }

  template <class U>
  bool operator==(const HugeAllocator<U>&) const noexcept {
    return true;
  }

 private:
  static constexpr std::size_t kHugePage = std::size_t{2} << 20;

  static bool is_small(std::size_t n) noexcept { return n < 2 * kHugePage / sizeof(T); }
};

template <class T>
using HugeVector = std::vector<T, HugeAllocator<T>>;

}  // namespace feedmill
