// Play by pattern tables with one ply of search.
#pragma once

#include <cstdint>

#include "games/othello_board.h"
#include "patterns/tables.h"

namespace ludus::patterns {

// The move whose position the tables, or the discs where the game is over, find best for the mover;
// the pass where there is none. Equal ones are chosen among by the key. Does not take the gate.
int one_ply_move(const PatternTables& tables, const othello::Board& board, uint64_t key);

}  // namespace ludus::patterns
