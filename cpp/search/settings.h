// How one player searches. Values are settings of a recipe; defaults are those of the papers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "games/game.h"

namespace ludus {

enum class Rule : uint8_t { none = 0, puct = 1, gumbel = 2 };

struct SearchSettings {
  Rule rule = Rule::puct;
  std::vector<int> simulations = {64};  // by decision kind; the last value repeats
  float c_puct = 1.25F;                 // weight of the prior in PUCT
  float fpu_reduction = 0.25F;          // first-play urgency: value of the node less this times
                                        // sqrt(prior already visited)
  float noise_alpha = 0.3F;             // root Dirichlet noise, PUCT only
  float noise_fraction = 0.0F;          // 0: none (always so in evaluation)
  int considered = 16;                  // actions that sequential halving starts from, Gumbel
  float c_visit = 50.0F;                // weight of Q at the Gumbel root:
  float c_scale = 1.0F;                 // (c_visit + most visits) * c_scale, Q scaled to [0, 1]
  float q_spread = 0.2F;                // with chance: spread of true Q between actions that Q's
                                        // standard error is held against (values in [-1, 1])
  float virtual_loss = 0.2F;            // taken from Q for each simulation in flight
  int max_inflight = 1;                 // simulations of one game that wait for evaluation
  std::vector<float> temperature = {1.0F};  // of the played action by ply; the last value repeats
  bool forced_fast_path = true;             // a single search action is played without a search
  bool reuse_tree = false;                  // PUCT only; never in deterministic mode
  float margin_weight = 0.0F;               // share of the margin in the value, against win or loss

  // Throws InputError naming the setting and its range.
  void validate(const GameInfo& info) const;
  int budget(int decision_kind) const {
    const auto last = simulations.size() - 1;
    return simulations[std::min(static_cast<size_t>(decision_kind), last)];
  }
  float temperature_at(int ply) const {
    return temperature[std::min(static_cast<size_t>(ply), temperature.size() - 1)];
  }
};

}  // namespace ludus
