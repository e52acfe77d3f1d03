#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstring>

#include "bindings/arrays.h"
#include "bindings/python_game.h"
#include "bindings/state.h"

namespace ludus {

namespace {

const char* kind_name(NodeKind kind) {
  switch (kind) {
    case NodeKind::decision:
      return "decision";
    case NodeKind::chance:
      return "chance";
    case NodeKind::terminal:
      return "terminal";
  }
  return "?";
}

void require_kind(const PyState& s, NodeKind kind, const char* what) {
  const NodeKind is = s.game->kind(s.state.bytes);
  if (is != kind)
    throw InputError(std::string(what) + " belongs to a " + kind_name(kind) +
                     " position; this one is a " + kind_name(is) + ".");
}

void require_seat(const PyState& s, int seat) {
  require(seat >= 0 && seat < s.game->info().num_seats,
          "Seat " + std::to_string(seat) + " is not one of 0.." +
              std::to_string(s.game->info().num_seats - 1) + ".");
}

PyState from_bytes(std::shared_ptr<const Game> game, const void* bytes, size_t size) {
  const auto expected = static_cast<size_t>(game->info().state_size);
  require(size == expected, "A packed " + game->info().name + " position has " +
                                std::to_string(expected) + " bytes, not " + std::to_string(size) +
                                ".");
  PyState state{std::move(game), {}, {}};
  state.game->adopt(bytes, state.state.bytes);
  state.moved();
  return state;
}

// Rules in Python keep what was seen of positions that nobody holds any more; now and then it goes.
void tidy(const Game& game) {
  if (game.crowded()) game.keep_only({});
}

const PythonGame& require_own(const PyState& s) {
  const PythonGame* own = python_game(*s.game);
  require(own != nullptr, "The rules of " + s.game->info().name +
                              " are compiled: its positions are no objects of Python.");
  return *own;
}

void require_player(const PyState& s, int seat) {
  require_seat(s, seat);
  const int players = s.game->players(s.state.bytes);
  require(seat < players, "Seat " + std::to_string(seat) + " is empty: this game has " +
                              std::to_string(players) + " players.");
}

void require_hidden(const PyState& s, const char* what) {
  require(s.game->info().has_hidden, std::string(what) + " is for hidden information, and " +
                                         s.game->info().name + " has none.");
  require(!s.game->info().interpreted, std::string(what) + " asks compiled rules; " +
                                           s.game->info().name + " is written in Python.");
}

void require_listed(const PyState& s) {
  require(!s.game->info().sampled_chance,
          "The chance outcomes of " + s.game->info().name +
              " are too many to be listed: draw(seed) gives one, is_outcome() judges one.");
}

// Whether an outcome can happen at this chance event, listed or sampled.
bool can_happen(const PyState& s, int outcome) {
  if (s.game->info().sampled_chance) return s.game->is_outcome(s.state.bytes, outcome);
  std::vector<int32_t> ids(static_cast<size_t>(s.game->info().max_outcomes));
  std::vector<double> probabilities(ids.size());
  const int count = s.game->outcomes(s.state.bytes, ids.data(), probabilities.data());
  return std::find(ids.begin(), ids.begin() + count, outcome) != ids.begin() + count;
}

// At the end of a stage: of the game, or where the chance is sampled that begins the next one.
void require_stage_end(const PyState& s, const char* what) {
  const bool sampled = s.game->info().sampled_chance;
  if (!sampled || s.game->kind(s.state.bytes) != NodeKind::chance)
    require_kind(s, NodeKind::terminal, what);
}

template <class F>
NumpyArray<float> by_seat(const PyState& s, F&& fill) {
  std::vector<float> out(static_cast<size_t>(s.game->info().num_seats));
  const Access access(*s.game, Access::Call::brief);
  fill(out.data());
  return to_numpy(std::move(out));
}

}  // namespace

void bind_games(nb::module_& m) {
  nb::class_<PyGame>(m, "Game")
      .def_prop_ro("name", [](const PyGame& g) { return g.game->info().name; })
      .def_prop_ro("num_seats", [](const PyGame& g) { return g.game->info().num_seats; })
      .def_prop_ro("num_actions", [](const PyGame& g) { return g.game->info().num_actions; })
      .def_prop_ro("max_legal", [](const PyGame& g) { return g.game->info().max_legal; })
      .def_prop_ro("max_plies", [](const PyGame& g) { return g.game->info().max_plies; })
      .def_prop_ro("max_outcomes", [](const PyGame& g) { return g.game->info().max_outcomes; })
      .def_prop_ro("state_size", [](const PyGame& g) { return g.game->info().state_size; })
      .def_prop_ro("observation_size",
                   [](const PyGame& g) { return g.game->info().observation_size; })
      .def_prop_ro("observation_shape",
                   [](const PyGame& g) {
                     const std::vector<int>& shape = g.game->info().observation_shape;
                     nb::list sizes;
                     for (const int size : shape) sizes.append(size);
                     return nb::tuple(sizes);
                   })
      .def_prop_ro("decision_kinds", [](const PyGame& g) { return g.game->info().decision_kinds; })
      .def_prop_ro("rules_id", [](const PyGame& g) { return g.game->info().rules_id; })
      .def_prop_ro("encoder_id", [](const PyGame& g) { return g.game->info().encoder_id; })
      .def_prop_ro("action_space_id",
                   [](const PyGame& g) { return g.game->info().action_space_id; })
      .def_prop_ro("has_chance", [](const PyGame& g) { return g.game->info().has_chance; })
      .def_prop_ro("has_hidden", [](const PyGame& g) { return g.game->info().has_hidden; })
      .def_prop_ro("belief_size",
                   [](const PyGame& g) { return g.game->info().hidden_things * kHolders; })
      .def_prop_ro("sampled_chance", [](const PyGame& g) { return g.game->info().sampled_chance; })
      .def_prop_ro("interpreted", [](const PyGame& g) { return g.game->info().interpreted; })
      .def_prop_ro("ended_are_leaves",
                   [](const PyGame& g) { return g.game->info().ended_are_leaves; })
      .def_prop_ro("margin_scale", [](const PyGame& g) { return g.game->info().margin_scale; })
      .def("initial",
           [](const PyGame& g) {
             const Access access(*g.game, Access::Call::brief);
             tidy(*g.game);
             PyState state{g.game, {}, {}};
             g.game->initial(state.state.bytes);
             state.moved();
             return state;
           })
      .def(
          "state",
          [](const PyGame& g, const nb::bytes& packed) {
            return from_bytes(g.game, packed.c_str(), packed.size());
          },
          nb::arg("packed"))
      .def(
          "observe",
          [](const PyGame& g, const Array2<uint8_t>& states) {
            const GameInfo& info = g.game->info();
            require(states.shape(1) == static_cast<size_t>(info.state_size),
                    "Packed states have " + std::to_string(info.state_size) + " bytes a row.");
            const auto width = static_cast<size_t>(info.observation_size);
            std::vector<float> out(states.shape(0) * width);
            const Access access(*g.game, Access::Call::brief);
            for (size_t i = 0; i < states.shape(0); ++i) {
              const PyState s =
                  from_bytes(g.game, states.data() + i * states.shape(1), states.shape(1));
              g.game->observe(s.state.bytes, g.game->seat(s.state.bytes), out.data() + i * width);
            }
            return to_numpy(std::move(out), {states.shape(0), width});
          },
          nb::arg("states"))
      .def("__repr__", [](const PyGame& g) { return "<Game " + g.game->info().name + ">"; });

  nb::class_<PyState>(m, "State")
      .def_prop_ro("game", [](const PyState& s) { return PyGame{s.game}; })
      .def_prop_ro("kind", [](const PyState& s) { return kind_name(s.game->kind(s.state.bytes)); })
      .def_prop_ro("seat", [](const PyState& s) { return s.game->seat(s.state.bytes); })
      .def_prop_ro("players", [](const PyState& s) { return s.game->players(s.state.bytes); })
      .def_prop_ro("decision_kind",
                   [](const PyState& s) {
                     require_kind(s, NodeKind::decision, "A decision kind");
                     return s.game->decision_kind(s.state.bytes);
                   })
      .def("legal",
           [](const PyState& s) {
             require_kind(s, NodeKind::decision, "A legal action");
             std::vector<int32_t> out(static_cast<size_t>(s.game->info().num_actions));
             out.resize(static_cast<size_t>(s.game->legal(s.state.bytes, out.data())));
             return to_numpy(std::move(out));
           })
      .def("search_actions",
           [](const PyState& s) {
             require_kind(s, NodeKind::decision, "A search action");
             std::vector<uint16_t> actions(static_cast<size_t>(s.game->info().max_legal));
             const int count = s.game->search_actions(s.state.bytes, actions.data());
             return to_numpy(std::vector<int32_t>(actions.begin(), actions.begin() + count));
           })
      .def(
          "canonical",
          [](const PyState& s, int action) {
            require(s.game->is_legal(s.state.bytes, action),
                    "Action " + std::to_string(action) + " is illegal here.");
            return s.game->canonical(s.state.bytes, action);
          },
          nb::arg("action"))
      .def(
          "apply",
          [](PyState& s, int action) {
            require_kind(s, NodeKind::decision, "An action");
            require(s.game->is_legal(s.state.bytes, action),
                    "Action " + std::to_string(action) + " is illegal here.");
            const Access access(*s.game, Access::Call::brief);
            tidy(*s.game);
            s.game->apply(s.state.bytes, action);
            s.moved();
          },
          nb::arg("action"))
      .def("outcomes",
           [](const PyState& s) {
             require_kind(s, NodeKind::chance, "An outcome");
             require_listed(s);
             std::vector<int32_t> ids(static_cast<size_t>(s.game->info().max_outcomes));
             std::vector<double> probabilities(ids.size());
             const auto count = static_cast<size_t>(
                 s.game->outcomes(s.state.bytes, ids.data(), probabilities.data()));
             ids.resize(count);
             probabilities.resize(count);
             return nb::make_tuple(to_numpy(std::move(ids)), to_numpy(std::move(probabilities)));
           })
      .def(
          "apply_outcome",
          [](PyState& s, int outcome) {
            require_kind(s, NodeKind::chance, "An outcome");
            require(can_happen(s, outcome),
                    "Outcome " + std::to_string(outcome) + " cannot happen here.");
            const Access access(*s.game, Access::Call::brief);
            tidy(*s.game);
            s.game->apply_outcome(s.state.bytes, outcome);
            s.moved();
          },
          nb::arg("outcome"))
      .def(
          "is_outcome",
          [](const PyState& s, int outcome) {
            require_kind(s, NodeKind::chance, "An outcome");
            return can_happen(s, outcome);
          },
          nb::arg("outcome"))
      .def(
          "draw",
          [](const PyState& s, uint64_t seed) {
            require_kind(s, NodeKind::chance, "A draw");
            return s.game->draw(s.state.bytes, seed);
          },
          nb::arg("seed"))
      .def("returns",
           [](const PyState& s) {
             require_kind(s, NodeKind::terminal, "A return");
             return by_seat(s, [&](float* out) { s.game->returns(s.state.bytes, out); });
           })
      .def("margins",
           [](const PyState& s) {
             require_kind(s, NodeKind::terminal, "A margin");
             return by_seat(s, [&](float* out) { s.game->margins(s.state.bytes, out); });
           })
      .def("stage_returns",
           [](const PyState& s) {
             require_stage_end(s, "A stage return");
             return by_seat(s, [&](float* out) { s.game->stage_returns(s.state.bytes, out); });
           })
      .def("stage_margins",
           [](const PyState& s) {
             require_stage_end(s, "A stage margin");
             return by_seat(s, [&](float* out) { s.game->stage_margins(s.state.bytes, out); });
           })
      .def(
          "sample_world",
          [](const PyState& s, int seat, uint64_t seed) {
            require_hidden(s, "sample_world()");
            require_player(s, seat);
            PyState world = s;
            Stream stream(seed, Purpose::search);
            const int rejected =
                s.game->sample_world(s.state.bytes, seat, stream, world.state.bytes);
            world.moved();
            return nb::make_tuple(std::move(world), rejected);
          },
          nb::arg("seat"), nb::arg("seed"))
      .def(
          "world_evidence",
          [](const PyState& s, int seat) {
            require_hidden(s, "world_evidence()");
            require_player(s, seat);
            return s.game->world_evidence(s.state.bytes, seat);
          },
          nb::arg("seat"))
      .def(
          "private_key",
          [](const PyState& s, int seat) {
            require_hidden(s, "private_key()");
            require_player(s, seat);
            return s.game->private_key(s.state.bytes, seat);
          },
          nb::arg("seat"))
      .def("scores",
           [](const PyState& s) {
             return by_seat(s, [&](float* out) { s.game->scores(s.state.bytes, out); });
           })
      .def(
          "observe",
          [](const PyState& s, int seat) {
            require_seat(s, seat);
            std::vector<float> out(static_cast<size_t>(s.game->info().observation_size));
            const Access access(*s.game, Access::Call::brief);
            s.game->observe(s.state.bytes, seat, out.data());
            return to_numpy(std::move(out));
          },
          nb::arg("seat"))
      .def(
          "observe_open",
          [](const PyState& s, int seat) {
            require_seat(s, seat);
            std::vector<float> out(static_cast<size_t>(s.game->info().observation_size));
            const Access access(*s.game, Access::Call::brief);
            s.game->observe_open(s.state.bytes, seat, out.data());
            return to_numpy(std::move(out));
          },
          nb::arg("seat"))
      .def("packed",
           [](const PyState& s) {
             StateBytes packed;
             s.game->pack(s.state.bytes, packed.bytes);
             return nb::bytes(reinterpret_cast<const char*>(packed.bytes),
                              static_cast<size_t>(s.game->info().state_size));
           })
      .def("copy", [](const PyState& s) { return s; })
      .def("key", [](const PyState& s) { return s.game->key(s.state.bytes); })
      .def_prop_ro("own", [](const PyState& s) { return require_own(s).own(s.state.bytes); })
      .def("way",
           [](const PyState& s) {
             nb::list steps;
             for (const auto& [event, step] : require_own(s).way(s.state.bytes))
               steps.append(nb::make_tuple(event, step));
             return steps;
           })
      .def("__repr__", [](const PyState& s) {
        return "<State of " + s.game->info().name + ", " + kind_name(s.game->kind(s.state.bytes)) +
               ">";
      });

  m.attr("HOLDERS") = kHolders;
  m.attr("NOT_HIDDEN") = static_cast<int>(kNotHidden);
  m.def("game_names", &game_names);
  m.def("game", [](const std::string& name) { return PyGame{find_game(name)}; }, nb::arg("name"));
  m.def(
      "python_game",
      [](const nb::object& game, const nb::dict& facts) {
        return PyGame{PythonGame::make(game, facts)};
      },
      nb::arg("game"), nb::arg("facts"));
  m.def(
      "perft",
      [](const PyState& s, int depth, bool bulk) {
        require(depth >= 0, "A perft depth must not be negative.");
        const std::shared_ptr<const Game> game = fresh(s.game);
        StateBytes start = s.state;
        const Access access(*game);
        if (const PythonGame* own = python_game(*game))
          own->import(require_own(s), s.state.bytes, start.bytes);
        return perft(*game, start.bytes, depth, bulk);
      },
      nb::arg("state"), nb::arg("depth"), nb::arg("bulk") = true);
}

}  // namespace ludus
