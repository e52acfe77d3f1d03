#include "patterns/one_ply.h"

#include <climits>

#include "patterns/endings.h"

namespace ludus::patterns {

int one_ply_move(const PatternTables& tables, const othello::Board& board, uint64_t key) {
  const Indices before = tables.rules().from(board);
  const int stage = stage_of(othello::kSquares + 1 - othello::empties(board));
  int best = INT_MIN;
  int found = othello::kPass;
  uint64_t equals = 0;
  for (uint64_t moves = othello::legal_moves(board); moves != 0; moves &= moves - 1) {
    const int square = othello::first_bit(moves);
    const uint64_t turned = othello::flips(board.own, board.opp, square);
    const othello::Board after = othello::after_move(board, square, turned);
    int value;
    int score;
    if (known(after, score)) {
      value = -score * kDisc;
    } else if (othello::is_over(after)) {
      value = -othello::final_score(after) * kDisc;
    } else {
      IndexVector view;
      tables.rules().view_after(before, square, turned, view);
      value = -tables.evaluate(view, stage);
    }
    if (value < best) continue;
    equals = value == best ? equals + 1 : 1;
    best = value;
    // Of n equal ones the last takes the place with probability 1 / n.
    if ((key >> (8 * (equals & 7))) % equals == 0) found = square;
  }
  return found;
}

}  // namespace ludus::patterns
