// Othello endgames played perfectly: what every move is worth, and the best one.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <mutex>

#include "games/othello_board.h"
#include "oracles/othello_endgame.h"

namespace ludus::othello {

// Thread-safe: calls wait for each other. Time grows about threefold with each empty square: 14
// take some milliseconds, 20 a second.
class EndgameOracle {
 public:
  static constexpr int kIllegal = 127;
  using Values = std::array<int, kActions>;

  explicit EndgameOracle(size_t table_bytes = size_t{16} << 20) : table_(table_bytes) {}

  // EndgameSolver::solve. `stop` may be set by another thread; then StopSearch is thrown.
  int solve(const Board& board, int alpha, int beta, const std::atomic<bool>* stop = nullptr);
  // Score in discs for the mover that each action leads to, kIllegal where there is none.
  Values values(const Board& board, const std::atomic<bool>* stop = nullptr);
  // The lowest of the best actions; -1 once the game is over.
  int best(const Board& board, const std::atomic<bool>* stop = nullptr);

 private:
  void begin(const std::atomic<bool>* stop);

  std::mutex busy_;
  SearchTable table_;
  SearchWork work_;
  EndgameSolver solver_{table_, work_};
};

}  // namespace ludus::othello
