// Blob: its player by rules of thumb, and flat Monte Carlo with it.
#include "games/blob_players.h"

#include <nanobind/stl/string.h>

#include <atomic>
#include <cstring>
#include <limits>

#include "bindings/arrays.h"
#include "bindings/interrupts.h"
#include "bindings/state.h"
#include "search/flat_montecarlo.h"

namespace ludus {

namespace {

// Decisions of Blob, copied, since a NumPy row need not be aligned.
std::vector<StateBytes> decisions_from(const Game& game, const Array2<uint8_t>& states) {
  require(game.info().name == "blob", "These players play Blob, not " + game.info().name + ".");
  require(states.shape(1) == sizeof(blob::State),
          "A packed blob position has " + std::to_string(sizeof(blob::State)) + " bytes, not " +
              std::to_string(states.shape(1)) + ".");
  std::vector<StateBytes> out(states.shape(0));
  for (size_t i = 0; i < out.size(); ++i) {
    std::memcpy(out[i].bytes, states.data() + i * sizeof(blob::State), sizeof(blob::State));
    game.validate(out[i].bytes);
    require(game.kind(out[i].bytes) == NodeKind::decision,
            "Position " + std::to_string(i) + " is no decision.");
  }
  return out;
}

const blob::State& blob_state(const void* state) { return *static_cast<const blob::State*>(state); }

PlayoutPolicy policy_named(const Game& game, const std::string& name) {
  if (name == "random") return random_policy(game);
  if (name == "rules")
    return [](const void* state, Stream&) { return blob::rules_action(blob_state(state)); };
  throw InputError("There is no playout policy '" + name + "'; there are: rules, random.");
}

NumpyArray<int32_t> rules_choose(const PyGame& self, const Array2<uint8_t>& states) {
  const std::vector<StateBytes> positions = decisions_from(*self.game, states);
  std::vector<int32_t> actions(positions.size());
  {
    nb::gil_scoped_release release;
    for (size_t i = 0; i < actions.size(); ++i)
      actions[i] = blob::rules_action(blob_state(positions[i].bytes));
  }
  return to_numpy(std::move(actions));
}

// Actions, means f64[n, 66] with NaN where illegal, worlds and playouts of each.
nb::tuple montecarlo(const PyGame& self, const Array2<uint8_t>& states,
                     const Array1<uint64_t>& keys, int worlds, int playouts, double seconds,
                     double noise, const std::string& policy) {
  const Game& game = *self.game;
  const std::vector<StateBytes> positions = decisions_from(game, states);
  require(keys.shape(0) == states.shape(0), "There must be one key for each position.");
  const PlayoutPolicy chooses = policy_named(game, policy);
  FlatSettings settings;
  settings.worlds = worlds;
  settings.playouts = playouts;
  settings.seconds = seconds;
  settings.noise = noise;
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
          flat_monte_carlo(game, positions[i].bytes, own_keys[i], settings, chooses, &stop);
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
        nb::arg("noise") = 0.0, nb::arg("policy") = "rules");
}

}  // namespace ludus
