// Counter-based random streams.
//
// Every random number of Ludus is a pure function of (seed, purpose, game, ply, event, index), so
// a game is the same whichever thread, process or machine plays it. The generator is Philox4x32-10
// (Salmon, Moraes, Dror, Shaw: "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011,
// section 3.3).
#pragma once

#include <array>
#include <cstdint>

namespace ludus {

// What a stream is for. The search draws from `search` only: the stream of the dice that are to
// come (`chance`) cannot be reached from the tree.
enum class Purpose : uint32_t {
  chance = 1,    // dice and deals of a game
  search = 2,    // noise, Gumbel variables and chance inside the tree
  action = 3,    // the choice of the played action by temperature
  player = 4,    // players without a tree
  episode = 5,   // seeds of games
  training = 6,  // sampling of training rows
  weights = 7,   // initial weights
};

// Finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): a bijection of 64-bit words.
constexpr uint64_t mix64(uint64_t x) {
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

using PhiloxBlock = std::array<uint32_t, 4>;

constexpr PhiloxBlock philox4x32(PhiloxBlock counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = static_cast<uint64_t>(counter[0]) * 0xD2511F53U;
    const uint64_t p1 = static_cast<uint64_t>(counter[2]) * 0xCD9E8D57U;
    counter = {static_cast<uint32_t>(p1 >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(p1),
               static_cast<uint32_t>(p0 >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(p0)};
    key[0] += 0x9E3779B9U;
    key[1] += 0xBB67AE85U;
  }
  return counter;
}

class Stream {
 public:
  Stream(uint64_t seed, Purpose purpose, uint64_t game = 0, uint32_t ply = 0, uint32_t event = 0)
      : ply_(ply), event_(event) {
    const uint64_t key = mix64(mix64(mix64(seed) ^ static_cast<uint64_t>(purpose)) ^ game);
    key_ = {static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)};
  }

  uint32_t next_u32() {
    if (used_ == 4) {
      block_ = philox4x32({ply_, event_, index_++, 0}, key_);
      used_ = 0;
    }
    return block_[used_++];
  }

  uint64_t next_u64() {
    const uint64_t high = next_u32();
    return (high << 32) | next_u32();
  }

  // Uniform in [0, 1) with 53 bits.
  double uniform() { return static_cast<double>(next_u64() >> 11) * 0x1p-53; }

  // Uniform in (0, 1), for logarithms.
  double positive_uniform() { return (static_cast<double>(next_u64() >> 12) + 0.5) * 0x1p-52; }

  // Uniform in [0, bound), without bias (Lemire, ACM TOMACS 2019, algorithm 5). bound > 0.
  uint32_t below(uint32_t bound) {
    uint64_t product = static_cast<uint64_t>(next_u32()) * bound;
    auto low = static_cast<uint32_t>(product);
    if (low < bound) {
      const uint32_t threshold = (0U - bound) % bound;
      while (low < threshold) {
        product = static_cast<uint64_t>(next_u32()) * bound;
        low = static_cast<uint32_t>(product);
      }
    }
    return static_cast<uint32_t>(product >> 32);
  }

  double normal();         // Marsaglia's polar method, both values used once
  double gumbel();         // standard Gumbel: -log(-log(u))
  double gamma(double k);  // Gamma(shape k, scale 1), k > 0 (Marsaglia and Tsang 2000)

 private:
  std::array<uint32_t, 2> key_;
  uint32_t ply_;
  uint32_t event_;
  uint32_t index_ = 0;
  PhiloxBlock block_{};
  int used_ = 4;
};

// A seed of its own for item `index` of a purpose (an episode's seed, say).
constexpr uint64_t derive_seed(uint64_t seed, Purpose purpose, uint64_t index) {
  return mix64(mix64(mix64(seed) ^ (static_cast<uint64_t>(purpose) << 32)) ^ index);
}

}  // namespace ludus
