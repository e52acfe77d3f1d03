// Othello boards for native tests, and their truth by plain minimax.
#pragma once

#include <cstdint>

#include "base/random.h"
#include "games/othello_board.h"

namespace ludus {

using othello::Board;

inline uint64_t nth_bit(uint64_t bits, uint32_t n) {
  for (; n > 0; --n) bits &= bits - 1;
  return bits & (~bits + 1);
}

inline Board play(const Board& board, int square) {
  return othello::after_move(board, square, othello::flips(board.own, board.opp, square));
}

// Random moves from the start until so many squares are empty; the side to move can move.
inline Board random_board(uint64_t number, int empty) {
  Stream stream(5, Purpose::action, number);
  Board board = othello::kStart;
  while (true) {
    uint64_t moves = legal_moves(board);
    if (moves == 0) {
      board = after_pass(board);
      moves = legal_moves(board);
      if (moves == 0) {  // over too early: another game
        board = othello::kStart;
        continue;
      }
    }
    if (empties(board) <= empty) return board;
    const auto count = static_cast<uint32_t>(othello::count_bits(moves));
    board = play(board, othello::first_bit(nth_bit(moves, stream.below(count))));
  }
}

inline int plain_endgame(const Board& board) {
  uint64_t moves = legal_moves(board);
  if (moves == 0)
    return legal_moves(after_pass(board)) == 0 ? final_score(board)
                                               : -plain_endgame(after_pass(board));
  int best = -64;
  for (; moves != 0; moves &= moves - 1) {
    const int score = -plain_endgame(play(board, othello::first_bit(moves)));
    if (score > best) best = score;
  }
  return best;
}

}  // namespace ludus
