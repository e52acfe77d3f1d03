#include "oracles/othello_oracle.h"

#include <chrono>

namespace ludus::othello {

void EndgameOracle::begin(const std::atomic<bool>* stop) {
  table_.new_search();
  solver_.near().new_search();
  work_ = {};
  work_.guard = SearchGuard(UINT64_MAX, SearchGuard::Clock::time_point::max(), stop);
}

int EndgameOracle::solve(const Board& board, int alpha, int beta, const std::atomic<bool>* stop) {
  const std::lock_guard lock(busy_);
  begin(stop);
  return solver_.solve(board, alpha, beta);
}

EndgameOracle::Values EndgameOracle::values(const Board& board, const std::atomic<bool>* stop) {
  const std::lock_guard lock(busy_);
  begin(stop);
  Values values;
  values.fill(kIllegal);
  uint64_t moves = legal_moves(board);
  if (moves == 0 && !is_over(board)) values[kPass] = -solver_.solve(after_pass(board));
  for (; moves != 0; moves &= moves - 1) {
    const int square = first_bit(moves);
    values[static_cast<size_t>(square)] =
        -solver_.solve(after_move(board, square, flips(board.own, board.opp, square)));
  }
  return values;
}

// Once the score is known, a move is best if its reply cannot get more than the other side's share.
int EndgameOracle::best(const Board& board, const std::atomic<bool>* stop) {
  const std::lock_guard lock(busy_);
  begin(stop);
  uint64_t moves = legal_moves(board);
  if (moves == 0) return is_over(board) ? -1 : kPass;
  if ((moves & (moves - 1)) == 0) return first_bit(moves);
  const int score = solver_.solve(board);
  for (; (moves & (moves - 1)) != 0; moves &= moves - 1) {
    const int square = first_bit(moves);
    const Board reply = after_move(board, square, flips(board.own, board.opp, square));
    if (solver_.null_window(reply, -score) <= -score) break;
  }
  return first_bit(moves);
}

}  // namespace ludus::othello
