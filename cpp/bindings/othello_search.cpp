// Othello: search over pattern tables, and the exact endgame.
#include "patterns/othello_search.h"

#include <nanobind/stl/shared_ptr.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <mutex>
#include <shared_mutex>

#include "bindings/arrays.h"
#include "bindings/interrupts.h"
#include "games/othello.h"
#include "oracles/othello_oracle.h"

namespace ludus {

namespace {

using othello::Board;
using othello::EndgameOracle;
using patterns::OthelloSearch;
using patterns::PatternTables;
using patterns::SearchLimits;
using patterns::SearchResult;

std::vector<Board> boards_from(const Array2<uint8_t>& states) {
  require(states.shape(1) == sizeof(othello::State),
          "A packed othello position has " + std::to_string(sizeof(othello::State)) +
              " bytes, not " + std::to_string(states.shape(1)) + ".");
  std::vector<Board> boards(states.shape(0));
  for (size_t i = 0; i < boards.size(); ++i) {
    othello::State state;  // a copy, since a NumPy row need not be aligned
    std::memcpy(&state, states.data() + i * sizeof(state), sizeof(state));
    state.seat &= 1U;
    boards[i] = othello::board_of(state);
  }
  return boards;
}

void require_decisions(const std::vector<int32_t>& actions) {
  for (size_t i = 0; i < actions.size(); ++i)
    require(actions[i] >= 0,
            "Position " + std::to_string(i) + " is no decision: its game is over.");
}

size_t bytes_of(double megabytes) {
  require(megabytes > 0.0 && megabytes <= 1e6,
          "The transposition table's size must be above 0 and at most 1000000 megabytes.");
  return static_cast<size_t>(megabytes * 1048576.0);
}

nb::dict as_dict(const othello::TableCounts& counts) {
  nb::dict out;
  out["probes"] = counts.probes;
  out["hits"] = counts.hits;
  out["stores"] = counts.stores;
  out["evictions"] = counts.evictions;
  out["hit_rate"] = counts.hit_rate();
  return out;
}

nb::dict as_dict(const SearchResult& result) {
  nb::dict out = as_dict(result.counts);
  out["move"] = result.move;
  out["score"] = result.score;
  out["exact"] = result.exact;
  out["stopped"] = result.stopped;
  out["depth"] = result.depth;
  out["certainty"] = result.certainty;
  nb::list line;
  for (const int action : result.line) line.append(action);
  out["line"] = line;
  out["leaf"] = nb::make_tuple(result.leaf.own, result.leaf.opp);
  out["mirrored"] = result.mirrored;
  out["nodes"] = result.nodes;
  out["seconds"] = result.seconds;
  return out;
}

// A search that another thread can stop. One call at a time: a second one waits.
struct PySearch {
  std::unique_ptr<OthelloSearch> search;
  std::mutex calls;
  std::atomic<bool> stop{false};

  // The tables may be a learner's: it does not write while a search reads.
  template <class Work>
  auto run(Work work) {
    return interruptible(stop, [&] {
      const std::lock_guard alone(calls);
      stop = false;
      const std::shared_lock reading(search->tables().gate());
      return work();
    });
  }
};

struct PyOracle {
  explicit PyOracle(double megabytes) : oracle(bytes_of(megabytes)) {}
  EndgameOracle oracle;
  std::mutex calls;
  std::atomic<bool> stop{false};

  template <class Work>
  auto run(Work work) {
    try {
      return interruptible(stop, [&] {
        const std::lock_guard alone(calls);
        stop = false;
        return work();
      });
    } catch (const othello::StopSearch&) {
      throw InputError("The search was stopped before it had answered.");
    }
  }
};

SearchLimits limits_from(int depth, int endgame, uint64_t nodes, double seconds, int certainty,
                         int threads) {
  SearchLimits limits;
  limits.depth = depth;
  limits.endgame = endgame;
  limits.nodes = nodes;
  limits.seconds = seconds;
  limits.certainty = certainty;
  limits.threads = threads;
  patterns::check(limits);
  return limits;
}

nb::dict search(PySearch& self, uint64_t own, uint64_t opp, int depth, int endgame, uint64_t nodes,
                double seconds, int certainty, int threads) {
  const SearchLimits limits = limits_from(depth, endgame, nodes, seconds, certainty, threads);
  return as_dict(self.run([&] { return self.search->search({own, opp}, limits, &self.stop); }));
}

nb::list search_actions(PySearch& self, uint64_t own, uint64_t opp, int depth, int endgame,
                        uint64_t nodes, double seconds, int certainty, int threads) {
  const SearchLimits limits = limits_from(depth, endgame, nodes, seconds, certainty, threads);
  const auto results =
      self.run([&] { return self.search->search_actions({own, opp}, limits, &self.stop); });
  nb::list out;
  for (const SearchResult& result : results) out.append(as_dict(result));
  return out;
}

// Without a limit of time an answer depends on its position only.
NumpyArray<int32_t> choose(PySearch& self, const Array2<uint8_t>& states, int depth, int endgame,
                           uint64_t nodes, double seconds, int certainty, int threads) {
  SearchLimits limits = limits_from(depth, endgame, nodes, seconds, certainty, threads);
  limits.finish_line = false;
  const std::vector<Board> boards = boards_from(states);
  std::vector<int32_t> actions(boards.size());
  self.run([&] {
    for (size_t i = 0; i < boards.size() && !self.stop; ++i) {
      const uint64_t moves = legal_moves(boards[i]);
      if (moves != 0 && (moves & (moves - 1)) == 0) {
        actions[i] = othello::first_bit(moves);  // no choice
        continue;
      }
      if (seconds <= 0.0) self.search->forget();
      actions[i] = self.search->search(boards[i], limits, &self.stop).move;
    }
  });
  require(!self.stop, "The search was stopped before it had answered.");
  require_decisions(actions);
  return to_numpy(std::move(actions));
}

NumpyArray<int32_t> oracle_choose(PyOracle& self, const Array2<uint8_t>& states) {
  const std::vector<Board> boards = boards_from(states);
  std::vector<int32_t> actions(boards.size());
  self.run([&] {
    for (size_t i = 0; i < boards.size(); ++i) actions[i] = self.oracle.best(boards[i], &self.stop);
  });
  require_decisions(actions);
  return to_numpy(std::move(actions));
}

NumpyArray<double> oracle_values(PyOracle& self, const Array2<uint8_t>& states) {
  const std::vector<Board> boards = boards_from(states);
  std::vector<double> values;
  values.reserve(boards.size() * othello::kActions);
  self.run([&] {
    for (const Board& board : boards)
      for (const int value : self.oracle.values(board, &self.stop))
        values.push_back(value == EndgameOracle::kIllegal ? std::numeric_limits<double>::quiet_NaN()
                                                          : value);
  });
  return to_numpy(std::move(values), {boards.size(), size_t{othello::kActions}});
}

int oracle_solve(PyOracle& self, uint64_t own, uint64_t opp, int alpha, int beta) {
  require((own & opp) == 0, "A square of the board has discs of both sides.");
  require(-64 <= alpha && alpha < beta && beta <= 64,
          "A window goes from alpha to a higher beta, both from -64 to 64.");
  return self.run([&] { return self.oracle.solve({own, opp}, alpha, beta, &self.stop); });
}

}  // namespace

void bind_othello_search(nb::module_& m) {
  const auto limited = [](auto&& bind) {
    bind(nb::kw_only(), nb::arg("depth") = 60, nb::arg("endgame") = 14, nb::arg("nodes") = 0,
         nb::arg("seconds") = 0.0, nb::arg("certainty") = 3, nb::arg("threads") = 1);
  };
  auto searches = nb::class_<PySearch>(m, "OthelloSearch");
  searches
      .def(
          "__init__",
          [](PySearch* self, std::shared_ptr<PatternTables> tables, double megabytes) {
            auto made = std::make_unique<OthelloSearch>(std::move(tables), bytes_of(megabytes));
            new (self) PySearch();
            self->search = std::move(made);
          },
          nb::arg("tables"), nb::arg("megabytes") = 128.0)
      .def("stop", [](PySearch& self) { self.stop = true; })
      .def(
          "forget", [](PySearch& self) { self.search->forget(); },
          nb::call_guard<nb::gil_scoped_release>())
      .def(
          "resize",
          [](PySearch& self, double megabytes) { self.search->resize(bytes_of(megabytes)); },
          nb::arg("megabytes"), nb::call_guard<nb::gil_scoped_release>())
      .def_prop_ro("table_bytes", [](PySearch& self) { return self.search->table_bytes(); })
      .def_prop_ro(
          "fill", [](PySearch& self) { return self.search->table_fill(); },
          nb::call_guard<nb::gil_scoped_release>())
      .def_prop_ro("counts", [](PySearch& self) { return as_dict(self.search->counts()); });
  limited([&](auto... with) {
    searches.def("search", &search, nb::arg("own"), nb::arg("opp"), with...)
        .def("search_actions", &search_actions, nb::arg("own"), nb::arg("opp"), with...)
        .def("choose", &choose, nb::arg("states"), with...);
  });
  nb::class_<PyOracle>(m, "OthelloEndgame")
      .def(nb::init<double>(), nb::arg("megabytes") = 16.0)
      .def("stop", [](PyOracle& self) { self.stop = true; })
      .def("solve", &oracle_solve, nb::arg("own"), nb::arg("opp"), nb::arg("alpha") = -64,
           nb::arg("beta") = 64)
      .def("choose", &oracle_choose, nb::arg("states"))
      .def("action_values", &oracle_values, nb::arg("states"));
}

}  // namespace ludus
