#include <nanobind/nanobind.h>
#include <nanobind/stl/tuple.h>

#include <tuple>

#include "cosine.h"
#include "numpy_arrays.h"

namespace nb = nanobind;
using namespace feedmill;

namespace {

std::tuple<Array<std::int64_t>, Array<std::int32_t>, Array<float>> nearest(
    In<std::int64_t> bounds, In<std::int32_t> members, In<std::int64_t> holder_bounds, In<std::int32_t> holders,
    In<float> lengths, In<float> other_lengths, std::size_t count, float shrinkage, std::int64_t itself) {
  Neighbours found;
  {
    nb::gil_scoped_release unlocked;
    const Sets some{view(bounds), view(members)}, held{view(holder_bounds), view(holders)};
    held.check(other_lengths.shape(0));
    some.check(held.size());
    if (lengths.shape(0) != some.size()) throw std::invalid_argument("each set needs a length");
    found = nearest_sets(some, held, view(lengths), view(other_lengths), count, shrinkage, itself);
  }
  return {to_numpy(std::move(found.bounds)), to_numpy(std::move(found.sets)), to_numpy(std::move(found.cosines))};
}

}  // namespace

void bind_cosine(nb::module_& m) {
  m.def("nearest_sets", &nearest, nb::arg("bounds"), nb::arg("members"), nb::arg("holder_bounds"), nb::arg("holders"),
        nb::arg("lengths"), nb::arg("other_lengths"), nb::arg("count"), nb::arg("shrinkage"), nb::arg("itself"));
}
