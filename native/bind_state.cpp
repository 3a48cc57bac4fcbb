// Python's door to the fold: columns in, columns out. Columns are checked here; ordinals are checked against what was
// set, because a wrong one would read foreign memory.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <string>

#include "fold.h"
#include "gate.h"

namespace nb = nanobind;
using namespace nb::literals;
using namespace feedmill;

namespace {

template <typename T>
using Column = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <typename T>
using Matrix = nb::ndarray<const T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <typename T>
using Array = nb::ndarray<nb::numpy, T>;
using SlotTuple = std::tuple<std::string, uint32_t, std::vector<uint32_t>>;
using FeatureArrays = std::tuple<Array<uint64_t>, Array<int64_t>, Array<float>>;

template <typename T, typename A>
Array<T> give(std::vector<T, A>&& values, std::vector<size_t> shape) {
  auto owned = std::make_unique<std::vector<T, A>>(std::move(values));
  auto* kept = owned.get();
  nb::capsule owner(owned.release(), [](void* p) noexcept { delete static_cast<std::vector<T, A>*>(p); });
  return Array<T>(kept->data(), shape.size(), shape.data(), owner);
}

template <typename T, typename A>
Array<T> give(std::vector<T, A>&& values) {
  const size_t n = values.size();
  return give(std::move(values), {n});
}

FeatureArrays give(Output&& out, size_t rows, size_t columns) {
  return {give(std::move(out.ids)), give(std::move(out.offsets)), give(std::move(out.dense), {rows, columns})};
}

void require(bool holds, const char* what) {
  if (!holds) throw std::invalid_argument(what);
}

void check_item(const Fold& fold, int32_t item) {
  require(item >= 0 && size_t(item) < fold.items(), "an item's ordinal was never set");
}

struct Columns {
  Column<int32_t> users;
  Column<int32_t> items;
  Column<int64_t> times;
  Matrix<uint64_t> context;

  size_t size() const { return users.shape(0); }

  void check(const Fold& fold, uint32_t context_columns) const {
    require(items.shape(0) == size() && times.shape(0) == size() && context.shape(0) == size(),
            "columns differ in length");
    require(context.shape(1) == context_columns, "context has another number of columns than the configuration");
    for (size_t i = 0; i < size(); ++i) {
      require(users(i) >= -1 && users(i) < int64_t(fold.users()), "a user's ordinal was never set");
      require(items(i) >= -1 && items(i) < int64_t(fold.items()), "an item's ordinal was never set");
    }
  }

  Row row(size_t i) const { return {users(i), items(i), times(i), context.data() + i * context.shape(1)}; }
};

Entity make_entity(Column<uint64_t> components, Column<uint64_t> bag_ids, Column<uint32_t> bag_ends,
                   int64_t created_at) {
  Entity made;
  made.components.assign(components.data(), components.data() + components.shape(0));
  made.bag_ids.assign(bag_ids.data(), bag_ids.data() + bag_ids.shape(0));
  made.bag_ends.assign(bag_ends.data(), bag_ends.data() + bag_ends.shape(0));
  made.created_at = created_at;
  uint32_t last = 0;
  for (uint32_t end : made.bag_ends) {
    require(end >= last && end <= made.bag_ids.size(), "bag_ends must go up and end within bag_ids");
    last = end;
  }
  return made;
}

SlotKind slot_kind(const std::string& name) {
  if (name == "components") return SlotKind::kComponents;
  if (name == "user_bag") return SlotKind::kUserBag;
  if (name == "item_bag") return SlotKind::kItemBag;
  if (name == "age") return SlotKind::kAge;
  if (name == "history") return SlotKind::kHistory;
  throw std::invalid_argument("unknown kind of slot: " + name);
}

View make_view(const std::vector<SlotTuple>& slots, bool dense) {
  View view{{}, dense};
  for (const auto& [name, number, operands] : slots) {
    const SlotKind kind = slot_kind(name);
    const bool names_something = kind != SlotKind::kAge && kind != SlotKind::kHistory;
    require(!names_something || !operands.empty(), "a slot of this kind names what it reads");
    require(number >= 1 && number < 4096, "a slot's number lies between 1 and 4095");
    view.slots.push_back({kind, uint16_t(number), operands});
  }
  return view;
}

void check_config(const FoldConfig& config) {
  const size_t components = 1 + size_t(config.item_components) + config.context_columns;
  require(config.item_components >= 1, "an item has its key as its first component");
  require(components <= Fold::kMaxComponents, "there may be at most 64 components");
  require(!config.half_lives.empty(), "there must be at least one half-life");
  for (double half_life : config.half_lives) require(half_life >= 0, "a half-life must be 0 or more");
  require(config.half_lives.size() * (1 + config.binary.size()) <= Fold::kMaxStride,
          "half-lives times (1 + objectives) may be at most 256");
  require(config.smoothing > 0 && std::isfinite(config.smoothing), "smoothing must be positive and finite");
  require(config.history_length > 0, "history_length must be positive");
  require(config.popularity_half_life >= 0, "popularity_half_life must be 0 or more");
  for (const auto& group : config.groups) {
    require(!group.empty(), "a group of counters names its components");
    for (uint32_t operand : group) require(operand < components, "a group names no component");
  }
}

using CounterColumns = std::tuple<HugeVector<uint64_t>, HugeVector<int64_t>, HugeVector<float>>;

CounterColumns copy_of(const Counters& counters) { return {counters.keys(), counters.times(), counters.states()}; }

nb::tuple give(CounterColumns&& columns, size_t stride) {
  auto& [keys, times, states] = columns;
  const size_t n = keys.size();
  return nb::make_tuple(give(std::move(keys)), give(std::move(times)), give(std::move(states), {n, stride}));
}

Counters made_of(const Counters& like, const Column<uint64_t>& keys, const Column<int64_t>& times,
                 const Matrix<float>& states) {
  require(times.shape(0) == keys.shape(0) && states.shape(0) == keys.shape(0), "columns differ in length");
  require(states.shape(1) == like.stride(), "states has another number of columns than the configuration");
  return like.with(keys.data(), times.data(), states.data(), keys.shape(0));
}

// The fold as Python sees it. Readers run beside one writer; nobody holds the interpreter's lock while it works or
// waits.
class PyFold {
  template <class Action>
  auto reading(Action action) const {
    nb::gil_scoped_release release;
    return gate_.read(action);
  }
  template <class Action>
  auto writing(Action action) {
    nb::gil_scoped_release release;
    return gate_.write(action);
  }
  // What takes long to make is made beside readers and writers.
  template <class Part, class Make>
  void replace(Part& part, Make make) {
    nb::gil_scoped_release release;
    Part made = make();
    gate_.write([&] { std::swap(part, made); });
  }

 public:
  explicit PyFold(FoldConfig config)
      : item_components_(config.item_components), context_columns_(config.context_columns), fold_(std::move(config)) {}

  size_t dense_columns() const { return fold_.dense_columns(); }
  size_t users() const {
    return reading([&] { return fold_.users(); });
  }
  size_t items() const {
    return reading([&] { return fold_.items(); });
  }

  void set_user(uint32_t ordinal, Column<uint64_t> components, Column<uint64_t> bag_ids, Column<uint32_t> bag_ends) {
    require(components.shape(0) == 1, "a user has one component: its key");
    Entity user = make_entity(components, bag_ids, bag_ends, INT64_MIN);
    writing([&] {
      require(ordinal <= fold_.users(), "ordinals are set in order");
      fold_.set_user(ordinal, std::move(user));
    });
  }

  void set_item(uint32_t ordinal, Column<uint64_t> components, Column<uint64_t> bag_ids, Column<uint32_t> bag_ends,
                int64_t created_at) {
    require(components.shape(0) == item_components_, "components differ from the configuration");
    Entity item = make_entity(components, bag_ids, bag_ends, created_at);
    writing([&] {
      require(ordinal <= fold_.items(), "ordinals are set in order");
      fold_.set_item(ordinal, std::move(item));
    });
  }

  std::vector<FeatureArrays> run(Column<int32_t> users, Column<int32_t> items, Column<int64_t> times,
                                 Matrix<uint64_t> context, Column<uint8_t> flags, Matrix<float> outcomes,
                                 Column<float> weights, const std::vector<const View*>& views, Matrix<uint8_t> emit) {
    const Columns columns{users, items, times, context};
    const size_t n = columns.size();
    require(flags.shape(0) == n && outcomes.shape(0) == n && weights.shape(0) == n && emit.shape(0) == n,
            "columns differ in length");
    require(outcomes.shape(1) == fold_.outcomes(), "outcomes has another number of columns than objectives");
    require(emit.shape(1) == views.size(), "emit has another number of columns than views");
    for (const View* view : views) check(view);
    std::vector<Output> outputs(views.size());
    std::vector<size_t> rows(views.size(), 0);
    writing([&] {
      columns.check(fold_, context_columns_);
      for (size_t i = 0; i < n; ++i) {
        const Row row = columns.row(i);
        for (size_t v = 0; v < views.size(); ++v) {
          if (!emit(i, v)) continue;
          fold_.emit(*views[v], row, outputs[v]);
          ++rows[v];
        }
        fold_.apply(row, flags(i), outcomes.data() + i * fold_.outcomes(), weights(i));
      }
    });
    std::vector<FeatureArrays> given;
    for (size_t v = 0; v < views.size(); ++v) {
      given.push_back(give(std::move(outputs[v]), rows[v], views[v]->dense ? dense_columns() : 0));
    }
    return given;
  }

  FeatureArrays read(const View& view, Column<int32_t> users, Column<int32_t> items, Column<int64_t> times,
                     Matrix<uint64_t> context) const {
    const Columns columns{users, items, times, context};
    check(&view);
    Output out;
    reading([&] {
      columns.check(fold_, context_columns_);
      for (size_t i = 0; i < columns.size(); ++i) fold_.emit(view, columns.row(i), out);
    });
    return give(std::move(out), columns.size(), view.dense ? dense_columns() : 0);
  }

  Array<uint16_t> views(int32_t user, Column<int32_t> items) const {
    return ask<uint16_t>(user, items, [&](uint64_t pair) { return fold_.seen().views(pair); });
  }
  Array<uint8_t> hidden(int32_t user, Column<int32_t> items) const {
    return ask<uint8_t>(user, items, [&](uint64_t pair) { return uint8_t(fold_.seen().hidden(pair)); });
  }
  Array<uint32_t> impressions(Column<int32_t> items) const { return totals(fold_.impressions(), items); }
  Array<uint32_t> positives(Column<int32_t> items) const { return totals(fold_.positives(), items); }

  nb::tuple history(int64_t user) const {
    std::vector<int32_t> items;
    std::vector<float> weights;
    std::vector<int64_t> times;
    reading([&] {
      require(user >= -1 && user < int64_t(fold_.users()), "a user's ordinal was never set");
      if (user < 0) return;
      const auto& history = fold_.histories().of(uint32_t(user));
      for (size_t i = history.size(); i-- > 0;) {
        items.push_back(history[i].item);
        weights.push_back(history[i].weight);
        times.push_back(history[i].time);
      }
    });
    return nb::make_tuple(give(std::move(items)), give(std::move(weights)), give(std::move(times)));
  }

  nb::tuple partners(int32_t item) const {
    std::vector<int32_t> items;
    std::vector<float> weights;
    reading([&] {
      check_item(fold_, item);
      for (const auto& partner : fold_.covisits().of(uint32_t(item))) {
        items.push_back(partner.item);
        weights.push_back(partner.weight);
      }
    });
    return nb::make_tuple(give(std::move(items)), give(std::move(weights)));
  }

  Array<float> popularity(int64_t now) const {
    std::vector<float> scores;
    reading([&] {
      scores.resize(fold_.items());
      for (size_t i = 0; i < scores.size(); ++i) {
        scores[i] = fold_.popularity().standing(fold_.item_key(int32_t(i)), now);
      }
    });
    return give(std::move(scores));
  }

  nb::tuple dump_counters() const {
    return give(reading([&] { return copy_of(fold_.counters()); }), fold_.counters().stride());
  }
  nb::tuple dump_popularity() const {
    return give(reading([&] { return copy_of(fold_.popularity()); }), fold_.popularity().stride());
  }
  void load_counters(Column<uint64_t> keys, Column<int64_t> times, Matrix<float> states) {
    replace(fold_.counters(), [&] { return made_of(fold_.counters(), keys, times, states); });
  }
  void load_popularity(Column<uint64_t> keys, Column<int64_t> times, Matrix<float> states) {
    replace(fold_.popularity(), [&] { return made_of(fold_.popularity(), keys, times, states); });
  }

  nb::tuple dump_histories() const {
    std::vector<int64_t> ends;
    std::vector<int32_t> items;
    std::vector<float> weights;
    std::vector<int64_t> times;
    reading([&] {
      for (uint32_t user = 0; user < fold_.users(); ++user) {
        for (const Feedback& entry : fold_.histories().of(user)) {
          items.push_back(entry.item);
          weights.push_back(entry.weight);
          times.push_back(entry.time);
        }
        ends.push_back(int64_t(items.size()));
      }
    });
    return nb::make_tuple(give(std::move(ends)), give(std::move(items)), give(std::move(weights)),
                          give(std::move(times)));
  }

  void load_histories(Column<int64_t> ends, Column<int32_t> items, Column<float> weights, Column<int64_t> times) {
    require(weights.shape(0) == items.shape(0) && times.shape(0) == items.shape(0), "columns differ in length");
    writing([&] {
      require(ends.shape(0) <= fold_.users(), "a history of a user whose ordinal was never set");
      size_t at = 0;
      for (size_t user = 0; user < ends.shape(0); ++user) {
        for (const size_t end = end_of(ends(user), at, items.shape(0)); at < end; ++at) {
          check_item(fold_, items(at));
          fold_.histories().add(uint32_t(user), {items(at), weights(at), times(at)});
        }
      }
    });
  }

  nb::tuple dump_partners() const {
    std::vector<int64_t> ends;
    std::vector<int32_t> partners;
    std::vector<float> weights;
    reading([&] {
      for (uint32_t item = 0; item < fold_.items(); ++item) {
        for (const auto& partner : fold_.covisits().of(item)) {
          partners.push_back(partner.item);
          weights.push_back(partner.weight);
        }
        ends.push_back(int64_t(partners.size()));
      }
    });
    return nb::make_tuple(give(std::move(ends)), give(std::move(partners)), give(std::move(weights)));
  }

  void load_partners(Column<int64_t> ends, Column<int32_t> partners, Column<float> weights) {
    require(weights.shape(0) == partners.shape(0), "columns differ in length");
    writing([&] {
      require(ends.shape(0) <= fold_.items(), "partners of an item whose ordinal was never set");
      size_t at = 0;
      for (size_t item = 0; item < ends.shape(0); ++item) {
        std::vector<CoVisits::Partner> made;
        for (const size_t end = end_of(ends(item), at, partners.shape(0)); at < end; ++at) {
          check_item(fold_, partners(at));
          made.push_back({partners(at), weights(at)});
        }
        fold_.covisits().put(uint32_t(item), std::move(made));
      }
    });
  }

  nb::tuple dump_seen() const {
    const Seen& seen = fold_.seen();
    auto [pairs, views, hidden] =
        reading([&] { return std::tuple(seen.pairs(), seen.all_views(), seen.all_hidden()); });
    return nb::make_tuple(give(std::move(pairs)), give(std::move(views)), give(std::move(hidden)));
  }

  void load_seen(Column<uint64_t> pairs, Column<uint16_t> views, Column<uint8_t> hidden) {
    require(views.shape(0) == pairs.shape(0) && hidden.shape(0) == pairs.shape(0), "columns differ in length");
    replace(fold_.seen(), [&] { return Seen::of(pairs.data(), views.data(), hidden.data(), pairs.shape(0)); });
  }

  void load_totals(Column<uint32_t> impressions, Column<uint32_t> positives) {
    writing([&] {
      require(impressions.shape(0) == fold_.items() && positives.shape(0) == fold_.items(),
              "totals differ from the number of items");
      fold_.impressions().assign(impressions.data(), impressions.data() + impressions.shape(0));
      fold_.positives().assign(positives.data(), positives.data() + positives.shape(0));
    });
  }

 private:
  void check(const View* view) const {
    require(view != nullptr, "None is not a view");
    for (const auto& slot : view->slots) {
      if (slot.kind != SlotKind::kComponents) continue;
      for (uint32_t operand : slot.operands) require(operand < fold_.components(), "a slot names no component");
    }
  }

  static size_t end_of(int64_t end, size_t begin, size_t most) {
    require(end >= int64_t(begin) && end <= int64_t(most), "ends must go up and end within the columns");
    return size_t(end);
  }

  template <typename T, typename Ask>
  Array<T> ask(int32_t user, const Column<int32_t>& items, Ask ask) const {
    std::vector<T> answers(items.shape(0), T(0));
    reading([&] {
      require(user >= -1 && user < int64_t(fold_.users()), "a user's ordinal was never set");
      for (size_t i = 0; i < answers.size(); ++i) {
        check_item(fold_, items(i));
        if (user >= 0) answers[i] = ask(fold_.pair_key(user, items(i)));
      }
    });
    return give(std::move(answers));
  }

  Array<uint32_t> totals(const std::vector<uint32_t>& of, const Column<int32_t>& items) const {
    std::vector<uint32_t> found(items.shape(0));
    reading([&] {
      for (size_t i = 0; i < found.size(); ++i) {
        check_item(fold_, items(i));
        found[i] = of[size_t(items(i))];
      }
    });
    return give(std::move(found));
  }

  uint32_t item_components_;
  uint32_t context_columns_;
  Fold fold_;
  Gate gate_;
};

}  // namespace

void bind_state(nb::module_& m) {
  nb::class_<View>(m, "View").def(
      "__init__",
      [](View* self, const std::vector<SlotTuple>& slots, bool dense) { new (self) View(make_view(slots, dense)); },
      "slots"_a, "dense"_a);

  // A column of another type is refused: converting it could lose. Questions take any integers as ordinals.
  const auto as_is = nb::arg().noconvert();
  nb::class_<PyFold>(m, "Fold")
      .def(
          "__init__",
          [](PyFold* self, uint32_t item_components, uint32_t context_columns, std::vector<uint8_t> binary,
             std::vector<double> half_lives, std::vector<std::vector<uint32_t>> groups, double smoothing,
             uint32_t history_length, uint32_t history_features, uint32_t affinity, double popularity_half_life) {
            FoldConfig config{item_components,   context_columns, std::move(binary), std::move(half_lives),
                              std::move(groups), smoothing,       history_length,    history_features,
                              affinity,          popularity_half_life};
            check_config(config);
            new (self) PyFold(std::move(config));
          },
          nb::kw_only(), "item_components"_a, "context_columns"_a, "binary"_a, "half_lives"_a, "groups"_a,
          "smoothing"_a, "history_length"_a, "history_features"_a, "affinity"_a = 0,
          "popularity_half_life"_a = kDay)
      .def_prop_ro("dense_columns", &PyFold::dense_columns)
      .def_prop_ro("users", &PyFold::users)
      .def_prop_ro("items", &PyFold::items)
      .def("set_user", &PyFold::set_user, nb::arg(), as_is, as_is, as_is)
      .def("set_item", &PyFold::set_item, nb::arg(), as_is, as_is, as_is, nb::arg())
      .def("run", &PyFold::run, as_is, as_is, as_is, as_is, as_is, as_is, as_is, nb::arg(), as_is)
      .def("read", &PyFold::read, nb::arg(), as_is, nb::arg(), as_is, as_is)
      .def("views", &PyFold::views)
      .def("hidden", &PyFold::hidden)
      .def("impressions", &PyFold::impressions)
      .def("positives", &PyFold::positives)
      .def("history", &PyFold::history)
      .def("partners", &PyFold::partners)
      .def("popularity", &PyFold::popularity)
      .def("dump_counters", &PyFold::dump_counters)
      .def("load_counters", &PyFold::load_counters, as_is, as_is, as_is)
      .def("dump_popularity", &PyFold::dump_popularity)
      .def("load_popularity", &PyFold::load_popularity, as_is, as_is, as_is)
      .def("dump_histories", &PyFold::dump_histories)
      .def("load_histories", &PyFold::load_histories, as_is, as_is, as_is, as_is)
      .def("dump_partners", &PyFold::dump_partners)
      .def("load_partners", &PyFold::load_partners, as_is, as_is, as_is)
      .def("dump_seen", &PyFold::dump_seen)
      .def("load_seen", &PyFold::load_seen, as_is, as_is, as_is)
      .def("load_totals", &PyFold::load_totals, as_is, as_is);

  m.attr("SHOWN") = flag::kShown;
  m.attr("HIDES") = flag::kHides;
  m.attr("SHOWN_IF_UNSEEN") = flag::kShownIfUnseen;
  m.attr("FEEDBACK") = flag::kFeedback;
  m.attr("DRAWN") = flag::kDrawn;
}
