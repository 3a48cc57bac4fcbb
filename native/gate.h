// Many readers beside one writer, neither of which can starve the other.
#pragma once

#include <mutex>
#include <shared_mutex>

namespace feedmill {

// A waiting writer holds the door, so that readers who come later wait behind it; std::shared_mutex alone lets
// overlapping readers keep a writer out for ever.
class Gate {
 public:
  template <class Action>
  auto read(Action action) const {
    door_.lock();
    std::shared_lock inside(room_);
    door_.unlock();
    return action();
  }
  template <class Action>
  auto write(Action action) {
    std::lock_guard door(door_);
    std::lock_guard inside(room_);
    return action();
  }

 private:
  mutable std::mutex door_;
  mutable std::shared_mutex room_;
};

}  // namespace feedmill
