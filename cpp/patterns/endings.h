// Positions whose score the rules know without tables: the end, and a wipe-out that is one move
// away.
//
// Tables cannot tell a wipe-out: whether one move turns the last discs depends on all lines at
// once, while few discs of one's own are a good sign elsewhere. Strong tables play with few discs,
// and one ply ahead it cost them a sixth of the games against the positional weights.
#pragma once

#include <array>
#include <bit>

#include "games/othello_board.h"

namespace ludus::patterns {
namespace endings {

// The squares on the lines through each square.
constexpr std::array<uint64_t, othello::kSquares> lines_through() {
  std::array<uint64_t, othello::kSquares> found{};
  for (int a = 0; a < othello::kSquares; ++a)
    for (int b = 0; b < othello::kSquares; ++b) {
      const int files = b % 8 - a % 8;
      const int ranks = b / 8 - a / 8;
      if (a != b && (files == 0 || ranks == 0 || files == ranks || files == -ranks))
        found[static_cast<size_t>(a)] |= 1ULL << b;
    }
  return found;
}
inline constexpr std::array<uint64_t, othello::kSquares> kLines = lines_through();

}  // namespace endings

// Whether a move of the side to move turns all discs of the other.
inline bool can_take_all(const othello::Board& board) {
  // Such a move is on a line with every disc; few discs rule out nearly every square.
  uint64_t squares = board.empty();
  for (uint64_t left = board.opp; left != 0; left &= left - 1) {
    squares &= endings::kLines[static_cast<size_t>(othello::first_bit(left))];
    if (squares == 0) return false;
  }
  for (; squares != 0; squares &= squares - 1)
    if (othello::flips(board.own, board.opp, othello::first_bit(squares)) == board.opp) return true;
  return false;
}

// Whether the rules know the score of a position after a move; then `score` is that of the side to
// move, in discs. Where neither can move but squares are empty the tables judge.
inline bool known(const othello::Board& after, int& score) {
  if (after.own == 0 || after.empty() == 0) {
    score = othello::final_score(after);
    return true;
  }
  score = othello::kSquares;
  return can_take_all(after);
}

}  // namespace ludus::patterns
