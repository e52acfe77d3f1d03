// What the tests of Blob share: random walks, and how far counts are from what they should be.
#pragma once

#include <cmath>
#include <cstring>
#include <vector>

#include "games/blob.h"

namespace ludus::blob {

// Chi-squared of counts as a normal deviate (Wilson and Hilferty 1931).
inline double deviation(const std::vector<int>& counts, const std::vector<double>& shares) {
  double total = 0.0;
  for (const int count : counts) total += count;
  double statistic = 0.0;
  for (size_t i = 0; i < counts.size(); ++i) {
    const double off = counts[i] - total * shares[i];
    statistic += off * off / (total * shares[i]);
  }
  const double freedom = static_cast<double>(counts.size()) - 1.0;
  const double spread = 2.0 / (9.0 * freedom);
  return (std::cbrt(statistic / freedom) - (1.0 - spread)) / std::sqrt(spread);
}

// A game in which everybody chooses at random.
class Walk {
 public:
  Walk(const Game& game, uint64_t seed) : game_(game), seed_(seed), stream_(seed, Purpose::player) {
    game_.initial(&bytes_);
  }
  Walk(const Game& game, uint64_t seed, const StateBytes& from) : Walk(game, seed) {
    bytes_ = from;
  }
  const State& state() const { return *reinterpret_cast<const State*>(bytes_.bytes); }
  const StateBytes& bytes() const { return bytes_; }
  void deal() { game_.apply_outcome(&bytes_, game_.draw(&bytes_, seed_)); }
  // One event; false at the end.
  bool step() {
    const NodeKind kind = game_.kind(&bytes_);
    if (kind == NodeKind::terminal) return false;
    if (kind == NodeKind::chance) {
      deal();
      return true;
    }
    int32_t legal[kActions];
    const int count = game_.legal(&bytes_, legal);
    game_.apply(&bytes_, legal[stream_.below(static_cast<uint32_t>(count))]);
    return true;
  }

 private:
  const Game& game_;
  uint64_t seed_;
  Stream stream_;
  StateBytes bytes_;
};

}  // namespace ludus::blob
