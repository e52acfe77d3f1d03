// Pattern sets, tables and their learner.
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <bit>
#include <mutex>

#include "bindings/arrays.h"
#include "patterns/evaluation_work.h"
#include "patterns/learner.h"
#include "patterns/search_chooser.h"

namespace ludus {

namespace {

using namespace patterns;

using Set = std::shared_ptr<const PatternSet>;
using Specs = std::vector<std::pair<std::string, std::vector<int>>>;

// Arrays that stay with their owner, the object `self`.
template <class T>
NumpyArray<T> lent(T* data, std::initializer_list<size_t> shape, nb::handle self) {
  return NumpyArray<T>(data, shape, self);
}

PatternSet make_set(const Specs& named) {
  std::vector<PatternSpec> specs;
  for (const auto& [name, squares] : named) specs.push_back({name, squares});
  return PatternSet(specs);
}

const Pattern& pattern_of(const PatternSet& set, int pattern) {
  require(pattern >= 0 && pattern < static_cast<int>(set.patterns().size()),
          "There is no pattern " + std::to_string(pattern) + "; the set has patterns 0 to " +
              std::to_string(set.patterns().size() - 1) + ".");
  return set.patterns()[static_cast<size_t>(pattern)];
}

nb::dict describe(const PatternSet& set, int id) {
  const Pattern& pattern = pattern_of(set, id);
  nb::dict out;
  out["name"] = pattern.name;
  out["placements"] = pattern.placements;
  out["contents"] = pattern.contents;
  out["first_entry"] = pattern.first_entry;
  out["first_instance"] = pattern.first_instance;
  out["order"] = pattern.order;
  out["slots"] = pattern.slots;
  out["first_slot"] = pattern.first_slot;
  return out;
}

std::vector<othello::Board> boards_from(const Array2<uint64_t>& discs) {
  require(discs.shape(1) == 2, "Boards as words have 2 columns, own and opponent's discs, not " +
                                   std::to_string(discs.shape(1)) + ".");
  std::vector<othello::Board> boards(discs.shape(0));
  for (size_t i = 0; i < boards.size(); ++i) {
    boards[i] = {discs.data()[2 * i], discs.data()[2 * i + 1]};
    require((boards[i].own & boards[i].opp) == 0,
            "Board " + std::to_string(i) + " has two discs on " +
                square_name(std::countr_zero(boards[i].own & boards[i].opp)) + ".");
  }
  return boards;
}

NumpyArray<int32_t> scores_of(const PatternTables& tables,
                              const std::vector<othello::Board>& boards) {
  std::vector<int32_t> scores(boards.size());
  {
    nb::gil_scoped_release release;
    tables.evaluate(boards, scores);
  }
  return to_numpy(std::move(scores));
}

NumpyArray<int32_t> evaluate_cells(const PatternTables& tables, const Array2<uint8_t>& cells,
                                   const Array1<uint8_t>& movers) {
  require(cells.shape(1) == othello::kSquares,
          "A board has 64 cells, not " + std::to_string(cells.shape(1)) + ".");
  std::vector<int32_t> scores(movers.size());
  {
    nb::gil_scoped_release release;
    tables.evaluate({cells.data(), cells.size()}, {movers.data(), movers.size()}, scores);
  }
  return to_numpy(std::move(scores));
}

// The contents of every instance, as the mover sees them.
NumpyArray<uint16_t> contents_of(const PatternTables& tables, uint64_t own, uint64_t opp) {
  require((own & opp) == 0, "The board has two discs on a square.");
  IndexVector view;
  tables.rules().view({own, opp}, view);
  std::vector<uint16_t> contents;
  for (int lane = 0; lane < tables.set().instances(); ++lane) contents.push_back(view[lane]);
  return to_numpy(std::move(contents));
}

NumpyArray<uint16_t> table_copy(const PatternTables& tables, int pattern, int stage) {
  const auto table = tables.weights(pattern, stage);
  const std::shared_lock lock(tables.gate());
  return to_numpy(std::vector<uint16_t>(table.begin(), table.end()));
}

void load_tables(PatternTables& tables, const Array2<uint16_t>& weights) {
  require(weights.shape(0) == kStages, "Tables have " + std::to_string(kStages) +
                                           " rows, one a stage, not " +
                                           std::to_string(weights.shape(0)) + ".");
  nb::gil_scoped_release release;
  tables.load({weights.data(), weights.size()});
}

// What the learner makes of one game: a row for each move.
nb::dict td_replay(const PatternTables& tables, const Array1<uint8_t>& actions, float trace_lambda,
                   bool cut, float clip) {
  TdSettings settings;
  settings.lambda = trace_lambda;
  settings.cut = cut;
  settings.clip = clip;
  check(settings);
  GameBatch batch(1);
  {
    nb::gil_scoped_release release;
    const std::shared_lock lock(tables.gate());
    replay(tables, {actions.data(), actions.size()}, batch);
    find_errors(batch, 0, settings);
  }
  const size_t moves = batch.game(0).moves;
  const auto instances = static_cast<size_t>(tables.set().instances());
  std::vector<uint8_t> square, seat, stage, greedy, learns;
  std::vector<float> best, value, error;
  std::vector<uint16_t> contents;
  for (int move = 0; move < static_cast<int>(moves); ++move) {
    const Step& step = batch.step(0, move);
    square.push_back(step.square);
    seat.push_back(step.seat);
    stage.push_back(step.stage);
    greedy.push_back(step.greedy ? 1 : 0);
    learns.push_back(step.learns ? 1 : 0);
    best.push_back(step.best);
    value.push_back(step.value);
    error.push_back(step.learns ? step.error : 0.0F);
    for (size_t lane = 0; lane < instances; ++lane)
      contents.push_back(batch.leaf(0, move)[static_cast<int>(lane)]);
  }
  nb::dict out;
  out["score"] = static_cast<int>(batch.game(0).score);
  out["square"] = to_numpy(std::move(square));
  out["seat"] = to_numpy(std::move(seat));
  out["stage"] = to_numpy(std::move(stage));
  out["greedy"] = to_numpy(std::move(greedy));
  out["learns"] = to_numpy(std::move(learns));
  out["best"] = to_numpy(std::move(best));
  out["value"] = to_numpy(std::move(value));
  out["error"] = to_numpy(std::move(error));
  out["contents"] = to_numpy(std::move(contents), {moves, instances});
  return out;
}

nb::dict as_dict(const TrainFigures& figures) {
  nb::dict out;
  out["games"] = figures.games;
  out["black_wins"] = figures.black_wins;
  out["white_wins"] = figures.white_wins;
  out["score"] = figures.score;
  out["moves"] = figures.moves;
  out["scores"] = to_numpy(std::vector<int8_t>(figures.scores));
  out["lengths"] = to_numpy(std::vector<uint8_t>(figures.lengths));
  out["steps"] = figures.td.steps;
  out["error"] = figures.td.error;
  out["error_squares"] = figures.td.error_squares;
  out["value"] = figures.td.value;
  out["value_squares"] = figures.td.squares;
  out["lowest"] = figures.td.lowest;
  out["highest"] = figures.td.highest;
  out["fresh"] = figures.fresh;
  out["play_seconds"] = figures.play_seconds;
  out["learn_seconds"] = figures.learn_seconds;
  out["busy_seconds"] = figures.busy_seconds;
  nb::dict search;
  search["searches"] = figures.search.searches;
  search["depth"] = figures.search.depth;
  search["exact"] = figures.search.exact;
  search["nodes"] = figures.search.nodes;
  search["probes"] = figures.search.probes;
  search["hits"] = figures.search.hits;
  out["search"] = search;
  nb::list samples;
  for (const SampledGame& game : figures.samples) {
    nb::dict one;
    one["number"] = game.number;
    one["score"] = static_cast<int>(game.score);
    one["actions"] =
        nb::bytes(reinterpret_cast<const char*>(game.actions.data()), game.actions.size());
    samples.append(one);
  }
  out["samples"] = samples;
  nb::list repairs;
  for (const TdRepair& repair : figures.repairs) {
    nb::dict one;
    one["pattern"] = repair.pattern;
    one["stage"] = repair.stage;
    one["contents"] = repair.contents;
    one["weight"] = repair.weight;
    repairs.append(one);
  }
  out["repairs"] = repairs;
  return out;
}

nb::dict train(TdLearner& learner, uint64_t games, double seconds, int threads, float rate,
               float epsilon, int opening) {
  const TrainSettings settings{{epsilon, opening}, rate, threads};
  TrainFigures figures;
  {
    nb::gil_scoped_release release;
    figures = learner.train(games, seconds, settings);
  }
  return as_dict(figures);
}

// Self-play by search with these limits (0 seconds: none) and a table for each thread.
void search_with(TdLearner& learner, int depth, double seconds, int endgame, size_t table_bytes) {
  SearchLimits limits;
  limits.depth = depth;
  limits.seconds = seconds;
  limits.endgame = endgame;
  learner.search_with(searching(limits, table_bytes));
}

NumpyArray<uint32_t> visited(TdLearner& learner) {
  const auto patterns = learner.weights().set().patterns().size();
  std::vector<uint32_t> counts;
  for (int stage = 0; stage < kStages; ++stage)
    for (int pattern = 0; pattern < static_cast<int>(patterns); ++pattern)
      counts.push_back(learner.weights().visited(pattern, stage));
  return to_numpy(std::move(counts), {size_t{kStages}, patterns});
}

void bind_tables(nb::module_& m) {
  nb::class_<PatternSet>(m, "PatternSet")
      .def(
          "__init__",
          [](PatternSet* self, const Specs& specs) { new (self) PatternSet(make_set(specs)); },
          nb::arg("patterns"))
      .def_static("parse", &PatternSet::parse, nb::arg("text"))
      .def_static("standard",
                  [] { return std::const_pointer_cast<PatternSet>(PatternSet::standard()); })
      .def("describe", &describe, nb::arg("pattern"))
      .def(
          "slots_of",
          [](const PatternSet& set, int pattern) {
            return to_numpy(std::vector<uint16_t>(pattern_of(set, pattern).slot));
          },
          nb::arg("pattern"))
      .def("__len__", [](const PatternSet& set) { return set.patterns().size(); })
      .def_prop_ro("instances", &PatternSet::instances)
      .def_prop_ro("entries", &PatternSet::entries)
      .def_prop_ro("slots", &PatternSet::slots)
      .def_prop_ro("digest", &PatternSet::digest)
      .def_prop_ro_static("stages", [](nb::handle) { return kStages; });

  nb::class_<PatternTables>(m, "PatternTables")
      .def(
          "__init__",
          [](PatternTables* self, std::shared_ptr<PatternSet> set) {
            new (self) PatternTables(set ? Set(std::move(set)) : PatternSet::standard());
          },
          nb::arg("set").none() = nb::none())
      .def_prop_ro("set",
                   [](const PatternTables& tables) {
                     return std::const_pointer_cast<PatternSet>(tables.shared_set());
                   })
      .def("evaluate", &evaluate_cells, nb::arg("cells"), nb::arg("movers"))
      .def(
          "evaluate_words",
          [](const PatternTables& tables, const Array2<uint64_t>& discs) {
            return scores_of(tables, boards_from(discs));
          },
          nb::arg("discs"))
      .def("contents", &contents_of, nb::arg("own"), nb::arg("opp"))
      .def("weight", &PatternTables::weight, nb::arg("pattern"), nb::arg("stage"),
           nb::arg("contents"))
      .def("weights", &table_copy, nb::arg("pattern"), nb::arg("stage"))
      .def("all",
           [](nb::handle_t<PatternTables> self) {
             auto& tables = nb::cast<PatternTables&>(self);
             return lent<const uint16_t>(tables.all().data(),
                                         {size_t{kStages}, tables.set().entries()}, self);
           })
      .def("load", &load_tables, nb::arg("weights"))
      .def("copy", &PatternTables::copy, nb::call_guard<nb::gil_scoped_release>());
}

EvaluationWay way_named(const std::string& name) {
  if (name == "incremental") return EvaluationWay::incremental;
  if (name == "from_scratch") return EvaluationWay::from_scratch;
  if (name == "plain") return EvaluationWay::plain;
  throw InputError("There is no way of evaluation '" + name +
                   "'; there are: incremental, from_scratch, plain.");
}

void bind_work(nb::module_& m) {
  nb::class_<EvaluationWork>(m, "EvaluationWork")
      .def(
          "__init__",
          [](EvaluationWork* self, std::shared_ptr<PatternTables> tables, size_t positions,
             int empties, uint64_t seed) {
            new (self) EvaluationWork(std::move(tables), positions, empties, seed);
          },
          nb::arg("tables"), nb::arg("positions"), nb::arg("empties"), nb::arg("seed"))
      .def(
          "run",
          [](const EvaluationWork& work, const std::string& way, size_t repeats) {
            const EvaluationWay which = way_named(way);
            nb::gil_scoped_release release;
            return work.run(which, repeats);
          },
          nb::arg("way"), nb::arg("repeats"))
      .def_prop_ro("moves", &EvaluationWork::moves);
}

}  // namespace

void bind_patterns(nb::module_& m) {
  bind_tables(m);
  bind_work(m);
  m.def("td_replay", &td_replay, nb::arg("tables"), nb::arg("actions"), nb::arg("trace_lambda"),
        nb::arg("cut"), nb::arg("clip"));
  nb::class_<TdLearner>(m, "TdLearner")
      .def(
          "__init__",
          [](TdLearner* self, std::shared_ptr<PatternSet> set, uint64_t seed, int batch,
             int sample_every, float trace_lambda, bool cut, float clip, float beta1, float beta2,
             float adam_epsilon) {
            const TdSettings td{trace_lambda, cut, clip, beta1, beta2, adam_epsilon};
            new (self) TdLearner(set ? Set(std::move(set)) : PatternSet::standard(),
                                 {td, seed, batch, sample_every});
          },
          nb::arg("set").none() = nb::none(), nb::kw_only(), nb::arg("seed"),
          nb::arg("batch") = 256, nb::arg("sample_every") = 1000, nb::arg("trace_lambda") = 0.3F,
          nb::arg("cut") = false, nb::arg("clip") = 32.0F, nb::arg("beta1") = 0.9F,
          nb::arg("beta2") = 0.999F, nb::arg("adam_epsilon") = 1e-8F)
      .def("train", &train, nb::arg("games"), nb::arg("seconds"), nb::kw_only(), nb::arg("threads"),
           nb::arg("rate"), nb::arg("epsilon"), nb::arg("opening") = 0)
      .def("search_with", &search_with, nb::arg("depth"), nb::arg("seconds"), nb::arg("endgame"),
           nb::arg("table_bytes"))
      .def("look_one_ply", [](TdLearner& learner) { learner.search_with(nullptr); })
      .def("stop", &TdLearner::stop)
      .def_prop_ro("games", &TdLearner::games)
      .def_prop_ro("tables", &TdLearner::tables)
      .def("entries",
           [](nb::handle_t<TdLearner> self) {
             TdWeights& weights = nb::cast<TdLearner&>(self).weights();
             return lent(reinterpret_cast<uint32_t*>(weights.entries().data()),
                         {size_t{kStages}, weights.set().slots(), size_t{4}}, self);
           })
      .def("updates",
           [](nb::handle_t<TdLearner> self) {
             TdWeights& weights = nb::cast<TdLearner&>(self).weights();
             return lent(weights.updates().data(), {size_t{kStages}, weights.set().slots()}, self);
           })
      .def("restore", &TdLearner::restore, nb::arg("games"),
           nb::call_guard<nb::gil_scoped_release>())
      .def("visited", &visited)
      .def("histogram",
           [](TdLearner& learner) {
             const auto counts = learner.weights().histogram();
             return to_numpy(std::vector<uint64_t>(counts.begin(), counts.end()));
           })
      .def("bytes", [](const TdLearner& learner) {
        const TdLearner::Bytes bytes = learner.bytes();
        nb::dict out;
        out["tables"] = bytes.tables;
        out["entries"] = bytes.entries;
        out["updates"] = bytes.updates;
        out["games"] = bytes.games;
        return out;
      });
}

}  // namespace ludus
