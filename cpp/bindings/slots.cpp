#include "play/slots.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings/arrays.h"
#include "bindings/python_game.h"
#include "bindings/records.h"
#include "bindings/state.h"

namespace ludus {

namespace {

// ---- settings of a player --------------------------------------------------------------------

template <class T>
bool take(const nb::dict& from, const char* key, T& into) {
  if (!from.contains(key)) return false;
  if (!nb::try_cast<T>(from[key], into))
    throw InputError(std::string("Player setting '") + key + "' has the wrong type.");
  return true;
}

PlayerSettings player_settings(const nb::dict& given) {
  PlayerSettings player;
  SearchSettings& s = player.search;
  size_t known = 0;
  std::string kind = "search";
  std::string rule = "puct";
  known += take(given, "kind", kind);
  known += take(given, "rule", rule);
  known += take(given, "simulations", s.simulations);
  known += take(given, "full_fraction", s.full_fraction);
  known += take(given, "fast_simulations", s.fast_simulations);
  known += take(given, "c_puct", s.c_puct);
  known += take(given, "fpu_reduction", s.fpu_reduction);
  known += take(given, "noise_alpha", s.noise_alpha);
  known += take(given, "noise_fraction", s.noise_fraction);
  known += take(given, "considered", s.considered);
  known += take(given, "c_visit", s.c_visit);
  known += take(given, "c_scale", s.c_scale);
  known += take(given, "q_spread", s.q_spread);
  known += take(given, "virtual_loss", s.virtual_loss);
  known += take(given, "max_inflight", s.max_inflight);
  known += take(given, "temperature", s.temperature);
  known += take(given, "forced_fast_path", s.forced_fast_path);
  known += take(given, "reuse_tree", s.reuse_tree);
  known += take(given, "margin_weight", s.margin_weight);
  known += take(given, "worlds", s.worlds);
  known += take(given, "open_worlds", s.open_worlds);
  known += take(given, "information_sets", s.information_sets);
  known += take(given, "evidence", s.evidence);
  known += take(given, "belief", s.belief);
  known += take(given, "skip_forced", s.skip_forced);
  require(known == nb::len(given), "A player has a setting that no search knows: " +
                                       nb::cast<std::string>(nb::str(given)) + ".");
  if (kind == "external")
    player.kind = PlayerSettings::Kind::external;
  else if (kind == "random")
    player.kind = PlayerSettings::Kind::random;
  else
    require(kind == "search", "A player is 'search', 'external' or 'random', not '" + kind + "'.");
  if (rule == "gumbel")
    s.rule = Rule::gumbel;
  else
    require(rule == "puct", "A search rule is 'puct' or 'gumbel', not '" + rule + "'.");
  return player;
}

// ---- slots -------------------------------------------------------------------------------------

// Slots with the arrays that Python lent, kept alive as long as they may be written.
struct PySlots {
  std::unique_ptr<Slots> slots;
  std::vector<nb::object> lent;
};

size_t rows_of(const PySlots& s) { return static_cast<size_t>(s.slots->rows()); }
size_t capacity_of(const PySlots& s) { return static_cast<size_t>(s.slots->legal_capacity()); }
size_t seats_of(const PySlots& s) { return static_cast<size_t>(s.slots->game().info().num_seats); }

// An array argument that may be None, of the length that the batch has.
int32_t* lent_list(const nb::object& given, size_t length, const char* says) {
  if (given.is_none()) return nullptr;
  Lent1<int32_t> lent;
  require(nb::try_cast(given, lent) && lent.shape(0) == length, says);
  return lent.data();
}

void bind_arrays(PySlots& s, int group, int player, const nb::object& observations,
                 const nb::object& seats, const nb::object& legal, const nb::object& offsets,
                 const nb::object& players, const nb::object& wanted, const nb::object& beliefs) {
  BatchArrays arrays;
  const auto width = static_cast<size_t>(s.slots->game().info().observation_size);
  if (!observations.is_none()) {
    Lent2<float> lent;
    require(
        nb::try_cast(observations, lent) && lent.shape(0) == rows_of(s) && lent.shape(1) == width,
        "bind() wants observations float32[rows, observation_size], C order.");
    arrays.observations = lent.data();
  }
  arrays.seats = lent_list(seats, rows_of(s), "bind() wants seats int32[rows].");
  arrays.legal = lent_list(legal, capacity_of(s), "bind() wants legal int32[legal_capacity].");
  arrays.offsets = lent_list(offsets, rows_of(s) + 1, "bind() wants offsets int32[rows + 1].");
  arrays.players = lent_list(players, rows_of(s), "bind() wants players int32[rows].");
  const bool lists = arrays.seats != nullptr;
  require(lists == (arrays.legal != nullptr) && lists == (arrays.offsets != nullptr) &&
              (lists || arrays.observations == nullptr),
          "bind() wants seats, legal and offsets together, or nothing for an evaluator that needs "
          "no input.");
  require(lists || arrays.players == nullptr, "bind() wants no players without the other arrays.");
  require(!lists || arrays.players != nullptr || seats_of(s) <= 2,
          "bind() wants players int32[rows] too in a game of more than two seats.");
  if (!wanted.is_none()) {
    Lent1<uint8_t> lent;
    require(nb::try_cast(wanted, lent) && lent.shape(0) == rows_of(s),
            "bind() wants wanted uint8[rows].");
    arrays.wanted = lent.data();
  }
  if (!beliefs.is_none()) {
    Lent2<float> lent;
    require(nb::try_cast(beliefs, lent) && lent.shape(0) == rows_of(s) &&
                lent.shape(1) == static_cast<size_t>(s.slots->belief_size(player)),
            "bind() wants beliefs float32[rows, belief_size].");
    arrays.beliefs = lent.data();
  }
  s.slots->bind(group, player, arrays);
  s.lent.push_back(nb::make_tuple(observations, seats, legal, offsets, players, wanted, beliefs));
}

void schedule(PySlots& s, const Array1<int64_t>& ids, const Array1<uint64_t>& seeds,
              const Array2<int8_t>& seat_players, const nb::object& openings) {
  Array1<int32_t> opening;
  require(
      openings.is_none() || (nb::try_cast(openings, opening) && opening.shape(0) == ids.shape(0)),
      "schedule() wants openings int32[n], one for each game, or None.");
  require(seeds.shape(0) == ids.shape(0) && seat_players.shape(0) == ids.shape(0) &&
              seat_players.shape(1) == seats_of(s),
          "schedule() wants game_ids int64[n], seeds uint64[n], seat_players int8[n, seats].");
  for (size_t i = 0; i < ids.shape(0); ++i) {
    ScheduledGame game{ids.data()[i], seeds.data()[i], {}};
    if (!openings.is_none()) game.opening = opening.data()[i];
    for (size_t seat = 0; seat < std::min<size_t>(seats_of(s), kMaxSeats); ++seat)
      game.seat_players[seat] = seat_players.data()[i * seats_of(s) + seat];
    s.slots->schedule(game);
  }
}

nb::tuple decisions(PySlots& s, int group, int player) {
  std::vector<Slots::Decision> waiting;
  {
    const Access access(s.slots->game());
    s.slots->decisions(group, player, waiting);
  }
  const auto size = static_cast<size_t>(s.slots->game().info().state_size);
  std::vector<int32_t> slots(waiting.size());
  std::vector<uint8_t> states(waiting.size() * size);
  std::vector<uint64_t> keys(waiting.size());
  for (size_t i = 0; i < waiting.size(); ++i) {
    slots[i] = waiting[i].slot;
    s.slots->game().pack(waiting[i].state, states.data() + i * size);
    keys[i] = waiting[i].key;
  }
  const size_t count = waiting.size();
  return nb::make_tuple(to_numpy(std::move(slots)), to_numpy(std::move(states), {count, size}),
                        to_numpy(std::move(keys)));
}

nb::dict counters(const PySlots& s) {
  const Slots::Counters c = s.slots->counters();
  nb::dict out;
  out["simulations"] = c.tree.simulations;
  out["expansions"] = c.tree.expansions;
  out["terminals"] = c.tree.terminals;
  out["collisions"] = c.tree.collisions;
  out["fallbacks"] = c.tree.fallbacks;
  out["depth"] = c.tree.depth;
  out["opened"] = c.tree.opened;
  out["nodes"] = c.tree.nodes;
  out["node_bytes"] = c.tree.bytes;
  out["growths"] = c.tree.growths;
  out["worlds"] = c.tree.worlds;
  out["worlds_rejected"] = c.tree.rejected;
  out["decisions"] = c.decisions;
  out["searched"] = c.searched;
  out["capped"] = c.capped;
  out["forced"] = c.forced;
  out["random"] = c.random;
  out["external"] = c.external;
  out["games"] = c.games;
  out["rows"] = c.rows;
  out["batches"] = c.batches;
  out["failed"] = c.failed;
  const PythonGame* own = python_game(s.slots->game());
  out["positions"] = own != nullptr ? own->positions() : 0;
  out["positions_made"] = own != nullptr ? own->made() : 0;
  return out;
}

nb::dict passes(const PySlots& s) {
  const Slots::Passes p = s.slots->counters().passes;
  nb::dict out;
  out["tree"] = p.tree;
  out["encode"] = p.encode;
  out["expand"] = p.expand;
  return out;
}

// The worlds that a search of this decision draws where none weigh more than others.
nb::list search_worlds(const PyState& s, int worlds, uint64_t seed, uint64_t game, uint32_t ply) {
  const Game& rules = *s.game;
  require(rules.info().has_hidden && !rules.info().interpreted,
          "Worlds are drawn in games with hidden information whose rules are compiled.");
  require(rules.kind(s.state.bytes) == NodeKind::decision, "Worlds are drawn at a decision.");
  require(worlds >= 1 && worlds <= kMaxWorlds, "Worlds must be in 1..256.");
  Stream stream(seed, Purpose::search, game, ply, kWorldEvent);
  nb::list out;
  for (int i = 0; i < worlds; ++i) {
    PyState world = s;
    rules.sample_world(s.state.bytes, rules.seat(s.state.bytes), stream, world.state.bytes);
    out.append(world);
  }
  return out;
}

nb::list sample_roots(const PySlots& s) {
  nb::list out;
  for (const RootSample& sample : s.slots->sample_roots()) {
    nb::dict root;
    root["game_id"] = sample.game_id;
    root["ply"] = sample.ply;
    root["seat"] = sample.seat;
    root["action"] = sample.actions[static_cast<size_t>(sample.chosen)];
    root["value"] = sample.value;
    root["temperature"] = sample.temperature;
    root["actions"] = sample.actions;
    root["visits"] = sample.visits;
    root["q"] = sample.q;
    root["prior"] = sample.prior;
    root["prior_noised"] = sample.noised;
    root["policy"] = sample.policy;
    out.append(root);
  }
  return out;
}

}  // namespace

void bind_slots(nb::module_& m) {
  m.def("search_worlds", &search_worlds, nb::arg("state"), nb::arg("worlds"), nb::arg("seed"),
        nb::arg("game"), nb::arg("ply"));
  nb::class_<PySlots>(m, "Slots")
      .def(
          "__init__",
          [](PySlots* self, const PyGame& game, int slots, int group_size, uint64_t seed,
             const nb::list& players, bool record) {
            std::vector<PlayerSettings> settings;
            const GameInfo& info = game.game->info();
            for (const nb::handle player : players)
              settings.push_back(player_settings(nb::cast<nb::dict>(player)));
            for (const PlayerSettings& player : settings)
              require(!info.has_hidden || !info.interpreted ||
                          player.kind != PlayerSettings::Kind::search,
                      info.name +
                          " has hidden information, and rules in Python cannot draw worlds for a "
                          "search; random and outside players can play it.");
            new (self) PySlots{std::make_unique<Slots>(game.game, slots, group_size, seed,
                                                       std::move(settings), record),
                               {}};
          },
          nb::arg("game"), nb::kw_only(), nb::arg("slots"), nb::arg("group_size"), nb::arg("seed"),
          nb::arg("players"), nb::arg("record") = true)
      .def_prop_ro("groups", [](const PySlots& s) { return s.slots->groups(); })
      .def_prop_ro("rows", [](const PySlots& s) { return s.slots->rows(); })
      .def_prop_ro("legal_capacity", [](const PySlots& s) { return s.slots->legal_capacity(); })
      .def(
          "set_openings",
          [](PySlots& s, std::vector<std::vector<uint16_t>> lines) {
            const Access access(s.slots->game());
            s.slots->set_openings(std::move(lines));
          },
          nb::arg("lines"))
      .def("schedule", &schedule, nb::arg("game_ids"), nb::arg("seeds"), nb::arg("seat_players"),
           nb::arg("openings") = nb::none())
      .def("bind", &bind_arrays, nb::arg("group"), nb::arg("player"),
           nb::arg("observations") = nb::none(), nb::arg("seats") = nb::none(),
           nb::arg("legal") = nb::none(), nb::arg("offsets") = nb::none(),
           nb::arg("players") = nb::none(), nb::arg("wanted") = nb::none(),
           nb::arg("beliefs") = nb::none())
      .def(
          "belief_size", [](const PySlots& s, int player) { return s.slots->belief_size(player); },
          nb::arg("player"))
      .def(
          "collect",
          [](PySlots& s, int group, int player) {
            const Access access(s.slots->game());
            return s.slots->collect(group, player);
          },
          nb::arg("group"), nb::arg("player"))
      .def(
          "supply",
          [](PySlots& s, int group, int player, const Array1<float>& logits,
             const Array2<float>& values) {
            require(logits.shape(0) == capacity_of(s),
                    "supply() wants logits float32[legal_capacity].");
            require(values.shape(0) == rows_of(s) && values.shape(1) == seats_of(s),
                    "supply() wants values float32[rows, seats].");
            const Access access(s.slots->game());
            s.slots->supply(group, player, logits.data(), values.data());
          },
          nb::arg("group"), nb::arg("player"), nb::arg("logits"), nb::arg("values"))
      .def(
          "supply_uniform",
          [](PySlots& s, int group, int player) {
            const Access access(s.slots->game());
            s.slots->supply_uniform(group, player);
          },
          nb::arg("group"), nb::arg("player"))
      .def("decisions", &decisions, nb::arg("group"), nb::arg("player"))
      .def(
          "decide",
          [](PySlots& s, int group, int player, const Array1<int32_t>& slots,
             const Array1<int32_t>& actions) {
            require(slots.shape(0) == actions.shape(0), "decide() wants one action for each slot.");
            const Access access(s.slots->game());
            for (size_t i = 0; i < slots.shape(0); ++i)
              s.slots->decide(group, player, slots.data()[i], actions.data()[i]);
          },
          nb::arg("group"), nb::arg("player"), nb::arg("slots"), nb::arg("actions"))
      .def(
          "busy", [](const PySlots& s, int group) { return s.slots->busy(group); },
          nb::arg("group"))
      .def(
          "finished",
          [](PySlots& s) { return to_dict(s.slots->finished(), s.slots->game().info().num_seats); })
      .def("in_flight",
           [](const PySlots& s) {
             return to_dict(s.slots->in_flight(), s.slots->game().info().num_seats);
           })
      .def(
          "restore",
          [](PySlots& s, const nb::dict& records) {
            const Records flight = from_dict(records, s.slots->game().info());
            const Access access(s.slots->game());
            s.slots->restore(flight);
          },
          nb::arg("records"))
      .def("counters", &counters)
      .def("passes", &passes)
      .def("sample_roots", &sample_roots)
      .def("failures",
           [](const PySlots& s) {
             nb::list out;
             for (const Slots::Failure& failure : s.slots->failures())
               out.append(nb::make_tuple(failure.game_id, failure.sentence));
             return out;
           })
      .def(
          "run_uniform",
          [](PySlots& s, uint64_t simulations) {
            const Access access(s.slots->game());
            s.slots->run_uniform(simulations);
          },
          nb::arg("simulations"));
}

}  // namespace ludus
