// What a search of Othello may spend, and how it is told to stop.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>

#include "search/othello_table.h"

namespace ludus::othello {

// Thrown inside a search, and caught where it began, when it has spent what it may. Whatever was
// not finished by then left no trace in the transposition table.
struct StopSearch {};

// Watched by one thread of a search. Looking at the clock costs as much as a node, so it happens
// once in a few hundred nodes; a limit of nodes is kept to the node.
class SearchGuard {
 public:
  using Clock = std::chrono::steady_clock;

  // No limit of nodes is UINT64_MAX, of time Clock::time_point::max(); flags may be null.
  SearchGuard(uint64_t nodes, Clock::time_point end, const std::atomic<bool>* stop,
              const std::atomic<bool>* finished = nullptr)
      : limit_(nodes), end_(end), stop_(stop), finished_(finished) {}
  SearchGuard() : SearchGuard(UINT64_MAX, Clock::time_point::max(), nullptr) {}

  // Throws StopSearch.
  void check(uint64_t nodes) {
    if (nodes >= next_) look(nodes);
  }

 private:
  void look(uint64_t nodes) {
    next_ = std::min(limit_, nodes + 512);
    if (nodes >= limit_ || is_set(stop_) || is_set(finished_) ||
        (end_ != Clock::time_point::max() && Clock::now() >= end_))
      throw StopSearch();
  }
  static bool is_set(const std::atomic<bool>* flag) {
    return flag != nullptr && flag->load(std::memory_order_relaxed);
  }

  uint64_t limit_;
  uint64_t next_ = 0;
  Clock::time_point end_;
  const std::atomic<bool>* stop_;
  const std::atomic<bool>* finished_;
};

// What one thread of a search has done, and its guard.
struct SearchWork {
  SearchGuard guard;
  uint64_t nodes = 0;  // positions looked at, evaluated ones included
  TableCounts counts;

  void check() { guard.check(nodes); }
};

}  // namespace ludus::othello
