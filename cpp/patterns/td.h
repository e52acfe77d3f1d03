// Temporal-difference learning of pattern tables.
//
// TD(lambda) over the leaves of searches (Sutton, "Learning to Predict by the Methods of Temporal
// Differences", Machine Learning 3, 1988; Baxter, Tridgell, Weaver, "Learning to Play Chess Using
// Temporal Differences", Machine Learning 40, 2000, for TD-Leaf), computed backwards through a
// finished game, so that there are no traces to keep. In the view of the side that moved at step t,
//
//   G_t = s * ((1 - lambda) * best_(t+1) + lambda * G_(t+1)),   G_last = final disc difference,
//
// with s = -1 when the other side moves at t + 1 and +1 after a pass. The error of step t is
// G_t less the value of its leaf. Where step t + 1 was exploration, not the best move, what
// followed it says little about the position: with `cut`, G_(t+1) is left out there (Watkins,
// 1989).
//
// Weights change by Adam (Kingma and Ba, ICLR 2015, algorithm 1), one step for an entry and batch:
// its gradient is the mean of the errors of the batch's positions that have the entry. Games of a
// batch are played on frozen tables; a step for each visit would drive entries of the opening, that
// every game visits, far beyond their targets.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "patterns/games.h"
#include "patterns/tables.h"

namespace ludus::patterns {

struct TdSettings {
  float lambda = 0.3F;
  bool cut = false;    // traces end at exploratory moves
  float clip = 32.0F;  // of errors, in discs
  float beta1 = 0.9F;
  float beta2 = 0.999F;
  float epsilon = 1e-8F;  // Adam's, in discs
};

// Throws InputError that names the setting.
void check(const TdSettings& settings);

// Sums over the learned steps of some games.
struct TdFigures {
  uint64_t steps = 0;
  double error = 0.0;  // of absolute errors, discs
  double error_squares = 0.0;
  double value = 0.0;    // of values for black, discs
  double squares = 0.0;  // of their squares
  float lowest = 1e9F;   // value for black
  float highest = -1e9F;
  void operator+=(const TdFigures& other);
};

// Fills the errors of game g.
TdFigures find_errors(GameBatch& batch, size_t g, const TdSettings& settings);

// What is learned for one entry.
struct TdEntry {
  float weight = 0.0F;  // discs; the table has it rounded to 1/256
  float first = 0.0F;   // Adam's moments, in discs and squares of them
  float second = 0.0F;
  uint32_t steps = 0;  // that Adam has made
};
static_assert(sizeof(TdEntry) == 16);

// An entry whose weight was not finite and was put back to neutral, or was out of range and was put
// at the bound.
struct TdRepair {
  int pattern;
  int stage;
  uint32_t contents;
  float weight;  // that it would have had, discs
};

// The learner's memory: entries folded by the patterns' own symmetries, and the tables they make.
// update() may run in several threads at once with different parts; everything else wants them to
// rest.
class TdWeights {
 public:
  TdWeights(std::shared_ptr<const PatternSet> set, const TdSettings& settings);

  const PatternSet& set() const { return tables_->set(); }
  const TdSettings& settings() const { return settings_; }
  const std::shared_ptr<PatternTables>& tables() const { return tables_; }

  // Before update() is called with so many parts.
  void prepare(size_t parts);
  // Sorts the learned steps of the first `games` games by stage, in order of game and move.
  void sort(const GameBatch& batch, size_t games);
  // Learns the sorted steps: those tables (of a stage and a pattern) whose number modulo `parts` is
  // `part`. `rate` is Adam's, in discs. All parts together give the same bits however many there
  // are. The caller holds the gate of the tables.
  void update(const GameBatch& batch, float rate, size_t part, size_t parts);

  // [kStages][slots of a stage]; who changes entries calls refresh().
  std::span<TdEntry> entries() { return entries_; }
  std::span<const TdEntry> entries() const { return entries_; }
  // Updates of each: visits by the positions that were learned.
  std::span<uint32_t> updates() { return updates_; }
  std::span<const uint32_t> updates() const { return updates_; }
  // Entries of a stage and a pattern that were updated at least once.
  uint32_t visited(int pattern, int stage) const {
    return visited_[table(static_cast<size_t>(pattern), static_cast<size_t>(stage))];
  }
  // How many entries have been updated 0, 1, 2 to 3, 4 to 7, 8 to 15, ... times.
  std::array<uint64_t, 33> histogram() const;
  // Entries that were updated for the first time since the last call.
  uint64_t take_fresh();
  // Puts back what is not finite and makes tables and counts anew from entries; takes the gate.
  void refresh();
  // What was put back since the last call, at most the first hundred of each part, by place.
  std::vector<TdRepair> repairs();

 private:
  struct Visits {
    float sum = 0.0F;  // of gradients
    uint32_t count = 0;
  };
  // Of one part, kept from batch to batch.
  struct Scratch {
    std::vector<Visits> visits;  // by slot, nothing between tables
    std::vector<uint16_t> touched;
    std::vector<TdRepair> repairs;
    uint64_t fresh = 0;
  };
  size_t table(size_t pattern, size_t stage) const {
    return stage * set().patterns().size() + pattern;
  }
  void learn(const GameBatch& batch, float rate, size_t id, size_t stage, Scratch& scratch);
  size_t collect(const GameBatch& batch, const Pattern& pattern, size_t stage,
                 Scratch& scratch) const;
  void step(TdEntry& entry, float gradient, float rate) const;
  // Keeps a weight in its range; false: it was not there. If it was not finite the entry begins
  // anew.
  static bool mend(TdEntry& entry);
  static void note(Scratch& scratch, size_t id, size_t stage, uint32_t contents, float weight);

  TdSettings settings_;
  std::shared_ptr<PatternTables> tables_;
  std::vector<TdEntry> entries_;
  std::vector<uint32_t> updates_;
  std::vector<uint32_t> visited_;
  std::vector<float> correction_;  // of Adam's start, by steps
  std::vector<uint32_t> rows_[kStages];
  std::vector<Scratch> scratch_;
};

}  // namespace ludus::patterns
