// How one player searches. Values are settings of a recipe; defaults are those of the papers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "games/game.h"

namespace ludus {

enum class Rule : uint8_t { none = 0, puct = 1, gumbel = 2 };

// What the search of one decision may spend.
struct Effort {
  // NOLINTNEXTLINE(google-explicit-constructor): a number is a full search of that many.
  Effort(int budget, bool is_capped = false) : simulations(budget), capped(is_capped) {}
  int simulations;
  bool capped;  // a fast search of playout-cap randomisation: no root noise, no policy target
};

// Events of the stream of purpose `search` at one decision.
enum SearchEvent : uint32_t {
  kNoiseEvent = 0,
  kGumbelEvent = 1,
  kCapEvent = 2,
  kWorldEvent = 3,
  kBeliefEvent = 4
};

inline constexpr int kMaxWorlds = 256;

struct SearchSettings {
  Rule rule = Rule::puct;
  std::vector<int> simulations = {64};  // of each world, by decision kind; the last value repeats
  // Playout-cap randomisation (Wu, "Accelerating self-play learning in Go", 2019, section 3.1):
  // a decision gets a full search with this probability and else a fast one.
  float full_fraction = 1.0F;         // 1: every search is full
  std::vector<int> fast_simulations;  // of a fast search, by decision kind like `simulations`
  float c_puct = 1.25F;               // weight of the prior in PUCT
  float fpu_reduction = 0.25F;        // first-play urgency: value of the node less this times
                                      // sqrt(prior already visited)
  float noise_alpha = 0.3F;           // root Dirichlet noise, PUCT only
  float noise_fraction = 0.0F;        // 0: none (always so in evaluation)
  int considered = 16;                // actions that sequential halving starts from, Gumbel
  float c_visit = 50.0F;              // weight of Q at the Gumbel root:
  float c_scale = 1.0F;               // (c_visit + most visits) * c_scale, Q scaled to [0, 1]
  float q_spread = 0.2F;              // with chance: spread of true Q between actions that Q's
                                      // standard error is held against (values in [-1, 1])
  float virtual_loss = 0.2F;          // taken from Q for each simulation in flight
  int max_inflight = 1;               // simulations of one game that wait for evaluation
  std::vector<float> temperature = {1.0F};  // of the played action by ply; the last value repeats
  bool forced_fast_path = true;             // a single search action is played without a search
  bool reuse_tree = false;                  // PUCT only; never in deterministic mode
  float margin_weight = 0.0F;               // share of the margin in the value, against win or loss
  // Of games with hidden information:
  int worlds = 1;                 // drawn at each decision, each with its share of the simulations
  bool open_worlds = false;       // leaves are evaluated with the hands of their world open
  bool information_sets = false;  // below the root nodes are shared by what their mover can see
  float evidence = 0.0F;    // weight of what the others' choices say about a world; 0: uniform
  float belief = 0.0F;      // weight of what the evaluator believes of who holds what; 0: not asked
  bool skip_forced = true;  // below the root a single search action is played on at once: no node

  // Throws InputError naming the setting and its range.
  void validate(const GameInfo& info) const;
  // Of the decision at this ply; whether it is full follows from (seed, search, game, ply) alone.
  Effort effort(int decision_kind, uint64_t seed, uint64_t game_id, uint32_t ply) const;
  float temperature_at(int ply) const {
    return temperature[std::min(static_cast<size_t>(ply), temperature.size() - 1)];
  }
};

}  // namespace ludus
