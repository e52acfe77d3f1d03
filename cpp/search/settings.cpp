#include "search/settings.h"

#include <string>

#include "base/errors.h"

namespace ludus {

namespace {
void require(bool holds, const char* name, const char* range) {
  if (!holds) throw InputError(std::string("Search setting '") + name + "' must be " + range + ".");
}

bool are_budgets(const std::vector<int>& list, int worlds = 1) {
  return std::all_of(list.begin(), list.end(),
                     [&](int n) { return n >= 0 && n <= 60000 / worlds; });
}

int of_kind(const std::vector<int>& list, int decision_kind) {
  return list[std::min(static_cast<size_t>(decision_kind), list.size() - 1)];
}
}  // namespace

Effort SearchSettings::effort(int decision_kind, uint64_t seed, uint64_t game_id,
                              uint32_t ply) const {
  const bool full =
      full_fraction >= 1.0F ||
      Stream(seed, Purpose::search, game_id, ply, kCapEvent).uniform() < full_fraction;
  return {worlds * of_kind(full ? simulations : fast_simulations, decision_kind), !full};
}

void SearchSettings::validate(const GameInfo& info) const {
  require(!simulations.empty() && are_budgets(simulations), "simulations",
          "a list of integers in 0..60000");
  require(full_fraction > 0.0F && full_fraction <= 1.0F, "full_fraction",
          "above 0 and at most 1: without full searches there are no policy targets");
  require((full_fraction >= 1.0F || !fast_simulations.empty()) && are_budgets(fast_simulations),
          "fast_simulations", "a list of integers in 0..60000 when full_fraction is below 1");
  require(c_puct >= 0.0F, "c_puct", "at least 0");
  require(fpu_reduction >= 0.0F && fpu_reduction <= 2.0F, "fpu_reduction", "in 0..2");
  require(noise_alpha > 0.0F, "noise_alpha", "above 0");
  require(noise_fraction >= 0.0F && noise_fraction <= 1.0F, "noise_fraction", "in 0..1");
  require(considered >= 1, "considered", "at least 1");
  require(c_visit >= 0.0F, "c_visit", "at least 0");
  require(c_scale >= 0.0F, "c_scale", "at least 0");
  require(q_spread > 0.0F, "q_spread", "above 0");
  require(virtual_loss >= 0.0F, "virtual_loss", "at least 0");
  require(max_inflight >= 1 && max_inflight <= 4096, "max_inflight", "in 1..4096");
  const bool heat_fits = std::all_of(temperature.begin(), temperature.end(),
                                     [](float t) { return t >= 0.0F && t <= 100.0F; });
  require(!temperature.empty() && heat_fits, "temperature", "a list of numbers in 0..100");
  require(!(reuse_tree && rule == Rule::gumbel), "reuse_tree",
          "false with the Gumbel rule, whose halving starts from a fresh root");
  require(margin_weight >= 0.0F && margin_weight <= 1.0F, "margin_weight", "in 0..1");
  require(worlds >= 1 && worlds <= kMaxWorlds, "worlds", "in 1..256");
  require(info.has_hidden || (worlds == 1 && !information_sets && evidence == 0.0F), "worlds",
          "1, without information sets and evidence, in a game where nothing is hidden");
  require(are_budgets(simulations, worlds) && are_budgets(fast_simulations, worlds), "worlds",
          "so few that worlds times simulations is at most 60000");
  require(evidence >= 0.0F && evidence <= 100.0F, "evidence", "in 0..100");
  require(belief >= 0.0F && belief <= 100.0F, "belief", "in 0..100");
  require(belief == 0.0F || info.hidden_things > 0, "belief",
          "0 in a game that does not say who may hold what is hidden");
  require(!(reuse_tree && info.has_hidden), "reuse_tree",
          "false in a game with hidden information, whose worlds are drawn anew at each decision");
  const bool listed = info.has_chance && !info.sampled_chance;
  require(!(info.has_hidden && listed) || info.max_outcomes * worlds < 65536, "worlds",
          "so few that worlds times chance outcomes is below 65536");
  require(!(information_sets && listed), "information_sets",
          "false in a game with chance events between its decisions");
  require(!(open_worlds && information_sets), "open_worlds",
          "false with information sets, whose nodes belong to several worlds");
  require(info.has_hidden || !open_worlds, "open_worlds",
          "false in a game where nothing is hidden");
  require(info.max_legal < 65536, "game", "one with under 65536 search actions");
}

}  // namespace ludus
