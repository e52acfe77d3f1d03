// Othello boards: the fast ways against squares walked one by one, published counts, symmetries.
#include <array>
#include <cstdio>
#include <cstring>

#include "base/errors.h"
#include "base/random.h"
#include "check.h"
#include "games/othello.h"
#include "games/othello_board.h"
#include "games/othello_players.h"

namespace {

using namespace ludus::othello;

// Discs that turn, found by walking from the square in each direction.
uint64_t walked_flips(uint64_t own, uint64_t opp, int square) {
  uint64_t turned = 0;
  for (int down = -1; down <= 1; ++down)
    for (int right = -1; right <= 1; ++right) {
      uint64_t line = 0;
      int rank = square / 8 + down;
      int file = square % 8 + right;
      for (; (down != 0 || right != 0) && rank >= 0 && rank < 8 && file >= 0 && file < 8;
           rank += down, file += right) {
        const uint64_t bit = 1ULL << (8 * rank + file);
        if ((opp & bit) != 0) {
          line |= bit;
          continue;
        }
        if ((own & bit) != 0) turned |= line;
        break;
      }
    }
  return turned;
}

// Every square of a board: all ways agree about moves and discs that turn.
void compare(const Board& board) {
  uint64_t moves = 0;
  for (int square = 0; square < kSquares; ++square) {
    if ((board.empty() >> square & 1U) == 0) continue;
    const uint64_t turned = walked_flips(board.own, board.opp, square);
    CHECK(lines::portable::flips(board.own, board.opp, square) == turned);
    CHECK(lines::wide::flips(board.own, board.opp, square) == turned);
    CHECK(flips(board.own, board.opp, square) == turned);
    if (turned != 0) moves |= 1ULL << square;
  }
  CHECK(lines::portable::legal_moves(board.own, board.opp) == moves);
  CHECK(lines::wide::legal_moves(board.own, board.opp) == moves);
  CHECK(legal_moves(board) == moves);
}

void eight_at_once(const std::array<Board, 8>& boards) {
  lines::Lanes8 own{};
  lines::Lanes8 opp{};
  for (int i = 0; i < 8; ++i) {
    own[i] = boards[static_cast<size_t>(i)].own;
    opp[i] = boards[static_cast<size_t>(i)].opp;
  }
  const lines::Lanes8 moves = legal_moves(own, opp);
  for (int i = 0; i < 8; ++i) CHECK(moves[i] == legal_moves(boards[static_cast<size_t>(i)]));
}

// Boards with any share of empty squares, most of them such as no game comes to: all the better.
void test_random_boards() {
  ludus::Stream stream(1, ludus::Purpose::player);
  std::array<Board, 8> last;
  for (int i = 0; i < 20000; ++i) {
    uint64_t own = stream.next_u64();
    uint64_t taken = stream.next_u64();
    for (int more = i % 4; more > 0; --more) taken |= stream.next_u64();
    if (i % 5 == 0) own &= stream.next_u64();
    const Board board{own & taken, ~own & taken};
    compare(board);
    last[static_cast<size_t>(i % 8)] = board;
    if (i % 8 == 7) eight_at_once(last);
  }
}

uint64_t walked_perft(const Board& board, int depth, bool passed = false) {
  if (depth == 0) return 1;
  uint64_t leaves = 0;
  for (int square = 0; square < kSquares; ++square) {
    if ((board.empty() >> square & 1U) == 0) continue;
    const uint64_t turned = walked_flips(board.own, board.opp, square);
    if (turned != 0) leaves += walked_perft(after_move(board, square, turned), depth - 1);
  }
  if (leaves != 0) return leaves;
  // Neither could move: the pass before was none, and the game one leaf.
  return passed ? 1 : walked_perft(after_pass(board), depth - 1, true);
}

void test_perft() {
  constexpr std::array<uint64_t, 10> kPublished = {1,    4,    12,    56,     244,
                                                   1396, 8200, 55092, 390216, 3005288};
  for (size_t depth = 0; depth < kPublished.size(); ++depth)
    CHECK(perft(kStart, static_cast<int>(depth)) == kPublished[depth]);
  // The first depth at which games have ended above it.
  CHECK(perft(kStart, 10) == 24571284);

  // Endings with passes: the last plies of random games.
  ludus::Stream stream(2, ludus::Purpose::player);
  const auto game = ludus::find_game("othello");
  for (int i = 0; i < 60; ++i) {
    State state = make_state(kStart.own, kStart.opp, 0);
    while (state.over == 0 && empties(board_of(state)) > 7) {
      std::array<int32_t, kActions> legal;
      const int count = game->legal(&state, legal.data());
      apply(state, legal[stream.below(static_cast<uint32_t>(count))]);
    }
    for (const int depth : {1, 2, 3, 6, 12}) {
      const uint64_t leaves = walked_perft(board_of(state), depth);
      CHECK(perft(board_of(state), depth) == leaves);
      CHECK(ludus::perft(*game, &state, depth) == leaves);
      CHECK(ludus::perft(*game, &state, depth, false) == leaves);
    }
  }
}

void test_symmetries() {
  ludus::Stream stream(3, ludus::Purpose::player);
  for (int i = 0; i < 200; ++i) {
    const uint64_t bits = stream.next_u64();
    uint64_t mirrored = 0;
    uint64_t upside_down = 0;
    uint64_t transposed = 0;
    for (int rank = 0; rank < 8; ++rank)
      for (int file = 0; file < 8; ++file) {
        const uint64_t bit = bits >> (8 * rank + file) & 1U;
        mirrored |= bit << (8 * rank + 7 - file);
        upside_down |= bit << (8 * (7 - rank) + file);
        transposed |= bit << (8 * file + rank);
      }
    CHECK(mirror_files(bits) == mirrored);
    CHECK(mirror_ranks(bits) == upside_down);
    CHECK(transpose(bits) == transposed);
  }
}

void test_scores() {
  CHECK_EQ(final_score({0x7, 0x8}), 62);  // three discs to one: all others are the winner's
  CHECK_EQ(final_score({0x8, 0x7}), -62);
  CHECK_EQ(final_score({0x3, 0xC}), 0);
  CHECK_EQ(final_score({~0ULL, 0}), 64);
  CHECK(is_over({0x3, 0}));
  CHECK(!is_over(kStart));
}

void test_positions() {
  CHECK_THROWS(make_state(kStart.own, kStart.own, 0), ludus::InputError);
  CHECK_THROWS(make_state(kStart.own, 0, 0), ludus::InputError);
  CHECK_THROWS(make_state(kStart.own, kStart.opp, 2), ludus::InputError);
  CHECK_THROWS(make_state(kStart.own, kStart.opp, -1), ludus::InputError);
  const auto game = ludus::find_game("othello");
  State state = make_state(kStart.own, kStart.opp, 0);
  game->validate(&state);
  for (int action = -2; action < kActions + 2; ++action)
    CHECK(game->is_legal(&state, action) ==
          (action == 19 || action == 26 || action == 37 || action == 44));
  state.moves ^= 1;
  CHECK_THROWS(game->validate(&state), ludus::InputError);
}

void test_rules_of_thumb() {
  CHECK_EQ(positional_score({1ULL << 0, 0}), 100);
  CHECK_EQ(positional_score({0, 1ULL << 49}), 25);  // b7
  CHECK_EQ(positional_score({1ULL << 27, 0}), 1);   // d4
  CHECK_EQ(positional_score({1ULL << 19, 0}), 2);   // d3
  CHECK_EQ(corners_move({0, 0}, 1), kPass);
  CHECK_EQ(weights_move({0, 0}, 1), kPass);
  // Own c1, others b1 and b2, own c3: a1 turns both. Corners before everything.
  CHECK_EQ(corners_move({1ULL << 2 | 1ULL << 18, 1ULL << 1 | 1ULL << 9}, 7), 0);
}

}  // namespace

int main() {
  compare(kStart);
  test_random_boards();
  test_perft();
  test_symmetries();
  test_scores();
  test_positions();
  test_rules_of_thumb();
  std::printf("othello boards ok\n");
}
