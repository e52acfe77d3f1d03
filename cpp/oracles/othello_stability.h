// Discs that can never turn again.
#pragma once

#include <cstdint>

namespace ludus::othello {

// A lower bound, as a set, of the discs of `own` that stay whatever both sides do: what is stable
// within an edge, what has only full lines through it, and what stable neighbours of the own
// colour hold in every direction. Symmetric use: swap the arguments for the other side.
uint64_t stable_discs(uint64_t own, uint64_t opp);

}  // namespace ludus::othello
