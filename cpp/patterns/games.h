// Self-play games as the learner needs them: one step a move, kept until the batch is learned.
#pragma once

#include <cstdint>
#include <vector>

#include "patterns/indices.h"

namespace ludus::patterns {

inline constexpr int kMaxMoves = 60;  // squares that are empty at the start

// One move of a game. Values are in discs for the side that moved.
struct Step {
  float best = 0.0F;     // of the best move: what the step before learns from
  float value = 0.0F;    // of the leaf, by the tables that the game was played with
  float error = 0.0F;    // target less value; filled by find_errors
  uint8_t square = 0;    // where the disc was put
  uint8_t seat = 0;      // 0 black, 1 white
  uint8_t stage = 0;     // of the leaf
  bool greedy = true;    // the best move was played
  bool learns = true;    // the leaf lies on the path that was played, and tables evaluate it
  bool mirrored = true;  // the leaf is seen by the other side: its score is -value
};

struct PlayedGame {
  uint8_t first = 0;  // random moves before it are no steps
  uint8_t moves = 0;  // discs that were put, random ones included: steps are first to moves - 1
  int8_t score = 0;   // disc difference for black, empty squares to the winner
};

// The games of one batch. Memory is kept from batch to batch, histories are not.
class GameBatch {
 public:
  explicit GameBatch(size_t games)
      : games_(games), steps_(games * kMaxMoves), leaves_(games * kMaxMoves) {}

  size_t size() const { return games_.size(); }
  PlayedGame& game(size_t g) { return games_[g]; }
  const PlayedGame& game(size_t g) const { return games_[g]; }
  Step& step(size_t g, int move) { return steps_[row(g, move)]; }
  const Step& step(size_t g, int move) const { return steps_[row(g, move)]; }
  // The leaf of a step: its contents as seen by the side that is to move there.
  IndexVector& leaf(size_t g, int move) { return leaves_[row(g, move)]; }

  // The same by row: the k-th moves of all games lie together, as they are played and learned.
  size_t row(size_t g, int move) const { return static_cast<size_t>(move) * games_.size() + g; }
  const Step& step_at(size_t row) const { return steps_[row]; }
  const IndexVector& leaf_at(size_t row) const { return leaves_[row]; }

 private:
  std::vector<PlayedGame> games_;
  std::vector<Step> steps_;
  std::vector<IndexVector> leaves_;
};

}  // namespace ludus::patterns
