// Which memory of this process the system has backed with huge pages.
#pragma once

#include <algorithm>
#include <cinttypes>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <vector>

namespace feedmill::table {

// As /proc/self/smaps says when this is made, which takes about a millisecond for a hundred mappings; nothing where there
// is no such file.
class HugePages {
 public:
  // Throws bad_alloc.
  HugePages() {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/proc/self/smaps", "r"), std::fclose);
    if (!file) return;
    char line[512];
    Mapping current{0, 0, 0};
    while (std::fgets(line, sizeof line, file.get()) != nullptr) {
      std::uintptr_t start = 0, end = 0;
      std::size_t kilobytes = 0;
      if (std::sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &start, &end) == 2)
        current = {start, end, 0};
      else if (std::sscanf(line, "AnonHugePages: %zu kB", &kilobytes) == 1 && kilobytes != 0)
        mappings_.push_back({current.start, current.end, kilobytes * 1024});
    }
  }

  // Bytes on huge pages among these. Of a mapping that goes beyond them its share, by length.
  std::size_t within(const void* data, std::size_t bytes) const noexcept {
    const auto first = reinterpret_cast<std::uintptr_t>(data), last = first + bytes;
    double huge = 0.0;
    for (const Mapping& mapping : mappings_) {
      const std::uintptr_t start = std::max(first, mapping.start), end = std::min(last, mapping.end);
      if (start < end)
        huge += static_cast<double>(mapping.huge) * static_cast<double>(end - start) /
                static_cast<double>(mapping.end - mapping.start);
    }
    return static_cast<std::size_t>(huge);
  }

 private:
  struct Mapping {
    std::uintptr_t start, end;
    std::size_t huge;
  };

  std::vector<Mapping> mappings_;  // that have any
};

}  // namespace feedmill::table
