// The last four empty squares, without ordering, table or lists of moves.
//
// All functions answer a null-window question about a position for its mover: a score above
// `alpha` proves that the true one is above it, a score up to `alpha` that the true one is not
// (fail-soft: the score is a bound on that side). Scores are discs, empties to the winner.
#pragma once

#include <array>
#include <cstdint>

#include "games/othello_board.h"

namespace ludus::othello {

namespace last {

// Discs turned on a line of eight by a disc on `cell`, when every other cell that is not in `own`
// belongs to the opponent; twice their number, since each counts for both sides.
struct LineTable {
  std::array<std::array<uint8_t, 256>, 8> twice{};

  constexpr LineTable() {
    for (int cell = 0; cell < 8; ++cell)
      for (int own = 0; own < 256; ++own) {
        int turned = 0;
        for (const int step : {-1, 1})
          for (int at = cell + step, run = 0; at >= 0 && at < 8; at += step, ++run)
            if (own >> at & 1) {
              turned += run;
              break;
            }
        twice[cell][own] = static_cast<uint8_t>(2 * turned);
      }
  }
};

// The lines through a square. A diagonal has at most one square on each file, so that adding up the
// ranks gives it as a row; on a short one the cells outside count as nobody's.
struct SquareLines {
  uint64_t rise = 0;  // with the square
  uint64_t fall = 0;
};

struct SquareTable {
  std::array<SquareLines, 64> lines{};
  std::array<uint64_t, 64> around{};    // the neighbours
  std::array<uint64_t, 64> quadrant{};  // the 4 x 4 corner of the board with the square

  constexpr SquareTable() {
    for (int square = 0; square < 64; ++square)
      for (int other = 0; other < 64; ++other) {
        const int files = other % 8 - square % 8;
        const int ranks = other / 8 - square / 8;
        const uint64_t bit = 1ULL << other;
        if (files == ranks) lines[square].rise |= bit;
        if (files == -ranks) lines[square].fall |= bit;
        if (files >= -1 && files <= 1 && ranks >= -1 && ranks <= 1 && other != square)
          around[square] |= bit;
        if (other % 8 / 4 == square % 8 / 4 && other / 32 == square / 32) quadrant[square] |= bit;
      }
  }
};

inline constexpr LineTable kLines;
inline constexpr SquareTable kSquareTable;

// Twice the discs turned by `own` on the last empty square.
inline int twice_turned(uint64_t own, int square) {
  constexpr uint64_t kFileA = 0x0101010101010101ULL;
  const int file = square & 7;
  const SquareLines& lines = kSquareTable.lines[square];
  const auto& by_file = kLines.twice[file];
  return by_file[own >> (square & 56) & 255] +
         kLines.twice[square >> 3][((own >> file & kFileA) * 0x0102040810204080ULL) >> 56] +
         by_file[((own & lines.rise) * kFileA) >> 56] +
         by_file[((own & lines.fall) * kFileA) >> 56];
}

// One empty square: the exact score.
inline int solve_1(uint64_t own, int square) {
  const int put = 2 * count_bits(own) - 62;  // the mover's disc, nothing turned yet
  const int turned = twice_turned(own, square);
  if (turned != 0) return put + turned;
  const int lost = twice_turned(~own & ~(1ULL << square), square);
  if (lost != 0) return put - 2 - lost;
  return put > 0 ? put : put - 2;  // nobody's square: to the winner; `put` is never 1
}

inline constexpr int kNone = -127;  // below every score

// Two empty squares.
inline int solve_2(uint64_t own, uint64_t opp, int alpha, int x1, int x2, uint64_t& nodes) {
  const auto& around = kSquareTable.around;
  int best = kNone;
  ++nodes;
  if (around[x1] & opp)
    if (const uint64_t turned = flips(own, opp, x1); turned != 0) {
      ++nodes;
      best = -solve_1(opp ^ turned, x2);
      if (best > alpha) return best;
    }
  if (around[x2] & opp)
    if (const uint64_t turned = flips(own, opp, x2); turned != 0) {
      ++nodes;
      const int score = -solve_1(opp ^ turned, x1);
      return score > best ? score : best;
    }
  if (best != kNone) return best;
  best = -kNone;
  if (around[x1] & own)
    if (const uint64_t turned = flips(opp, own, x1); turned != 0) {
      ++nodes;
      best = solve_1(own ^ turned, x2);
      if (best <= alpha) return best;
    }
  if (around[x2] & own)
    if (const uint64_t turned = flips(opp, own, x2); turned != 0) {
      ++nodes;
      const int score = solve_1(own ^ turned, x1);
      return score < best ? score : best;
    }
  return best != -kNone ? best : final_score({own, opp});
}

// Three and four empty squares. `odd` holds the quadrants with an odd number of empty squares:
// there the mover can hope for the last move, so they come first.
template <int kCount>
int solve_few(uint64_t own, uint64_t opp, int alpha, uint64_t odd, uint64_t& nodes) {
  const uint64_t empty = ~(own | opp);
  ++nodes;
  int best = kNone;
  for (const uint64_t group : {empty & odd, empty & ~odd})
    for (uint64_t rest = group; rest != 0; rest &= rest - 1) {
      const int square = first_bit(rest);
      if ((kSquareTable.around[square] & opp) == 0) continue;
      const uint64_t turned = flips(own, opp, square);
      if (turned == 0) continue;
      const uint64_t put = own ^ turned ^ (1ULL << square);
      int score;
      if constexpr (kCount == 3) {
        const uint64_t two = empty ^ (1ULL << square);
        score = -solve_2(opp ^ turned, put, -alpha - 1, first_bit(two), first_bit(two & (two - 1)),
                         nodes);
      } else {
        score = -solve_few<kCount - 1>(opp ^ turned, put, -alpha - 1,
                                       odd ^ kSquareTable.quadrant[square], nodes);
      }
      if (score > alpha) return score;
      if (score > best) best = score;
    }
  if (best != kNone) return best;
  if (legal_moves(opp, own) == 0) return final_score({own, opp});
  return -solve_few<kCount>(opp, own, -alpha - 1, odd, nodes);
}

// At most three empty squares: all that stands behind them.
inline int solve_rest(const Board& board, int alpha, uint64_t& nodes) {
  const uint64_t empty = board.empty();
  switch (count_bits(empty)) {
    case 0:
      ++nodes;
      return final_score(board);
    case 1:
      ++nodes;
      return solve_1(board.own, first_bit(empty));
    case 2:
      return solve_2(board.own, board.opp, alpha, first_bit(empty), first_bit(empty & (empty - 1)),
                     nodes);
    default:
      return solve_few<3>(board.own, board.opp, alpha, 0, nodes);
  }
}

}  // namespace last
}  // namespace ludus::othello
