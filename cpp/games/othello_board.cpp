#include "games/othello_board.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

namespace ludus::othello {
namespace {

// Leaves two plies below a position that has these moves. What the children may do is found for
// eight of them at once; one that may do nothing passes or has ended, which is one leaf either way.
uint64_t count_grandchildren(const Board& board, uint64_t moves) {
  constexpr size_t kLanes = 8;
  std::array<uint64_t, kSquares> own;
  std::array<uint64_t, kSquares> opp;
  size_t children = 0;
  for (; moves != 0; moves &= moves - 1) {
    const int square = first_bit(moves);
    const Board child = after_move(board, square, flips(board.own, board.opp, square));
    own[children] = child.own;
    opp[children++] = child.opp;
  }
  // Empty boards fill the last vector; they would count as one leaf each.
  uint64_t total = 0;
  for (; children % kLanes != 0; --total) own[children] = opp[children] = 0, ++children;
  for (size_t i = 0; i < children; i += kLanes) {
    lines::Lanes8 movers;
    lines::Lanes8 others;
    std::memcpy(&movers, own.data() + i, sizeof(movers));
    std::memcpy(&others, opp.data() + i, sizeof(others));
    const lines::Lanes8 found = legal_moves(movers, others);
    std::array<uint64_t, kLanes> words;
    std::memcpy(words.data(), &found, sizeof(words));
    for (const uint64_t word : words) total += static_cast<uint64_t>(std::max(count_bits(word), 1));
  }
  return total;
}

}  // namespace

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
    if (depth == 1 || legal_moves(after_pass(board)) == 0) return 1;
    return perft(after_pass(board), depth - 1);
  }
  if (depth == 1) return static_cast<uint64_t>(count_bits(moves));
  if (depth == 2) return count_grandchildren(board, moves);
  uint64_t total = 0;
  for (; moves != 0; moves &= moves - 1) {
    const int square = first_bit(moves);
    total += perft(after_move(board, square, flips(board.own, board.opp, square)), depth - 1);
  }
  return total;
}

}  // namespace ludus::othello
