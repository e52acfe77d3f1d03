// Blob: its player by rules of thumb, and flat Monte Carlo with it.
#include "games/blob_players.h"

#include <nanobind/stl/string.h>

#include <atomic>
#include <limits>

#include "bindings/arrays.h"
#include "bindings/blob_states.h"
#include "bindings/interrupts.h"
#include "bindings/state.h"
#include "search/flat_montecarlo.h"

namespace ludus {

namespace {

std::vector<blob::State> decisions_from(const Game& game, const Array2<uint8_t>& states) {
  std::vector<blob::State> out = blob_positions(game, states);
  for (size_t i = 0; i < out.size(); ++i)
    require(game.kind(&out[i]) == NodeKind::decision,
            "Position " + std::to_string(i) + " is no decision.");
  return out;
}

PlayoutPolicy policy_named(const Game& game, const std::string& name) {
  if (name == "random") return random_policy(game);
  if (name == "rules")
    return [](const void* state, Stream&) {
      return blob::rules_action(*static_cast<const blob::State*>(state));
    };
  throw InputError("There is no playout policy '" + name + "'; there are: rules, random.");
}

NumpyArray<int32_t> rules_choose(const PyGame& self, const Array2<uint8_t>& states) {
  const std::vector<blob::State> positions = decisions_from(*self.game, states);
  std::vector<int32_t> actions(positions.size());
  {
    nb::gil_scoped_release release;
    for (size_t i = 0; i < actions.size(); ++i) actions[i] = blob::rules_action(positions[i]);
  }
  return to_numpy(std::move(actions));
}

// Actions, means f64[n, 66] with NaN where illegal, worlds and playouts of each.
nb::tuple montecarlo(const PyGame& self, const Array2<uint8_t>& states,
                     const Array1<uint64_t>& keys, int worlds, int playouts, double seconds,
                     double noise, double evidence, const std::string& policy) {
  const Game& game = *self.game;
  const std::vector<blob::State> positions = decisions_from(game, states);
  require(keys.shape(0) == states.shape(0), "There must be one key for each position.");
  const PlayoutPolicy chooses = policy_named(game, policy);
  FlatSettings settings;
  settings.worlds = worlds;
  settings.playouts = playouts;
  settings.seconds = seconds;
  settings.noise = noise;
  settings.evidence = evidence;
  const size_t width = static_cast<size_t>(game.info().num_actions);
  std::vector<int32_t> actions(positions.size());
  std::vector<double> means(positions.size() * width, std::numeric_limits<double>::quiet_NaN());
  std::vector<int64_t> drawn(positions.size());
  std::vector<int64_t> played(positions.size());
  const std::vector<uint64_t> own_keys(keys.data(), keys.data() + keys.shape(0));
  std::atomic<bool> stop{false};
  interruptible(stop, [&] {
    for (size_t i = 0; i < positions.size() && !stop; ++i) {
      const FlatResult result =
          flat_monte_carlo(game, &positions[i], own_keys[i], settings, chooses, &stop);
      actions[i] = result.best;
      drawn[i] = static_cast<int64_t>(result.worlds);
      played[i] = static_cast<int64_t>(result.playouts);
      for (size_t a = 0; a < result.actions.size(); ++a)
        means[i * width + static_cast<size_t>(result.actions[a])] = result.means[a];
    }
  });
  return nb::make_tuple(to_numpy(std::move(actions)),
                        to_numpy(std::move(means), {positions.size(), width}),
                        to_numpy(std::move(drawn)), to_numpy(std::move(played)));
}

}  // namespace

void bind_blob_players(nb::module_& m) {
  m.def("blob_rules_choose", &rules_choose, nb::arg("game"), nb::arg("states"));
  m.def("blob_montecarlo", &montecarlo, nb::arg("game"), nb::arg("states"), nb::arg("keys"),
        nb::kw_only(), nb::arg("worlds") = 64, nb::arg("playouts") = 1, nb::arg("seconds") = 0.0,
        nb::arg("noise") = 0.0, nb::arg("evidence") = 0.0, nb::arg("policy") = "rules");
}

}  // namespace ludus
