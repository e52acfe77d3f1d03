// Random playouts and a fixed piece of arithmetic, for benchmarks and tests of rules.
#pragma once

#include <cstdint>

#include "games/game.h"

namespace ludus {

struct PlayoutCounts {
  uint64_t decisions = 0;
  uint64_t chance_events = 0;
  uint64_t checksum = 0;  // over final positions, so that nothing is optimised away
};

// Plays `games` games with uniformly random legal actions and chance on this thread.
PlayoutCounts random_playouts(const Game& game, uint64_t games, uint64_t seed);

struct WorldCounts {
  uint64_t worlds = 0;
  uint64_t rejected = 0;       // draws thrown away for them
  uint64_t most_rejected = 0;  // for one world
  uint64_t checksum = 0;
};

// Draws `each` worlds for the seat to move at every decision of `games` random games; each draw
// prepares itself anew. The walk through the games is part of the work.
WorldCounts random_worlds(const Game& game, uint64_t games, int each, uint64_t seed);

// `blocks` Philox blocks in a chain: scalar arithmetic whose speed says how fast this core is now.
uint64_t calibration_work(uint64_t blocks);

}  // namespace ludus
