#include <nanobind/nanobind.h>

namespace nb = nanobind;

void bind_table(nb::module_& m);
void bind_cosine(nb::module_& m);
void bind_key_filter(nb::module_& m);
void bind_state(nb::module_& m);

NB_MODULE(_native, m) {
  // An object that a module of the application still holds when the interpreter ends is no leak of ours.
  nb::set_leak_warnings(false);
  bind_cosine(m);
  bind_key_filter(m);
  bind_state(m);
  bind_table(m);
}
