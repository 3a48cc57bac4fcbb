#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/vector.h>

#include <stdexcept>

#include "key_filter.h"
#include "numpy_arrays.h"

namespace nb = nanobind;
using namespace feedmill;

namespace {

template <typename T>
using Out = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using InBlocks = nb::ndarray<const std::uint32_t, nb::shape<-1, 8>, nb::c_contig, nb::device::cpu>;
using OutBlocks = nb::ndarray<std::uint32_t, nb::shape<-1, 8>, nb::c_contig, nb::device::cpu>;

SortedKeys sorted_keys(const In<std::uint64_t>& keys, const In<std::int64_t>& positions) {
  if (keys.shape(0) != positions.shape(0)) throw std::invalid_argument("keys and positions differ in length");
  return {view(keys), view(positions)};
}

using Hits = std::pair<Array<std::int64_t>, Array<std::int64_t>>;

Hits to_hits(KeyHits&& hits) { return {to_numpy(std::move(hits.probes)), to_numpy(std::move(hits.positions))}; }

Hits find_in_map(const KeyMap& map, In<std::uint64_t> keys) {
  KeyHits hits;
  map.find(view(keys), hits);
  return to_hits(std::move(hits));
}

std::pair<Array<std::uint64_t>, Array<std::int64_t>> sorted_map(const KeyMap& map) {
  std::vector<std::uint64_t> keys;
  std::vector<std::int64_t> positions;
  {
    nb::gil_scoped_release unlocked;
    const std::vector<KeyPosition> all = map.sorted();
    keys.reserve(all.size());
    positions.reserve(all.size());
    for (const KeyPosition& entry : all) {
      keys.push_back(entry.key);
      positions.push_back(entry.position);
    }
  }
  return {to_numpy(std::move(keys)), to_numpy(std::move(positions))};
}

void fill_key_filter(In<std::uint64_t> keys, OutBlocks filter) {
  if (filter.shape(0) == 0) throw std::invalid_argument("a filter has at least one block");
  nb::gil_scoped_release unlocked;
  fill_filter(view(keys), {reinterpret_cast<FilterBlock*>(filter.data()), filter.shape(0)});
}

Hits find_keys(InBlocks filter, In<std::uint64_t> keys, In<std::int64_t> positions, In<std::uint64_t> probes) {
  const SortedKeys segment = sorted_keys(keys, positions);
  if (filter.shape(0) == 0) throw std::invalid_argument("a filter has at least one block");
  KeyHits hits;
  find_in_segment({reinterpret_cast<const FilterBlock*>(filter.data()), filter.shape(0)}, segment, view(probes), hits);
  return to_hits(std::move(hits));
}

void merge_keys(const std::vector<std::pair<In<std::uint64_t>, In<std::int64_t>>>& parts, Out<std::uint64_t> keys,
                Out<std::int64_t> positions) {
  std::vector<SortedKeys> sorted;
  std::size_t total = 0;
  for (const auto& [part_keys, part_positions] : parts) {
    sorted.push_back(sorted_keys(part_keys, part_positions));
    total += part_keys.shape(0);
  }
  if (keys.shape(0) != total || positions.shape(0) != total) {
    throw std::invalid_argument("the result needs as many keys and positions as the parts have together");
  }
  nb::gil_scoped_release unlocked;
  merge_sorted(std::move(sorted), {keys.data(), total}, {positions.data(), total});
}

}  // namespace

void bind_key_filter(nb::module_& m) {
  nb::class_<KeyMap>(m, "KeyMap")
      .def(nb::init<std::size_t>(), nb::arg("expected"))
      .def("__len__", &KeyMap::size)
      .def(
          "add",
          [](KeyMap& map, In<std::uint64_t> keys, In<std::int64_t> positions) {
            const SortedKeys added = sorted_keys(keys, positions);
            map.add(added.keys, added.positions);
          },
          nb::arg("keys"), nb::arg("positions"))
      .def("find", &find_in_map, nb::arg("keys"))
      .def("sorted", &sorted_map);
  m.def("key_filter_blocks", &filter_blocks, nb::arg("keys"));
  m.def("fill_key_filter", &fill_key_filter, nb::arg("keys"), nb::arg("filter").noconvert());
  m.def("find_keys", &find_keys, nb::arg("filter"), nb::arg("keys"), nb::arg("positions"), nb::arg("probes"));
  m.def("merge_keys", &merge_keys, nb::arg("parts"), nb::arg("keys").noconvert(), nb::arg("positions").noconvert());
}
