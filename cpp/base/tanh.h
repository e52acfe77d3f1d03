// Hyperbolic tangent, eight lanes at a time, with the same bits on every machine and in every lane
// (no library call, no fused multiply-add).
#pragma once

#include "base/softmax.h"

namespace ludus {

// tanh(x), absolute error under 2e-7, never outside [-1, 1]. Arguments must be finite.
inline FloatLanes tanh_lanes(FloatLanes x) {
  const FloatLanes size = x < 0.0F ? -x : x;
  // Near 0: polynomial of Cephes' tanhf (Moshier), which keeps small numbers exact.
  const FloatLanes near_zero = size < 0.625F ? x : FloatLanes{};
  const FloatLanes z = near_zero * near_zero;
  FloatLanes p = z * -5.70498872745e-3F + 2.06390887954e-2F;
  p = p * z - 5.37397155531e-2F;
  p = p * z + 1.33314422036e-1F;
  p = p * z - 3.33332819422e-1F;
  const FloatLanes small = p * z * near_zero + near_zero;
  // Elsewhere: (1 - e) / (1 + e) with e = exp(-2 |x|); far out e is 0 and the result exactly 1.
  const FloatLanes capped = size < 50.0F ? size : FloatLanes{} + 50.0F;
  const FloatLanes e = exp_nonpositive(capped * -2.0F);
  const FloatLanes large = (1.0F - e) / (1.0F + e);
  const FloatLanes signed_large = x < 0.0F ? -large : large;
  return size < 0.625F ? small : signed_large;
}

}  // namespace ludus
