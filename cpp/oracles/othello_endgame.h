// Exact scores of Othello endgames without an evaluation.
//
// Null-window alpha-beta with a transposition table. Near the end moves are ordered by the parity
// of quadrants, further up by the replies they leave (fastest first), stable discs bound the score,
// and replies that the table already answers are looked at before any is searched (enhanced
// transposition cut-offs; Plaat, Schaeffer, Pijls, de Bruin: "Exploiting graph properties of game
// trees", AAAI 1996). The last four squares are special cases. The ideas are described in Buro,
// "Logistello: a strong learning Othello program" (1995), and Andersson, "Writing an Othello
// program" (2000).
#pragma once

#include <cstdint>

#include "games/othello_board.h"
#include "search/othello_limits.h"
#include "search/othello_table.h"

namespace ludus::othello {

// Of one thread. Every call may throw StopSearch.
class EndgameSolver {
 public:
  // Counts in `work`. `table` may be shared with searches of any evaluation: what is stored here
  // is exact and holds for all.
  EndgameSolver(SearchTable& table, SearchWork& work) : table_(table), work_(work) {}

  // Score of `board` for its mover in discs, empties to the winner, if it lies between alpha and
  // beta; otherwise a bound, at most alpha or at least beta. -64 <= alpha < beta <= 64: (-64, 64)
  // gives the score, (-1, 1) win, draw or loss. The score is even.
  int solve(const Board& board, int alpha = -64, int beta = 64);

  // Whether the score is above `alpha`: a lower bound above it, or an upper bound up to it.
  int null_window(const Board& board, int alpha) {
    return deep(board.own, board.opp, alpha, empties(board));
  }

  // What is found out about the last squares, small enough to stay near the processor.
  SearchTable& near() { return near_; }

 private:
  struct Move {
    uint64_t turned;
    int square;
    int value;  // the higher the earlier
  };

  int shallow(uint64_t own, uint64_t opp, int alpha, uint64_t odd, int empty);
  int deep(uint64_t own, uint64_t opp, int alpha, int empty);
  SearchTable& table_for(int empty);
  bool known_reply(const Board& reply, int alpha, int empty, int& score);

  SearchTable& table_;
  SearchTable near_{size_t{1} << 20};
  SearchWork& work_;
};

}  // namespace ludus::othello
