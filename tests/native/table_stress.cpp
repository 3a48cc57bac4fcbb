// Readers, a writer, expiry and snapshots on one table at once, for a time; for the sanitizers, and for torn rows.
//
//     table_stress SECONDS

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "table.h"

using namespace feedmill::table;

namespace {

constexpr std::uint32_t kDimension = 11;
constexpr std::uint64_t kIds = 60'000;

constexpr std::uint64_t kLearned = 1, kPut = 2;  // slots: of one rows learn, of the other they are put, and expire

std::uint64_t id_of(std::uint64_t slot, std::uint64_t key) { return slot << kValueBits | mix64(key + 1) >> 12; }

// What is put for an id is always the same, so a row that is another id's is known.
float put_value(std::uint64_t id) { return 1.0f + static_cast<float>(id % 4096); }

void fail(const char* what) {
  std::fprintf(stderr, "%s\n", what);
  std::_Exit(1);
}

// Every update gives all columns of a row the same gradient, so they are equal at every moment.
void check(const float* row) {
  for (std::uint32_t c = 1; c < kDimension; ++c)
    if (row[c] != row[0]) fail("a row was seen half written");
}

void check(std::uint64_t id, const float* row) {
  check(row);
  if (id >> kValueBits == kPut && row[0] != 0.0f && row[0] != put_value(id)) fail("a row of another id was seen");
}

}  // namespace

int main(int count, char** arguments) {
  const double seconds = count > 1 ? std::atof(arguments[1]) : 1.0;
  SlotRules rules;
  for (std::uint32_t slot = 1; slot <= 2; ++slot) {
    SlotRule rule;
    rule.segments = {{kDimension, Optimizer::adagrad, {0.1f, 0.1f, 0.0f, 0.0f}, 0.0f, 0.0f, 0.0f}};
    if (slot == kPut) rule.time_to_live = 3;
    rules.add(slot, rule);
  }
  Table table(7, rules);
  // The same rows as are put there, rounded: equal numbers stay equal.
  Table halves(7, rules, Storage::bfloat16), bytes(7, rules, Storage::int8);
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> lookups{0}, pools{0}, snapshots{0}, touches{0};

  std::vector<std::thread> threads;
  for (std::uint64_t reader = 0; reader < 2; ++reader)
    threads.emplace_back([&, reader] {
      std::uint64_t random = reader + 1;
      std::vector<std::uint64_t> ids(300);
      std::vector<float> rows(ids.size() * kDimension);
      const std::vector<std::int64_t> offsets{0, 100, 100, 300};
      while (!done) {
        for (auto& id : ids) {
          random = mix64(random + kGolden);
          id = id_of(1 + random % 2, (random >> 8) % kIds);
        }
        table.lookup(ids, kDimension, rows.data());
        for (std::size_t k = 0; k < ids.size(); ++k) check(ids[k], &rows[k * kDimension]);
        for (const Table* copy : {&halves, &bytes}) {
          copy->lookup(ids, kDimension, rows.data());
          for (std::size_t k = 0; k < ids.size(); ++k) check(&rows[k * kDimension]);
        }
        ++lookups;
        table.pooled_lookup(ids, offsets, true, kDimension, rows.data());
        for (std::size_t bag = 0; bag < 3; ++bag) check(&rows[bag * kDimension]);
        ++pools;
      }
    });
  threads.emplace_back([&] {
    while (!done) {
      const int file = ::open("/dev/null", O_WRONLY);
      table.write(file, "head", [] {});
      ::close(file);
      ++snapshots;
    }
  });
  threads.emplace_back([&] {
    while (!done) {
      for (const std::uint64_t id : table.touched(table.version() / 2))
        if (!table.rules().knows(id)) fail("an id that nobody gave was touched");
      if (table.stats().rows > 2 * kIds) fail("there are more rows than ids");
      ++touches;
    }
  });

  std::uint64_t random = 99, updates = 0;
  std::vector<std::uint64_t> ids(200);
  std::vector<std::int64_t> offsets(ids.size() + 1);
  for (std::size_t k = 0; k <= ids.size(); ++k) offsets[k] = static_cast<std::int64_t>(k);
  std::vector<float> values(ids.size() * kDimension);
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (std::chrono::steady_clock::now() < end) {
    const auto now = static_cast<std::uint32_t>(updates / 300);
    // What is written wanders over the ids, so that some are forgotten, come again, and make the table grow and shrink.
    const std::uint64_t first = updates * 40 % kIds, slot = 1 + updates % 2;
    for (std::size_t k = 0; k < ids.size(); ++k) {
      ids[k] = id_of(slot, (first + (random = mix64(random + kGolden)) % 20'000) % kIds);
      std::fill_n(&values[k * kDimension], kDimension, slot == kPut ? put_value(ids[k]) : signed_unit(random, k));
    }
    if (slot == kPut)
      table.put(ids, values.data(), kDimension, now);
    else
      table.update(ids, offsets, values.data(), kDimension, false, now);
    for (Table* copy : {&halves, &bytes}) {
      copy->put(ids, values.data(), kDimension, now);
      if (updates % 50 == 0) copy->expire(now, 5'000);
    }
    if (updates % 50 == 0) table.expire(now, updates % 100 == 0 ? 5'000 : SIZE_MAX);
    ++updates;
  }
  done = true;
  for (auto& thread : threads) thread.join();
  std::printf("{\"updates\": %llu, \"lookups\": %llu, \"snapshots\": %llu, \"touched\": %llu, \"rows\": %llu}\n",
              static_cast<unsigned long long>(updates), static_cast<unsigned long long>(lookups.load()),
              static_cast<unsigned long long>(snapshots.load()), static_cast<unsigned long long>(touches.load()),
              static_cast<unsigned long long>(table.size()));
}
