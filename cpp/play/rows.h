// Training rows, derived from game records when they are read.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "games/game.h"
#include "search/tree.h"

namespace ludus {

// Borrowed columns of records; the caller keeps them alive. Meaning as in records.h.
struct RecordView {
  size_t games = 0;
  const int32_t* plies = nullptr;
  const int32_t* opening = nullptr;
  const float* returns = nullptr;
  const float* scores = nullptr;
  size_t ply_rows = 0;
  const uint16_t* action = nullptr;
  const int32_t* outcome = nullptr;
  const uint8_t* flags = nullptr;
  const uint8_t* rule = nullptr;
  const uint16_t* root_value = nullptr;
  const uint16_t* q_variance = nullptr;
  const uint16_t* edges = nullptr;
  size_t edge_rows = 0;
  const uint16_t* visits = nullptr;
  const uint16_t* q = nullptr;
  const uint16_t* prior = nullptr;
};

// With more than two seats `value` and `margin` are [rows, num_seats]: column k of a row belongs to
// seat (mover + k) mod players, those behind are 0.
struct TrainingRows {
  std::vector<float> observations;  // [rows, observation_size], mover's view
  std::vector<int32_t> legal;       // flat: row * num_actions + action
  std::vector<int32_t> offsets;     // [rows + 1] into legal and policy
  std::vector<float> policy;        // sums to 1 over a row
  std::vector<float> value;         // [rows] return of the mover
  std::vector<float> margin;        // [rows] tanh of the mover's final margin in points
  std::vector<int32_t> players;     // [rows] seats in play
  std::vector<float> root_value;    // [rows] search value, mover's view
  std::vector<uint8_t> searched;    // [rows] 0: no target, `policy` is uniform
};

// Borrowed room for rows, meaning as in TrainingRows.
struct RowArrays {
  size_t capacity = 0;  // entries of `legal` and `policy`
  float* observations = nullptr;
  int32_t* legal = nullptr;
  int32_t* offsets = nullptr;
  float* policy = nullptr;
  float* value = nullptr;
  float* margin = nullptr;
  int32_t* players = nullptr;
  float* root_value = nullptr;
  uint8_t* searched = nullptr;
  // What a belief learns from, of Game::holders and Game::possible_holders; null: not wanted. In
  // rows that are seen with nothing hidden all things are kNotHidden and there is nothing else.
  uint8_t* holder = nullptr;    // [rows, hidden_things]
  uint8_t* possible = nullptr;  // [rows, hidden_things]
  uint8_t* held = nullptr;      // [rows, kHolders]
};

// Where a game has sampled chance, results are those of the row's stage: the record is replayed on
// to where it ends. Else they are those of the whole game, as recorded.
class RowDecoder {
 public:
  // `target_temperature` tau: policy targets are p^(1/tau), normalised; 1 leaves them alone.
  // `open`: every other row is seen with nothing hidden, as leaves of a search with open worlds
  // are. Throws InputError if the columns contradict each other in length, or for a temperature
  // that is not above 0.
  RowDecoder(std::shared_ptr<const Game> game, const RecordView& view, ImprovedPolicy rule,
             float target_temperature = 1.0F, bool open = false);

  // Row i is ply plies[i] of game games[i] (index into the view). Rows of the same game that
  // follow each other with ascending plies cost one replay. Throws InputError for an index out of
  // range or a record that contradicts the rules.
  TrainingRows rows(size_t count, const int64_t* games, const int32_t* plies) const;
  // The same into borrowed room, which holds anything if it throws; returns the entries of `legal`.
  size_t fill(size_t count, const int64_t* games, const int32_t* plies, const RowArrays& out) const;

 private:
  // A game being replayed: where its next ply and that ply's edges are.
  struct Cursor {
    int64_t game = -1;
    int32_t ply = 0;
    size_t edge = 0;
    StateBytes state;
  };
  // What a stage of a game brought: from ply `begin` to before ply `end`, by seat.
  struct Stage {
    int64_t game = -1;
    int32_t begin = 0;
    int32_t end = 0;
    float returns[kMaxSeats];
    float margins[kMaxSeats];
  };
  void advance(Cursor& at, int64_t game, int32_t ply) const;
  void step(std::byte* state, int64_t game, size_t ply) const;
  void find_holders(const std::byte* state, int seat, bool open, size_t row,
                    const RowArrays& out) const;
  void find_stage(Stage& stage, const Cursor& from) const;
  void recorded_results(Stage& stage, int64_t game) const;
  void chance(std::byte* state, int outcome, int64_t game) const;
  void require(bool sound, int64_t game) const;

  std::shared_ptr<const Game> game_;
  RecordView view_;
  ImprovedPolicy rule_;
  float target_temperature_;
  bool open_;
  std::vector<uint64_t> ply_begin_;   // by game
  std::vector<uint64_t> edge_begin_;  // by game
};

}  // namespace ludus
