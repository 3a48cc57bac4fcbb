#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <array>
#include <cerrno>
#include <memory>
#include <tuple>

#include "table.h"

namespace nb = nanobind;
using namespace nb::literals;
using feedmill::table::Kernel;
using feedmill::table::Optimizer;
using feedmill::table::SlotRule;
using feedmill::table::SlotRules;
using feedmill::table::Storage;
using feedmill::table::Table;
using feedmill::table::TableStats;

namespace {

using Ids = nb::ndarray<const std::uint64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Offsets = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Matrix = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Rows = nb::ndarray<float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
// width, optimizer, its parameters, initial scale, l2, clip
using SegmentTuple = std::tuple<std::uint32_t, std::uint32_t, std::array<float, 4>, float, float, float>;
// number, segments, admission, its probability, time to live
using SlotTuple =
    std::tuple<std::uint32_t, std::vector<SegmentTuple>, std::uint32_t, double, std::optional<std::uint32_t>>;

std::span<const std::uint64_t> span_of(const Ids& ids) { return {ids.data(), ids.shape(0)}; }
std::span<const std::int64_t> span_of(const Offsets& offsets) { return {offsets.data(), offsets.shape(0)}; }

// Runs without the interpreter's lock, so that other Python threads go on while this one computes or waits.
template <class Action>
auto released(Action action) {
  nb::gil_scoped_release release;
  return action();
}

Kernel kernel_of(std::string_view name) {
  constexpr std::pair<std::string_view, Kernel> kKernels[] = {
      {"portable", Kernel::portable}, {"avx2", Kernel::avx2}, {"avx512", Kernel::avx512}};
  if (name == "auto") return feedmill::table::best_kernel();
  for (const auto& [known, kernel] : kKernels)
    if (known == name && feedmill::table::has(kernel)) return kernel;
  throw std::invalid_argument("kernel: this processor has no " + std::string(name));
}

void construct(Table* table, std::uint64_t seed, const std::vector<SlotTuple>& slots, std::size_t waiting,
               std::uint32_t storage, std::string_view kernel) {
  SlotRules rules;
  rules.waiting = waiting;
  for (const auto& [number, parts, admission, probability, time_to_live] : slots) {
    SlotRule rule{0, admission, probability, time_to_live, {}, {}};
    for (const auto& [width, optimizer, parameters, initial_scale, l2, clip] : parts)
      rule.segments.push_back({width, static_cast<Optimizer>(optimizer), parameters, initial_scale, l2, clip});
    rules.add(number, std::move(rule));
  }
  new (table) Table(seed, std::move(rules), static_cast<Storage>(storage), kernel_of(kernel));
}

nb::ndarray<nb::numpy, std::uint64_t, nb::ndim<1>> touched(const Table& table, std::uint64_t since) {
  auto ids = std::make_unique<std::vector<std::uint64_t>>(released([&] { return table.touched(since); }));
  auto* kept = ids.get();
  nb::capsule owner(ids.release(), [](void* p) noexcept { delete static_cast<std::vector<std::uint64_t>*>(p); });
  return {kept->data(), {kept->size()}, owner};
}

void system_error_as_os_error(const std::exception_ptr& raised, void*) {
  try {
    std::rethrow_exception(raised);
  } catch (const std::system_error& error) {
    errno = error.code().value();
    PyErr_SetFromErrno(PyExc_OSError);
  }
}

}  // namespace

void bind_table(nb::module_& m) {
  nb::register_exception_translator(system_error_as_os_error);

  nb::class_<Table>(m, "Table")
      .def("__init__", construct, "seed"_a, "slots"_a, "waiting"_a, "storage"_a, "kernel"_a)
      .def("__len__", [](const Table& table) { return released([&] { return table.size(); }); })
      .def_prop_ro("version", [](const Table& table) { return released([&] { return table.version(); }); })
      .def("dimension_of", [](const Table& table, const Ids& ids) { return table.rules().dimension_of(span_of(ids)); },
           "ids"_a.noconvert())
      .def("lookup",
           [](const Table& table, const Ids& ids, const Rows& out, unsigned threads) {
             released([&] { table.lookup(span_of(ids), static_cast<std::uint32_t>(out.shape(1)), out.data(), threads); });
           },
           "ids"_a.noconvert(), "out"_a.noconvert(), "threads"_a)
      .def("pooled_lookup",
           [](const Table& table, const Ids& ids, const Offsets& offsets, bool mean, const Rows& out,
              unsigned threads) {
             released([&] {
               table.pooled_lookup(span_of(ids), span_of(offsets), mean, static_cast<std::uint32_t>(out.shape(1)),
                                   out.data(), threads);
             });
           },
           "ids"_a.noconvert(), "offsets"_a.noconvert(), "mean"_a, "out"_a.noconvert(), "threads"_a)
      .def("update",
           [](Table& table, const Ids& ids, const Offsets& offsets, const Matrix& gradients, bool mean,
              std::uint32_t now, unsigned threads) {
             released([&] {
               table.update(span_of(ids), span_of(offsets), gradients.data(),
                            static_cast<std::uint32_t>(gradients.shape(1)), mean, now, threads);
             });
           },
           "ids"_a.noconvert(), "offsets"_a.noconvert(), "gradients"_a.noconvert(), "mean"_a, "now"_a, "threads"_a)
      .def("put",
           [](Table& table, const Ids& ids, const Matrix& vectors, std::uint32_t now) {
             released([&] {
               table.put(span_of(ids), vectors.data(), static_cast<std::uint32_t>(vectors.shape(1)), now);
             });
           },
           "ids"_a.noconvert(), "vectors"_a.noconvert(), "now"_a)
      .def("touched", touched, "since"_a)
      .def("expire",
           [](Table& table, std::uint32_t now, std::size_t most) {
             return released([&] { return table.expire(now, most); });
           },
           "now"_a, "most"_a)
      .def("stats",
           [](const Table& table) {
             const TableStats s = released([&] { return table.stats(); });
             return std::make_tuple(s.rows, s.waiting, s.bytes, s.learned_bytes, s.huge_bytes, s.load);
           })
      .def("write", [](const Table& table, int file, const nb::bytes& head, const nb::callable& begun) {
             const std::string_view view(head.c_str(), head.size());
             released([&] {
               table.write(file, view, [&] {
                 const nb::gil_scoped_acquire held;
                 begun();
               });
             });
           },
           "file"_a, "head"_a, "begun"_a)
      .def("read", [](Table& table, int file, std::size_t head_bytes) {
             released([&] { table.read(file, head_bytes); });
           },
           "file"_a, "head_bytes"_a);
}
