// Othello for two seats: the rules behind the interface of game.h.
//
// Rules: 8 x 8 squares; seat 0 has the black discs and begins. A disc goes on an empty square where
// it brackets a row of the other's discs in at least one of eight directions, and all that it
// brackets turn. Who cannot put a disc passes; passing is an action of its own and legal only then.
// The game ends when neither can put a disc. Score in discs, the empty squares to the winner.
//
// Actions: 0..63 put a disc on that square (0 = a1, 1 = b1, ... 63 = h8), 64 passes.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "games/game.h"
#include "games/othello_board.h"

namespace ludus::othello {

inline constexpr int kPlanes = 5;
inline constexpr int kObservation = kPlanes * kSquares;
inline constexpr int kMaxMoves = 60;  // discs that can be put after the four of the start
// No two passes follow each other, and neither the first action nor the last one is a pass.
inline constexpr int kMaxPlies = 2 * kMaxMoves - 1;
// d4 e4 d5 e5: they are taken from the start, and discs never leave the board.
inline constexpr uint64_t kCentre = kStart.own | kStart.opp;

struct State {
  std::array<uint64_t, 2> discs;  // by seat
  uint64_t moves;                 // where the seat to move may put a disc; 0: pass or end
  uint8_t seat;                   // to move; at the end, who would have been
  uint8_t over;                   // 1 at the end
  std::array<uint8_t, 6> unused;  // 0
};
static_assert(sizeof(State) == 32);

// The position from the view of the seat to move.
inline Board board_of(const State& state) {
  return {state.discs[state.seat], state.discs[state.seat ^ 1U]};
}
// The position with these discs and that seat to move, which passes if it must. Throws InputError
// naming a square where the two overlap, an empty square of the centre, or the seat.
State make_state(uint64_t black, uint64_t white, int seat);

inline bool is_legal(const State& state, int action) {
  if (action == kPass) return state.moves == 0 && state.over == 0;
  return action >= 0 && action < kSquares && (state.moves >> action & 1U) != 0;
}
// Plays a legal action.
void apply(State& state, int action);

std::shared_ptr<const Game> make_game();

}  // namespace ludus::othello
