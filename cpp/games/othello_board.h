// Othello boards as two bitboards, from the view of whoever moves.
//
// Bit 0 is a1, bit 1 is b1, ... bit 63 is h8. Everything here is a pure function of a few words and
// never allocates; search, patterns and endgame solver are built on it.
#pragma once

#include <cstdint>

#include "games/othello_lines.h"

namespace ludus::othello {

inline constexpr int kSquares = 64;
inline constexpr int kPass = 64;     // the action
inline constexpr int kActions = 65;  // 64 squares and the pass

// A position for whoever moves.
struct Board {
  uint64_t own = 0;  // discs of the mover
  uint64_t opp = 0;  // discs of the opponent

  bool operator==(const Board&) const = default;
  uint64_t empty() const { return ~(own | opp); }
};

// Black to move: own e4 d5, opp d4 e5.
inline constexpr Board kStart{(1ULL << 28) | (1ULL << 35), (1ULL << 27) | (1ULL << 36)};

inline int count_bits(uint64_t bits) { return __builtin_popcountll(bits); }
inline int first_bit(uint64_t bits) { return __builtin_ctzll(bits); }
inline int empties(const Board& board) { return count_bits(board.empty()); }

// Whichever way is faster on this processor; the answers are the same.
#if defined(__AVX2__)
namespace fast = lines::wide;
#else
namespace fast = lines::portable;
#endif

// Squares on which the mover may put a disc.
inline uint64_t legal_moves(uint64_t own, uint64_t opp) { return fast::legal_moves(own, opp); }
inline uint64_t legal_moves(const Board& board) { return legal_moves(board.own, board.opp); }

// The same for eight positions, one a lane: about a third faster where there are so many.
inline lines::Lanes8 legal_moves(lines::Lanes8 own, lines::Lanes8 opp) {
  return lines::reach_all(own, opp);
}

// Discs of `opp` that turn when a disc of `own` is put on the empty `square`; 0 where it is
// illegal.
inline uint64_t flips(uint64_t own, uint64_t opp, int square) {
  return fast::flips(own, opp, square);
}

// The position after a move with these flips, for the other side.
inline Board after_move(const Board& board, int square, uint64_t turned) {
  return {board.opp ^ turned, board.own ^ turned ^ (1ULL << square)};
}
inline Board after_pass(const Board& board) { return {board.opp, board.own}; }

// Neither side can move.
inline bool is_over(const Board& board) {
  return legal_moves(board.own, board.opp) == 0 && legal_moves(board.opp, board.own) == 0;
}
// Disc difference of a finished game for the mover; the winner gets the empty squares.
inline int final_score(const Board& board) {
  const int own = count_bits(board.own);
  const int opp = count_bits(board.opp);
  const int rest = kSquares - own - opp;
  return own > opp ? own - opp + rest : own < opp ? own - opp - rest : 0;
}

// The eight symmetries of the board are these two and what they compose.
uint64_t mirror_files(uint64_t bits);  // a <-> h
uint64_t transpose(uint64_t bits);     // a1-h8 diagonal stays
inline uint64_t mirror_ranks(uint64_t bits) { return __builtin_bswap64(bits); }  // 1 <-> 8

// Leaves of the game tree `depth` plies below. A pass is a ply; a game that has ended before is one
// leaf, as in the published counts. The last ply is counted without being played.
uint64_t perft(const Board& board, int depth);

}  // namespace ludus::othello
