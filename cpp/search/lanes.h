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
    FloatLanes top = best_;
    top = higher(top, __builtin_shufflevector(top, top, 4, 5, 6, 7, 0, 1, 2, 3));
    top = higher(top, __builtin_shufflevector(top, top, 2, 3, 0, 1, 6, 7, 4, 5));
    top = higher(top, __builtin_shufflevector(top, top, 1, 0, 3, 2, 5, 4, 7, 6));
    IntLanes at = best_ == top ? from_ + IntLanes{0, 1, 2, 3, 4, 5, 6, 7} : IntLanes{} + INT32_MAX;
    at = lower(at, __builtin_shufflevector(at, at, 4, 5, 6, 7, 0, 1, 2, 3));
    at = lower(at, __builtin_shufflevector(at, at, 2, 3, 0, 1, 6, 7, 4, 5));
    at = lower(at, __builtin_shufflevector(at, at, 1, 0, 3, 2, 5, 4, 7, 6));
    return at[0];
  }

 private:
  static FloatLanes higher(FloatLanes a, FloatLanes b) { return a > b ? a : b; }
  static IntLanes lower(IntLanes a, IntLanes b) { return a < b ? a : b; }

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
