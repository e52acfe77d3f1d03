// Othello: positions from discs, games from moves, and its players by rules of thumb.
#include "games/othello.h"

#include <nanobind/stl/string.h>

#include <cstring>

#include "bindings/arrays.h"
#include "bindings/state.h"
#include "games/othello_players.h"

namespace ludus {

namespace {

using Move = int (*)(const othello::Board&, uint64_t);

Move player_named(const std::string& name) {
  if (name == "corners") return othello::corners_move;
  if (name == "weights") return othello::weights_move;
  throw InputError("There is no rule of thumb '" + name + "'; there are: corners, weights.");
}

NumpyArray<int32_t> choose(const Array2<uint8_t>& states, const Array1<uint64_t>& keys,
                           const std::string& player) {
  require(states.shape(1) == sizeof(othello::State),
          "A packed othello position has " + std::to_string(sizeof(othello::State)) +
              " bytes, not " + std::to_string(states.shape(1)) + ".");
  require(keys.shape(0) == states.shape(0), "There must be one key for each position.");
  const Move move = player_named(player);
  std::vector<int32_t> actions(states.shape(0));
  {
    nb::gil_scoped_release release;
    for (size_t i = 0; i < actions.size(); ++i) {
      othello::State state;  // a copy, since a NumPy row need not be aligned
      std::memcpy(&state, states.data() + i * sizeof(state), sizeof(state));
      state.seat &= 1U;
      actions[i] = move(othello::board_of(state), keys.data()[i]);
    }
  }
  return to_numpy(std::move(actions));
}

PyState state_of(uint64_t black, uint64_t white, int seat) {
  PyState out{othello::make_game(), {}, {}};
  const othello::State state = othello::make_state(black, white, seat);
  std::memcpy(out.state.bytes, &state, sizeof(state));
  return out;
}

// Plays moves until one is illegal; a pass that is not among them is played where there is no other
// action. Returns all actions, the position behind them, and how many of the moves were played.
nb::tuple replay(const PyState& start, const Array1<int32_t>& moves) {
  require(start.game->info().name == "othello", "These moves need a position of othello.");
  PyState end = start;
  othello::State state;
  std::memcpy(&state, end.state.bytes, sizeof(state));
  std::vector<int32_t> actions;
  size_t played = 0;
  for (; played < moves.shape(0); ++played) {
    const int move = moves.data()[played];
    if (move != othello::kPass && othello::is_legal(state, othello::kPass)) {
      othello::State passed = state;
      othello::apply(passed, othello::kPass);
      if (!othello::is_legal(passed, move)) break;
      state = passed;
      actions.push_back(othello::kPass);
    }
    if (!othello::is_legal(state, move)) break;
    othello::apply(state, move);
    actions.push_back(move);
  }
  std::memcpy(end.state.bytes, &state, sizeof(state));
  return nb::make_tuple(to_numpy(std::move(actions)), end, played);
}

}  // namespace

void bind_othello(nb::module_& m) {
  m.def("othello_state", &state_of, nb::arg("black"), nb::arg("white"), nb::arg("seat"));
  m.def("othello_replay", &replay, nb::arg("start"), nb::arg("moves"));
  m.def("othello_choose", &choose, nb::arg("states"), nb::arg("keys"), nb::arg("player"));
  m.def(
      "othello_positional_score",
      [](uint64_t own, uint64_t opp) { return othello::positional_score({own, opp}); },
      nb::arg("own"), nb::arg("opp"));
}

}  // namespace ludus
