// Training rows, random playouts.
#include "play/rows.h"

#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>

#include "bindings/arrays.h"
#include "bindings/python_game.h"
#include "bindings/records.h"
#include "bindings/state.h"
#include "play/picks.h"
#include "play/playouts.h"

namespace ludus {

namespace {

struct PyDecoder {
  nb::dict columns;  // keeps the borrowed arrays alive
  std::unique_ptr<RowDecoder> decoder;
  size_t width;
  size_t values;  // columns of `value` and `margin`
  std::shared_ptr<const Game> game;
};

PyDecoder make_decoder(const PyGame& game, const nb::dict& columns, float c_visit, float c_scale,
                       float q_spread, float target_temperature, bool open) {
  RecordView view;
  const auto plies = typed<int32_t>(columns, "plies");
  const auto actions = typed<uint16_t>(columns, "action");
  const auto visits = typed<uint16_t>(columns, "visits");
  const auto seats = static_cast<size_t>(game.game->info().num_seats);
  view.games = plies.size();
  view.ply_rows = actions.size();
  view.edge_rows = visits.size();
  view.plies = plies.data();
  view.action = actions.data();
  view.visits = visits.data();
  auto borrow = [&]<class T>(const char* name, size_t rows, const T*& into) {
    const auto array = typed<T>(columns, name);
    require(array.size() == rows, std::string("Column '") + name + "' of the game records has " +
                                      std::to_string(array.size()) + " entries where " +
                                      std::to_string(rows) + " belong.");
    into = array.data();
  };
  borrow("opening", view.games, view.opening);
  borrow("returns", view.games * seats, view.returns);
  borrow("scores", view.games * seats, view.scores);
  borrow("outcome", view.ply_rows, view.outcome);
  borrow("flags", view.ply_rows, view.flags);
  borrow("rule", view.ply_rows, view.rule);
  borrow("root_value", view.ply_rows, view.root_value);
  borrow("q_variance", view.ply_rows, view.q_variance);
  borrow("edges", view.ply_rows, view.edges);
  borrow("q", view.edge_rows, view.q);
  borrow("prior", view.edge_rows, view.prior);
  const GameInfo& info = game.game->info();
  const ImprovedPolicy rule{c_visit, c_scale, q_spread, info.has_chance || info.has_hidden};
  auto own = fresh(game.game);
  return {nb::cast<nb::dict>(columns.attr("copy")()),
          std::make_unique<RowDecoder>(own, view, rule, target_temperature, open),
          static_cast<size_t>(info.observation_size),
          info.num_seats > 2 ? static_cast<size_t>(info.num_seats) : 1, std::move(own)};
}

nb::dict decode(const PyDecoder& d, const Array1<int64_t>& games, const Array1<int32_t>& plies) {
  require(games.shape(0) == plies.shape(0), "rows() wants games int64[n] and plies int32[n].");
  const size_t count = games.shape(0);
  TrainingRows rows;
  {
    const Access access(*d.game);
    if (d.game->crowded()) d.game->keep_only({});
    rows = d.decoder->rows(count, games.data(), plies.data());
  }
  const auto width = static_cast<size_t>(d.game->info().observation_size);
  nb::dict out;
  out["observations"] = to_numpy(std::move(rows.observations), {count, width});
  out["legal"] = to_numpy(std::move(rows.legal));
  out["offsets"] = to_numpy(std::move(rows.offsets));
  out["policy"] = to_numpy(std::move(rows.policy));
  if (d.values == 1) {
    out["value"] = to_numpy(std::move(rows.value));
    out["margin"] = to_numpy(std::move(rows.margin));
  } else {
    out["value"] = to_numpy(std::move(rows.value), {count, d.values});
    out["margin"] = to_numpy(std::move(rows.margin), {count, d.values});
  }
  out["players"] = to_numpy(std::move(rows.players));
  out["root_value"] = to_numpy(std::move(rows.root_value));
  out["searched"] = to_numpy(std::move(rows.searched));
  return out;
}

// Decodes into arrays of Python by name; returns how many entries of `legal` and `policy` are used.
size_t fill(const PyDecoder& d, const Array1<int64_t>& games, const Array1<int32_t>& plies,
            const nb::dict& into) {
  require(games.shape(0) == plies.shape(0), "fill() wants games int64[n] and plies int32[n].");
  const size_t count = games.shape(0);
  RowArrays out;
  // Looked at with the interpreter held; `into` keeps the arrays alive.
  auto lend = [&]<class T>(const char* name, size_t least, T*& to) {
    nb::ndarray<T, nb::c_contig, nb::device::cpu> array;
    require(into.contains(name) && nb::try_cast(into[name], array, false),
            std::string("fill() wants a writable array '") + name + "' of the right type.");
    require(array.size() >= least, std::string("fill(): array '") + name + "' is too small.");
    to = array.data();
    return array.size();
  };
  lend("observations", count * d.width, out.observations);
  out.capacity = lend("legal", 0, out.legal);
  lend("policy", out.capacity, out.policy);
  lend("offsets", count + 1, out.offsets);
  lend("value", count * d.values, out.value);
  lend("margin", count * d.values, out.margin);
  lend("players", count, out.players);
  lend("root_value", count, out.root_value);
  lend("searched", count, out.searched);
  const auto things = static_cast<size_t>(d.game->info().hidden_things);
  if (into.contains("holder") && nb::len(nb::object(into["holder"])) > 0) {
    require(things > 0, "fill() finds holders in games that hide who holds what.");
    lend("holder", count * things, out.holder);
    lend("possible", count * things, out.possible);
    lend("held", count * kHolders, out.held);
  }
  const Access access(*d.game);
  if (d.game->crowded()) d.game->keep_only({});
  return d.decoder->fill(count, games.data(), plies.data(), out);
}

}  // namespace

void bind_rows(nb::module_& m) {
  m.def(
      "random_playouts",
      [](const PyGame& game, uint64_t games, uint64_t seed) {
        PlayoutCounts counts;
        {
          const std::shared_ptr<const Game> own = fresh(game.game);
          const Access access(*own);
          counts = random_playouts(*own, games, seed);
        }
        nb::dict out;
        out["decisions"] = counts.decisions;
        out["chance_events"] = counts.chance_events;
        out["checksum"] = counts.checksum;
        return out;
      },
      nb::arg("game"), nb::arg("games"), nb::arg("seed"));
  m.def(
      "random_worlds",
      [](const PyGame& game, uint64_t games, int each, uint64_t seed) {
        const GameInfo& info = game.game->info();
        require(info.has_hidden && !info.interpreted,
                "Worlds are drawn for hidden information by compiled rules; " + info.name +
                    " has none.");
        require(each >= 1, "At each decision at least one world is drawn.");
        WorldCounts counts;
        {
          const nb::gil_scoped_release released;
          counts = random_worlds(*game.game, games, each, seed);
        }
        nb::dict out;
        out["worlds"] = counts.worlds;
        out["rejected"] = counts.rejected;
        out["most_rejected"] = counts.most_rejected;
        out["checksum"] = counts.checksum;
        return out;
      },
      nb::arg("game"), nb::arg("games"), nb::arg("each"), nb::arg("seed"));
  m.def("calibration_work", &calibration_work, nb::arg("blocks"),
        nb::call_guard<nb::gil_scoped_release>());

  nb::class_<PyDecoder>(m, "RowDecoder")
      .def(
          "__init__",
          [](PyDecoder* self, const PyGame& game, const nb::dict& columns, float c_visit,
             float c_scale, float q_spread, float target_temperature, bool open) {
            new (self) PyDecoder(
                make_decoder(game, columns, c_visit, c_scale, q_spread, target_temperature, open));
          },
          nb::arg("game"), nb::arg("columns"), nb::arg("c_visit") = 50.0F,
          nb::arg("c_scale") = 1.0F, nb::arg("q_spread") = 0.2F,
          nb::arg("target_temperature") = 1.0F, nb::arg("open") = false)
      .def("rows", &decode, nb::arg("games"), nb::arg("plies"))
      .def("fill", &fill, nb::arg("games"), nb::arg("plies"), nb::arg("into"));
  nb::class_<RowPicker>(m, "RowPicker")
      .def(
          "__init__",
          [](RowPicker* self, const Array1<int32_t>& plies, uint64_t seed, int each) {
            new (self) RowPicker({plies.data(), plies.data() + plies.shape(0)}, seed, each);
          },
          nb::arg("plies"), nb::arg("seed"), nb::arg("each"))
      .def(
          "pick",
          [](RowPicker& self, uint64_t update, size_t count) {
            std::vector<int64_t> games(count);
            std::vector<int32_t> plies(count);
            {
              nb::gil_scoped_release release;
              self.pick(update, count, games.data(), plies.data());
            }
            return std::make_pair(to_numpy(std::move(games)), to_numpy(std::move(plies)));
          },
          nb::arg("update"), nb::arg("count"));
  m.def(
      "decode_rows",
      [](const PyGame& game, const nb::dict& columns, const Array1<int64_t>& games,
         const Array1<int32_t>& plies, float c_visit, float c_scale, float q_spread,
         float target_temperature) {
        return decode(
            make_decoder(game, columns, c_visit, c_scale, q_spread, target_temperature, false),
            games, plies);
      },
      nb::arg("game"), nb::arg("columns"), nb::arg("games"), nb::arg("plies"),
      nb::arg("c_visit") = 50.0F, nb::arg("c_scale") = 1.0F, nb::arg("q_spread") = 0.2F,
      nb::arg("target_temperature") = 1.0F);
}

}  // namespace ludus
