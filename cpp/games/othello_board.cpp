#include "games/othello_board.h"

namespace ludus::othello {
namespace {

constexpr uint64_t kNotA = 0xFEFEFEFEFEFEFEFEULL;
constexpr uint64_t kNotH = 0x7F7F7F7F7F7F7F7FULL;
constexpr uint64_t kInner = kNotA & kNotH;

// Squares reached from `own` over a line of `mask` in one direction and its opposite.
inline uint64_t reach(uint64_t own, uint64_t mask, int shift) {
  uint64_t left = mask & (own << shift);
  uint64_t right = mask & (own >> shift);
  left |= mask & (left << shift);
  right |= mask & (right >> shift);
  const uint64_t masks_left = mask & (mask << shift);
  const uint64_t masks_right = mask & (mask >> shift);
  left |= masks_left & (left << (2 * shift));
  right |= masks_right & (right >> (2 * shift));
  left |= masks_left & (left << (2 * shift));
  right |= masks_right & (right >> (2 * shift));
  return (left << shift) | (right >> shift);
}

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

}  // namespace

uint64_t legal_moves(uint64_t own, uint64_t opp) {
  const uint64_t inner = opp & kInner;
  return (reach(own, inner, 1) | reach(own, opp, 8) | reach(own, inner, 7) | reach(own, inner, 9)) &
         ~(own | opp);
}

uint64_t flips(uint64_t own, uint64_t opp, int square) {
  const uint64_t start = 1ULL << square;
  const uint64_t inner = opp & kInner;
  return run<true>(start, own, inner, 1) | run<false>(start, own, inner, 1) |
         run<true>(start, own, opp, 8) | run<false>(start, own, opp, 8) |
         run<true>(start, own, inner, 7) | run<false>(start, own, inner, 7) |
         run<true>(start, own, inner, 9) | run<false>(start, own, inner, 9);
}

uint64_t mirror_files(uint64_t bits) {
  bits = ((bits >> 1) & 0x5555555555555555ULL) | ((bits & 0x5555555555555555ULL) << 1);
  bits = ((bits >> 2) & 0x3333333333333333ULL) | ((bits & 0x3333333333333333ULL) << 2);
  return ((bits >> 4) & 0x0F0F0F0F0F0F0F0FULL) | ((bits & 0x0F0F0F0F0F0F0F0FULL) << 4);
}

uint64_t transpose(uint64_t bits) {
  uint64_t t = (bits ^ (bits >> 7)) & 0x00AA00AA00AA00AAULL;
  bits ^= t ^ (t << 7);
  t = (bits ^ (bits >> 14)) & 0x0000CCCC0000CCCCULL;
  bits ^= t ^ (t << 14);
  t = (bits ^ (bits >> 28)) & 0x00000000F0F0F0F0ULL;
  return bits ^ t ^ (t << 28);
}

uint64_t perft(const Board& board, int depth) {
  if (depth == 0) return 1;
  uint64_t moves = legal_moves(board);
  if (moves == 0) {
    if (legal_moves(board.opp, board.own) == 0) return 0;
    return perft(after_pass(board), depth - 1);
  }
  if (depth == 1) return static_cast<uint64_t>(count_bits(moves));
  uint64_t total = 0;
  for (; moves != 0; moves &= moves - 1) {
    const int square = first_bit(moves);
    total += perft(after_move(board, square, flips(board.own, board.opp, square)), depth - 1);
  }
  return total;
}

}  // namespace ludus::othello
