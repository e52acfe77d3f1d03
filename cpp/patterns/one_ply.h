// Play by pattern tables with one ply of search.
#pragma once

#include <cstdint>

#include "games/othello_board.h"
#include "patterns/tables.h"

namespace ludus::patterns {

// The move whose position is best for the mover: by the discs where the game is over, lost by all
// of them where the other side can take them at once (endings.h), else by the tables. The pass
// where there is none. Equal ones are chosen among by the key. Does not take the gate.
int one_ply_move(const PatternTables& tables, const othello::Board& board, uint64_t key);

}  // namespace ludus::patterns
