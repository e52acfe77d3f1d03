// Softmax over a short row, eight lanes at a time, with an exponential that gives the same bits on
// every machine (no library call, no fused multiply-add).
#pragma once

#include <cstdint>
#include <cstring>

namespace ludus {

inline constexpr int kLanes = 8;
typedef float FloatLanes __attribute__((vector_size(sizeof(float) * kLanes)));
typedef int32_t IntLanes __attribute__((vector_size(sizeof(int32_t) * kLanes)));

// Rows that lanes walk over have room for a whole number of vectors.
constexpr size_t padded(size_t count) { return (count + kLanes - 1) / kLanes * kLanes; }

inline FloatLanes load_lanes(const float* from) {
  FloatLanes lanes;
  std::memcpy(&lanes, from, sizeof(lanes));
  return lanes;
}

// e^x for x <= 0, relative error under 3e-7; 0 below -87.
inline FloatLanes exp_nonpositive(FloatLanes x) {
  const FloatLanes low = FloatLanes{} - 87.0F;
  const FloatLanes clamped = x < low ? low : x;
  const FloatLanes scaled = clamped * 1.44269504F;
  const FloatLanes rounded = (scaled + 12582912.0F) - 12582912.0F;  // nearest integer, 2^23 trick
  const FloatLanes r = (clamped - rounded * 0.693359375F) + rounded * 2.12194440e-4F;
  FloatLanes p = r * 1.9875691500e-4F + 1.3981999507e-3F;  // polynomial of Cephes' expf (Moshier)
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * (r * r) + r + 1.0F;
  const IntLanes exponent = (__builtin_convertvector(rounded, IntLanes) + 127) << 23;
  FloatLanes power;
  std::memcpy(&power, &exponent, sizeof(power));
  return x < low ? FloatLanes{} : p * power;
}

// Whether none of the numbers is infinite or NaN.
inline bool all_finite(const float* numbers, size_t count) {
  IntLanes wrong{};
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const FloatLanes x = load_lanes(numbers + i);
    wrong |= (x - x) != 0.0F;
  }
  for (; i < count; ++i) wrong[0] |= (numbers[i] - numbers[i]) != 0.0F;
  int32_t any = 0;
  for (int lane = 0; lane < kLanes; ++lane) any |= wrong[lane];
  return any == 0;
}

// out[i] = softmax(logits)[i] for i < count; `out` has room for padded(count), its tail becomes 0.
// Returns false, and writes the uniform distribution, if a logit is not finite.
inline bool softmax(const float* logits, int count, float* out) {
  const int full = count / kLanes * kLanes;
  const auto room = static_cast<int>(padded(static_cast<size_t>(count)));
  // The last lanes repeat the first logit. They are put together in a register: a vector read from
  // just written floats would wait for them to reach the cache.
  FloatLanes tail;
  for (int lane = 0; lane < kLanes; ++lane)
    tail[lane] = full + lane < count ? logits[full + lane] : logits[0];
  FloatLanes top = tail;
  IntLanes wrong = (tail - tail) != 0.0F;  // NaN and infinities
  for (int i = 0; i < full; i += kLanes) {
    const FloatLanes x = load_lanes(logits + i);
    top = x > top ? x : top;
    wrong |= (x - x) != 0.0F;
  }
  float highest = top[0];
  int32_t any_wrong = 0;
  for (int lane = 0; lane < kLanes; ++lane) {
    highest = top[lane] > highest ? top[lane] : highest;
    any_wrong |= wrong[lane];
  }
  if (any_wrong != 0) {
    for (int i = 0; i < room; ++i) out[i] = i < count ? 1.0F / static_cast<float>(count) : 0.0F;
    return false;
  }
  FloatLanes sums{};
  for (int i = 0; i < full; i += kLanes) {
    const FloatLanes e = exp_nonpositive(load_lanes(logits + i) - highest);
    std::memcpy(out + i, &e, sizeof(e));
    sums += e;
  }
  if (full < room) {
    IntLanes index;
    for (int lane = 0; lane < kLanes; ++lane) index[lane] = full + lane;
    const FloatLanes e = index < count ? exp_nonpositive(tail - highest) : FloatLanes{};
    std::memcpy(out + full, &e, sizeof(e));
    sums += e;
  }
  float sum = 0.0F;
  for (int lane = 0; lane < kLanes; ++lane) sum += sums[lane];
  const float scale = 1.0F / sum;
  for (int i = 0; i < room; i += kLanes) {
    const FloatLanes p = load_lanes(out + i) * scale;
    std::memcpy(out + i, &p, sizeof(p));
  }
  return true;
}

}  // namespace ludus
