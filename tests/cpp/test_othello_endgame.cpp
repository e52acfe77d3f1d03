// The endgame solver of Othello, against plain minimax.
#include "check.h"
#include "oracles/othello_endgame.h"
#include "oracles/othello_last.h"
#include "oracles/othello_stability.h"
#include "othello_boards.h"

using namespace ludus;

namespace {

void test_endgame_scores() {
  othello::SearchTable table(1 << 20);
  othello::SearchWork work;
  othello::EndgameSolver solver(table, work);
  for (uint64_t number = 0; number < 400; ++number) {
    const int empty = number < 380 ? 1 + static_cast<int>(number % 8) : 9;
    const Board board = random_board(number, empty);
    const int truth = plain_endgame(board);
    CHECK_EQ(solver.solve(board), truth);
    const int outcome = solver.solve(board, -1, 1);
    CHECK(truth > 0   ? outcome >= 1 && outcome <= truth
          : truth < 0 ? outcome <= -1 && outcome >= truth
                      : outcome == 0);
    for (const int alpha : {-20, -2, 3, 14}) {
      const int above = solver.null_window(board, alpha);
      CHECK(truth > alpha ? above > alpha && above <= truth : above <= alpha && above >= truth);
    }
  }
}

// Wiped out, and squares left when nobody can move: they go to the winner.
void test_unfinished_boards() {
  othello::SearchTable table(1 << 16);
  othello::SearchWork work;
  othello::EndgameSolver solver(table, work);
  for (const int empty : {1, 2, 3, 4, 5, 8, 12}) {
    const uint64_t own = ~((1ULL << empty) - 1);
    CHECK_EQ(solver.solve({own, 0}), 64);
    CHECK_EQ(solver.solve({0, own}), -64);
  }
  CHECK_EQ(othello::last::solve_1(~1ULL & 0xFFFFFFFF00000000ULL, 0),
           plain_endgame({0xFFFFFFFF00000000ULL, 0x00000000FFFFFFFEULL}));
}

void test_stable_discs() {
  for (uint64_t number = 0; number < 60; ++number) {
    const Board board = random_board(number, 4 + static_cast<int>(number % 24));
    uint64_t own = othello::stable_discs(board.own, board.opp);
    uint64_t opp = othello::stable_discs(board.opp, board.own);
    CHECK((own & ~board.own) == 0 && (opp & ~board.opp) == 0);
    for (uint64_t game = 0; game < 30; ++game) {
      Stream stream(7, Purpose::action, number, static_cast<uint32_t>(game));
      Board now = board;
      uint64_t mine = own;
      uint64_t other = opp;
      while (!is_over(now)) {
        const uint64_t moves = legal_moves(now);
        if (moves == 0) {
          now = after_pass(now);
        } else {
          const auto count = static_cast<uint32_t>(othello::count_bits(moves));
          now = play(now, othello::first_bit(nth_bit(moves, stream.below(count))));
        }
        std::swap(mine, other);
        CHECK((mine & ~now.own) == 0 && (other & ~now.opp) == 0);
      }
    }
  }
  // Corners and full edges are seen at least.
  CHECK_EQ(othello::stable_discs(0xFF, 0xFF00), 0xFFULL);
  CHECK_EQ(othello::stable_discs(1, 2), 1ULL);
}

}  // namespace

int main() {
  test_endgame_scores();
  test_unfinished_boards();
  test_stable_discs();
  return 0;
}
