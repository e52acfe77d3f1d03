// Flat Monte Carlo over worlds: no tree and no network, the yardstick of searches that have both.
//
// For each legal action the position is played to the end of its stage, again and again, and the
// action with the best mean result of the seat to move is chosen. With hidden information each
// round of playouts draws one world that fits what that seat has seen, the same for all actions,
// so that luck of the deal cancels between them (determinization; Ginsberg, "GIB: Imperfect
// Information in a Computationally Challenging Game", JAIR 14, 2001, section 3, with playouts in
// the place of exact solutions). Worlds can weigh by how likely they make what the others did.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

#include "games/game.h"

namespace ludus {

// Chooses a legal action of a decision; called without any lock, by one thread.
using PlayoutPolicy = std::function<int(const void* state, Stream& stream)>;

// All legal actions with equal probability. The game outlives the policy.
PlayoutPolicy random_policy(const Game& game);

struct FlatSettings {
  int worlds = 64;        // of a decision; one without hidden information counts as a world as well
  int playouts = 1;       // of each action in each world
  double seconds = 0.0;   // of a decision, instead of a number of worlds; 0: `worlds` says
  double evidence = 0.0;  // power of Game::world_evidence that a world weighs with; 0: all alike
  double noise = 0.0;     // chance that a seat in a playout acts at random instead of by the policy
};

struct FlatResult {
  std::vector<int32_t> actions;  // legal, ascending
  std::vector<double> means;     // result of the stage for the seat to move, in [-1, 1]
  int best = -1;                 // the action of the highest mean, the lowest of equal ones
  uint64_t worlds = 0;
  uint64_t playouts = 0;
  bool stopped = false;  // by the flag, before its time
};

// The answer depends on the position, the key and the settings alone, unless by seconds. An action
// without an alternative is not played out (no worlds, mean 0). Throws InputError for a position
// that is no decision and for settings out of range.
FlatResult flat_monte_carlo(const Game& game, const void* state, uint64_t key,
                            const FlatSettings& settings, const PlayoutPolicy& policy,
                            const std::atomic<bool>* stop = nullptr);

}  // namespace ludus
