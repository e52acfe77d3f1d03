// Softmax over a short row, with an exponential that vectorises and gives the same bits on every
// machine (no library call, no fused multiply-add).
#pragma once

#include <bit>
#include <cstdint>

namespace ludus {

// e^x for x <= 0, relative error under 3e-7; 0 below -87.
inline float exp_nonpositive(float x) {
  const float clamped = x < -87.0F ? -87.0F : x;
  const float scaled = clamped * 1.44269504F;
  const float rounded = (scaled + 12582912.0F) - 12582912.0F;  // nearest integer by the 2^23 trick
  const float r = (clamped - rounded * 0.693359375F) + rounded * 2.12194440e-4F;
  float p = 1.9875691500e-4F;  // minimax polynomial of Cephes' expf (Moshier)
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * (r * r) + r + 1.0F;
  const auto exponent = static_cast<int32_t>(rounded);
  const float power = std::bit_cast<float>((exponent + 127) << 23);
  return x < -87.0F ? 0.0F : p * power;
}

// out[i] = softmax(logits)[i]. Returns false, and writes the uniform distribution, if a logit is
// not finite.
inline bool softmax(const float* logits, int count, float* out) {
  float top = logits[0];
  bool finite = true;
  for (int i = 0; i < count; ++i) {
    finite &= (logits[i] - logits[i]) == 0.0F;  // false for NaN and infinities
    top = logits[i] > top ? logits[i] : top;
  }
  if (!finite) {
    for (int i = 0; i < count; ++i) out[i] = 1.0F / static_cast<float>(count);
    return false;
  }
  for (int i = 0; i < count; ++i) out[i] = exp_nonpositive(logits[i] - top);
  float sum = 0.0F;
  for (int i = 0; i < count; ++i) sum += out[i];
  const float scale = 1.0F / sum;
  for (int i = 0; i < count; ++i) out[i] *= scale;
  return true;
}

}  // namespace ludus
