// What the machine can do, for benchmarks/table.py: bare loops over random memory, and the index alone at a given load.

#include <chrono>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

#include "table_find.h"

using namespace feedmill::table;

namespace {

constexpr std::size_t kBatch = 65'536, kAsked = 32;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void touch(Region& region) {
  region.ask_for_huge_pages();
  for (std::size_t at = 0; at < region.bytes(); at += 4096) region.data()[at] = std::byte{1};
}

std::size_t below(std::uint64_t random, std::size_t n) { return static_cast<std::size_t>((random >> 32) * n >> 32); }

// One thread's share: batches of random positions, made before each is timed.
template <class Access>
double timed(std::size_t n, std::size_t lines, std::size_t rows, std::uint64_t seed, Region& index, Region& data,
             std::size_t stride, Access access) {
  std::vector<std::uint32_t> line(kBatch), row(kBatch);
  double seconds = 0.0;
  for (std::size_t done = 0; done < n; done += kBatch) {
    for (std::size_t k = 0; k < kBatch; ++k) {
      line[k] = static_cast<std::uint32_t>(below(mix64(seed += kGolden), lines));
      row[k] = static_cast<std::uint32_t>(below(mix64(seed += kGolden), rows));
    }
    const auto start = std::chrono::steady_clock::now();
    for (std::size_t k = 0; k < kBatch + kAsked; ++k) {
      if (k < kBatch) {
        prefetch_line(index.data() + std::size_t{64} * line[k]);
        for (std::size_t at = 0; at < stride; at += 64) prefetch_line(data.data() + stride * row[k] + at);
      }
      if (k >= kAsked)
        access(k - kAsked, index.data() + std::size_t{64} * line[k - kAsked], data.data() + stride * row[k - kAsked]);
    }
    seconds += seconds_since(start);
  }
  return seconds;
}

template <class Run>
double on_threads(unsigned threads, std::size_t n, Run run) {
  std::vector<double> rates(threads);
  std::vector<std::jthread> others;
  for (unsigned t = 0; t < threads; ++t)
    others.emplace_back([&, t] { rates[t] = static_cast<double>(n) / run(t); });
  others.clear();
  double rate = 0.0;
  for (const double r : rates) rate += r;
  return rate;
}

}  // namespace

extern "C" {

// Rows a second: one random word of a region as large as an index is read, and one random row copied.
double read_limit(std::size_t index_bytes, std::size_t rows, std::size_t row_bytes, std::size_t n, unsigned threads) {
  Region index(index_bytes), data(rows * row_bytes);
  touch(index);
  touch(data);
  volatile std::uint64_t sink = 0;
  return on_threads(threads, n, [&](unsigned t) {
    std::vector<std::byte> out(kBatch * row_bytes);
    std::uint64_t sum = 0;
    const double seconds = timed(n, index.bytes() / 64, rows, t, index, data, row_bytes,
                                 [&](std::size_t k, std::byte* word, std::byte* row) {
                                   std::uint64_t read;
                                   std::memcpy(&read, word, sizeof read);
                                   sum += read;
                                   std::memcpy(out.data() + k * row_bytes, row, row_bytes);
                                 });
    sink = sink + sum;
    return seconds;
  });
}

// Rows a second: one random word of such a region is read, and every word of a random row increased.
double write_limit(std::size_t index_bytes, std::size_t rows, std::size_t row_bytes, std::size_t n, unsigned threads) {
  Region index(index_bytes), data(rows * row_bytes);
  touch(index);
  touch(data);
  volatile std::uint64_t sink = 0;
  return on_threads(threads, n, [&](unsigned t) {
    std::uint64_t sum = 0;
    // Threads keep to rows of their own.
    const std::size_t own = rows / threads;
    const double seconds = timed(n, index.bytes() / 64, own, t, index, data, row_bytes,
                                 [&](std::size_t, std::byte* word, std::byte* row) {
                                   std::uint64_t read;
                                   std::memcpy(&read, word, sizeof read);
                                   sum += read;
                                   auto* numbers = reinterpret_cast<std::uint32_t*>(row + t * own * row_bytes);
                                   for (std::size_t w = 0; w < row_bytes / 4; ++w) numbers[w] += 1;
                                 });
    sink = sink + sum;
    return seconds;
  });
}

// Finds a second in the index alone, of so many ids at about this load; `reached` is the load that it has.
double find_rate(std::size_t ids, double load, std::size_t n, double* reached) {
  Epochs epochs;
  Index index(epochs);
  index.reserve(static_cast<std::size_t>(static_cast<double>(ids) * 0.87 / load));
  const auto id_of = [](std::size_t key) { return std::uint64_t{1} << 52 | mix64(key + 1) >> 12; };
  for (std::size_t key = 0; key < ids; ++key) index.insert(id_of(key), static_cast<std::uint32_t>(key), 1);
  *reached = static_cast<double>(ids) / static_cast<double>(index.cells());
  const FindMany find = finder(best_kernel());
  std::vector<std::uint64_t> asked(kBatch);
  std::vector<std::uint32_t> rows(kBatch);
  std::uint64_t random = 1, sum = 0;
  double seconds = 0.0;
  for (std::size_t done = 0; done < n; done += kBatch) {
    for (auto& id : asked) id = id_of(below(mix64(random += kGolden), ids));
    const auto start = std::chrono::steady_clock::now();
    for (std::size_t k = 0; k < kBatch; k += kChunk) find(index, &asked[k], kChunk, &rows[k]);
    seconds += seconds_since(start);
    for (const std::uint32_t row : rows) sum += row == kNoRow;
  }
  return sum == 0 ? static_cast<double>(n) / seconds : 0.0;
}

}  // extern "C"
