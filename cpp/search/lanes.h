// Rows of edges, eight lanes at a time.
#pragma once

#include <cstring>

#include "base/softmax.h"

namespace ludus {

// The highest score of a row and where it is, the lowest place among equals.
class BestLanes {
 public:
  // Below any score: what padding has, or places that do not take part.
  static constexpr float kPadding = -1e30F;
  static constexpr float kNever = 0.5F * kPadding;

  void take(FloatLanes score, int first) {
    const IntLanes better = score > best_;
    best_ = better ? score : best_;
    from_ = better ? IntLanes{} + first : from_;
  }
  int index() const {
    float scores[kLanes];
    int32_t places[kLanes];
    std::memcpy(scores, &best_, sizeof(scores));
    std::memcpy(places, &from_, sizeof(places));
    float top = scores[0];
    for (int lane = 1; lane < kLanes; ++lane) top = scores[lane] > top ? scores[lane] : top;
    int winner = INT32_MAX;
    for (int lane = 0; lane < kLanes; ++lane) {
      const int place = places[lane] + lane;
      winner = scores[lane] == top && place < winner ? place : winner;
    }
    return winner;
  }

 private:
  FloatLanes best_ = FloatLanes{} + 2 * kPadding;
  IntLanes from_ = {};
};

// Behind the priors of `count` edges, up to a whole number of lanes.
inline void pad_priors(float* priors, int count) {
  for (auto i = static_cast<size_t>(count); i < padded(static_cast<size_t>(count)); ++i)
    priors[i] = BestLanes::kPadding;
}

// Copies whole vectors, the last one overlapping the one before: nothing behind is touched.
inline void copy_row(float* to, const float* from, int count) {
  if (count < kLanes) {
    for (int i = 0; i < count; ++i) to[i] = from[i];
    return;
  }
  for (int i = 0; i + kLanes < count; i += kLanes)
    std::memcpy(to + i, from + i, kLanes * sizeof(float));
  std::memcpy(to + count - kLanes, from + count - kLanes, kLanes * sizeof(float));
}

}  // namespace ludus
