// IEEE 754 binary16, for records: stored as bits, computed with in float.
#pragma once

#include <bit>
#include <cstdint>

namespace ludus {

// Rounds to nearest, ties to even; beyond 65504 becomes infinity.
inline uint16_t to_half(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>((bits >> 16) & 0x8000U);
  const uint32_t magnitude = bits & 0x7FFFFFFFU;
  if (magnitude >= 0x7F800000U)  // infinity or NaN
    return static_cast<uint16_t>(sign | 0x7C00U | (magnitude > 0x7F800000U ? 0x200U : 0U));
  if (magnitude >= 0x47800000U) return static_cast<uint16_t>(sign | 0x7C00U);
  if (magnitude < 0x38800000U) {
    // Subnormal: adding 0.5 lets the float unit do the rounding at the right bit.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5F;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3F000000U));
  }
  const uint32_t odd = (magnitude >> 13) & 1U;
  const uint32_t rounded = magnitude + 0xC8000FFFU + odd;
  return static_cast<uint16_t>(sign | (rounded >> 13));
}

// Without a branch, so that loops over columns become vectors.
inline float from_half(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000U) << 16;
  const uint32_t magnitude = half & 0x7FFFU;
  const uint32_t special = 0x7F800000U | (magnitude << 13);  // infinity or NaN
  const uint32_t normal = (magnitude << 13) + 0x38000000U;
  const float subnormal = static_cast<float>(static_cast<int32_t>(magnitude)) * 0x1p-24F;
  uint32_t bits = magnitude < 0x400U ? std::bit_cast<uint32_t>(subnormal) : normal;
  bits = magnitude >= 0x7C00U ? special : bits;
  return std::bit_cast<float>(sign | bits);
}

}  // namespace ludus
