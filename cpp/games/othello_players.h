// Two players by rules of thumb, to measure others against.
#pragma once

#include <cstdint>

#include "games/othello_board.h"

namespace ludus::othello {

// Both choose among the legal moves of the mover; of those that are equally good one at random by
// `key`, so the same key gives the same move. kPass where there is none.

// Corner before edge before inside; squares beside an empty corner come last, and the one on its
// diagonal last of all (what every beginner's book says).
int corners_move(const Board& board, uint64_t key);

// The move after which the squares of the mover outweigh the other's most, by the weights that are
// the usual yardstick in the literature (Lucas and Runarsson, "Temporal Difference Learning Versus
// Co-Evolution for Acquiring Othello Position Evaluation", CIG 2006).
int weights_move(const Board& board, uint64_t key);

// Hundredths, own squares less the other's.
int positional_score(const Board& board);

}  // namespace ludus::othello
