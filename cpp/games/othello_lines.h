// Lines of discs: where a disc may be put and what it turns.
//
// Each question is answered in two ways that give the same bits, and tests/cpp/test_othello_board
// holds them against each other: `portable` with plain words, `wide` with four directions side by
// side in a vector. The vectors pay where each lane can be shifted by its own amount (AVX2 and
// newer: two and a half times the perft of plain words; with SSE they are slower than words).
//
// Squares are bits, bit 0 is a1, bit 63 is h8.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace ludus::othello::lines {

// The files that a line of turned discs may not leave: it would go round the rim of the board.
inline constexpr uint64_t kInner = 0x7E7E7E7E7E7E7E7EULL;

typedef uint64_t Lanes4 __attribute__((vector_size(32)));
typedef uint64_t Lanes8 __attribute__((vector_size(64)));

// Squares behind lines of `mask` that begin at `own`, in the direction of `shift` and its opposite:
// a line has at most six discs, found by doubling (1, 2, 4, 6). `Bits` is a word or a vector of
// words, of several boards or, with a vector of shifts, of several directions.
template <class Bits, class Shift>
inline Bits reach(Bits own, Bits mask, Shift shift) {
  Bits up = mask & (own << shift);
  Bits down = mask & (own >> shift);
  up |= mask & (up << shift);
  down |= mask & (down >> shift);
  const Bits pairs_up = mask & (mask << shift);
  const Bits pairs_down = pairs_up >> shift;
  up |= pairs_up & (up << 2 * shift);
  down |= pairs_down & (down >> 2 * shift);
  up |= pairs_up & (up << 2 * shift);
  down |= pairs_down & (down >> 2 * shift);
  return (up << shift) | (down >> shift);
}

// Of one board in a word, or of eight in the lanes of a vector.
template <class Bits>
inline Bits reach_all(Bits own, Bits opp) {
  const Bits inner = opp & kInner;
  return (reach(own, inner, 1) | reach(own, opp, 8) | reach(own, inner, 7) | reach(own, inner, 9)) &
         ~(own | opp);
}

namespace portable {

inline uint64_t legal_moves(uint64_t own, uint64_t opp) { return reach_all(own, opp); }

template <bool kUp>
inline uint64_t step(uint64_t bits, int shift) {
  return kUp ? bits << shift : bits >> shift;
}
// Discs of a run of `mask` beside `start` that ends at a disc of `own`.
template <bool kUp>
inline uint64_t run(uint64_t start, uint64_t own, uint64_t mask, int shift) {
  uint64_t found = mask & step<kUp>(start, shift);
  for (int i = 0; i < 5; ++i) found |= mask & step<kUp>(found, shift);
  return (step<kUp>(found, shift) & own) != 0 ? found : 0;
}

inline uint64_t flips(uint64_t own, uint64_t opp, int square) {
  const uint64_t start = 1ULL << square;
  const uint64_t inner = opp & kInner;
  return run<true>(start, own, inner, 1) | run<false>(start, own, inner, 1) |
         run<true>(start, own, opp, 8) | run<false>(start, own, opp, 8) |
         run<true>(start, own, inner, 7) | run<false>(start, own, inner, 7) |
         run<true>(start, own, inner, 9) | run<false>(start, own, inner, 9);
}

}  // namespace portable

namespace wide {

inline constexpr Lanes4 kShifts = {1, 8, 7, 9};

inline uint64_t join(Lanes4 lanes) {
  std::array<uint64_t, 4> words;
  std::memcpy(words.data(), &lanes, sizeof(words));
  return (words[0] | words[1]) | (words[2] | words[3]);
}

inline uint64_t legal_moves(uint64_t own, uint64_t opp) {
  constexpr Lanes4 kMasks = {kInner, ~0ULL, kInner, kInner};
  const Lanes4 lines = reach(Lanes4{} + own, kMasks & (Lanes4{} + opp), kShifts);
  return join(lines) & ~(own | opp);
}

// The squares of the eight rays from each square: those upwards in the order of kShifts, then those
// downwards.
struct alignas(64) Rays {
  std::array<uint64_t, 4> up;
  std::array<uint64_t, 4> down;
};
constexpr std::array<Rays, 64> all_rays() {
  constexpr int kFiles[4] = {1, 0, -1, 1};
  constexpr int kRanks[4] = {0, 1, 1, 1};
  std::array<Rays, 64> rays{};
  for (int square = 0; square < 64; ++square)
    for (size_t i = 0; i < 4; ++i)
      for (const int sign : {1, -1}) {
        int file = square % 8 + sign * kFiles[i];
        int rank = square / 8 + sign * kRanks[i];
        auto& ray = sign > 0 ? rays[static_cast<size_t>(square)].up[i]
                             : rays[static_cast<size_t>(square)].down[i];
        for (; file >= 0 && file < 8 && rank >= 0 && rank < 8;
             file += sign * kFiles[i], rank += sign * kRanks[i])
          ray |= 1ULL << (8 * rank + file);
      }
  return rays;
}
inline constexpr std::array<Rays, 64> kRays = all_rays();

// The discs before the first square of a ray that has no disc of `opp` turn if it has an own one.
// Upwards, adding one to a word in which all squares off the ray are set carries to that square.
// Downwards nothing carries: the ray is filled from that square on, and what is left above turns.
inline uint64_t flips(uint64_t own, uint64_t opp, int square) {
  const Rays& rays = kRays[static_cast<size_t>(square)];
  Lanes4 up;
  Lanes4 down;
  std::memcpy(&up, rays.up.data(), sizeof(up));
  std::memcpy(&down, rays.down.data(), sizeof(down));
  const Lanes4 mine = Lanes4{} + own;
  const Lanes4 other = Lanes4{} + opp;

  const Lanes4 end = ((other | ~up) + 1) & up & mine;
  const Lanes4 turned_up = (end + reinterpret_cast<Lanes4>(end != 0)) & up;  // true is -1

  Lanes4 filled = down & ~other;
  filled |= filled >> kShifts;
  filled |= filled >> 2 * kShifts;
  filled |= filled >> 4 * kShifts;
  const Lanes4 first = filled & ~(filled >> kShifts) & down & mine;
  const Lanes4 turned_down = reinterpret_cast<Lanes4>(first != 0) & down & ~filled;
  return join(turned_up | turned_down);
}

}  // namespace wide

}  // namespace ludus::othello::lines
