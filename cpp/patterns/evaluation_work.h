// Evaluations by the million, in the ways there are to come by one: for benchmarks.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "patterns/tables.h"

namespace ludus::patterns {

enum class EvaluationWay {
  incremental,   // index vectors follow the move, as a search does it
  from_scratch,  // index vectors are summed over the discs of the position after the move
  plain,         // square by square, without index vectors: what it would cost without this room
};

// Positions of random games with so many empty squares, and all their moves.
class EvaluationWork {
 public:
  // Throws InputError where there are no such positions or none are asked for.
  EvaluationWork(std::shared_ptr<const PatternTables> tables, size_t positions, int empties,
                 uint64_t seed);

  // Evaluates the position after each move, all `repeats` times; returns the sum of the scores,
  // which is the same in all ways.
  int64_t run(EvaluationWay way, size_t repeats) const;
  size_t moves() const { return after_.size(); }

 private:
  struct Move {
    uint32_t position;
    int32_t square;
    uint64_t turned;
  };
  int plain(const othello::Board& board) const;

  std::shared_ptr<const PatternTables> tables_;
  int stage_;
  std::vector<Indices> before_;  // by position
  std::vector<Move> moves_;
  std::vector<othello::Board> after_;  // by move
};

}  // namespace ludus::patterns
