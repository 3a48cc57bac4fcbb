// What each user did and saw last: a history of items liked and disliked, and how often each item was seen.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "flat_map.h"
#include "huge_vector.h"

namespace feedmill {

struct Feedback {
  int32_t item;
  float weight;
  int64_t time;
};

// The last `capacity` feedbacks of each user, oldest first. An item stands in a history once: at its latest feedback.
class Histories {
 public:
  explicit Histories(size_t capacity) : capacity_(capacity) {}

  void add(uint32_t user, const Feedback& feedback) {
    if (user >= of_.size()) of_.resize(user + 1);
    auto& history = of_[user];
    const auto known = std::find_if(history.begin(), history.end(),
                                    [&](const Feedback& entry) { return entry.item == feedback.item; });
    Feedback entry = feedback;
    if (known != history.end()) {
      // "Liked" after "watched" is one positive feedback, the stronger; a dislike replaces both.
      if (entry.weight > 0) entry.weight = std::max(entry.weight, known->weight);
      history.erase(known);
    }
    history.push_back(entry);
    if (history.size() > capacity_) history.erase(history.begin());
  }

  const std::vector<Feedback>& of(uint32_t user) const { return user < of_.size() ? of_[user] : none_; }
  size_t users() const { return of_.size(); }

 private:
  size_t capacity_;
  std::vector<std::vector<Feedback>> of_;
  std::vector<Feedback> none_;
};

// How often a user has seen an item, and whether the user hid it.
class Seen {
 public:
  void view(uint64_t pair) {
    uint16_t& views = views_[row(pair)];
    if (views < UINT16_MAX) ++views;
  }
  void hide(uint64_t pair) { hidden_[row(pair)] = 1; }
  uint16_t views(uint64_t pair) const {
    const uint32_t found = index_.find(pair);
    return found == FlatMap::kNone ? 0 : views_[found];
  }
  bool hidden(uint64_t pair) const {
    const uint32_t found = index_.find(pair);
    return found != FlatMap::kNone && hidden_[found];
  }

  const HugeVector<uint64_t>& pairs() const { return index_.keys(); }
  const HugeVector<uint16_t>& all_views() const { return views_; }
  const HugeVector<uint8_t>& all_hidden() const { return hidden_; }

  // Throws std::invalid_argument for pairs that repeat or are 0.
  static Seen of(const uint64_t* pairs, const uint16_t* views, const uint8_t* hidden, size_t n) {
    Seen made;
    made.index_ = FlatMap::of(pairs, n);
    made.views_.assign(views, views + n);
    made.hidden_.assign(hidden, hidden + n);
    return made;
  }

 private:
  uint32_t row(uint64_t pair) {
    const uint32_t found = index_.insert(pair);
    if (found == views_.size()) {
      views_.push_back(0);
      hidden_.push_back(0);
    }
    return found;
  }

  FlatMap index_;
  HugeVector<uint16_t> views_;
  HugeVector<uint8_t> hidden_;
};

// Items that the same users liked one after another (item-to-item co-visitation): the strongest partners of each.
class CoVisits {
 public:
  static constexpr size_t kPartners = 64;
  struct Partner {
    int32_t item;
    float weight;
  };

  void add(int32_t a, int32_t b, float weight) {
    add_one(a, b, weight);
    add_one(b, a, weight);
  }

  const std::vector<Partner>& of(uint32_t item) const { return item < of_.size() ? of_[item] : none_; }
  size_t items() const { return of_.size(); }

  void put(uint32_t item, std::vector<Partner> partners) {
    if (item >= of_.size()) of_.resize(item + 1);
    of_[item] = std::move(partners);
  }

 private:
  // Space-saving (Metwally et al., 2005): a newcomer to a full list takes the place and the weight of the weakest.
  void add_one(int32_t item, int32_t partner, float weight) {
    if (size_t(item) >= of_.size()) of_.resize(item + 1);
    auto& partners = of_[item];
    size_t weakest = 0;
    for (size_t i = 0; i < partners.size(); ++i) {
      if (partners[i].item == partner) {
        partners[i].weight += weight;
        return;
      }
      if (partners[i].weight < partners[weakest].weight) weakest = i;
    }
    if (partners.size() < kPartners) {
      partners.push_back({partner, weight});
    } else {
      partners[weakest] = {partner, partners[weakest].weight + weight};
    }
  }

  std::vector<std::vector<Partner>> of_;
  std::vector<Partner> none_;
};

}  // namespace feedmill
