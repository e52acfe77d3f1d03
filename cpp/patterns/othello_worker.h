// One thread of a search over pattern tables.
//
// Principal variation search (Marsland, Campbell: "Parallel search of strongly ordered game trees",
// Computing Surveys 14(4), 1982) with a transposition table and forward pruning by shallow searches
// (multi-ProbCut; Buro: "Experiments with multi-ProbCut and a new high-quality evaluation function
// for Othello", 1997). A search to the end of the game hands the last squares to the endgame
// solver.
//
// Scores are 1/256 disc for the mover. Depths count discs to be put, so a pass takes none, and a
// depth of all empty squares is a search to the end.
#pragma once

#include <array>
#include <cstdint>

#include "games/othello_board.h"
#include "oracles/othello_endgame.h"
#include "patterns/indices.h"
#include "patterns/othello_probcut.h"
#include "patterns/tables.h"
#include "search/othello_limits.h"
#include "search/othello_table.h"

namespace ludus::patterns {

inline constexpr int kWin = 64 * kDisc;
inline constexpr int kInfinite = 2 * kWin;  // beyond every score

// A position with its index vectors.
struct Node {
  othello::Board board;
  Indices indices;
};

// What a search found best from a position on: its actions, passes included, and its score.
struct Line {
  std::array<uint8_t, 128> actions;
  int length = 0;
  int score = 0;

  void set(int action, const Line& rest, int of) {
    actions[0] = static_cast<uint8_t>(action);
    for (int i = 0; i < rest.length; ++i)
      actions[static_cast<size_t>(i) + 1] = rest.actions[static_cast<size_t>(i)];
    length = rest.length + 1;
    score = of;
  }
};

struct Move {
  uint64_t turned;
  int square;
  int value;  // the higher the earlier
};

struct Moves {
  std::array<Move, 34> list;
  int count = 0;

  Move& add(int square, uint64_t turned) {
    return list[static_cast<size_t>(count++)] = {turned, square, 0};
  }
  // The best of those from place `i` on, brought there.
  const Move& pick(int i);
};

class Worker {
 public:
  Worker(const PatternTables& tables, const ProbCut& probcut, othello::SearchTable& table)
      : solver(table, work), tables_(tables), probcut_(probcut), table_(table) {}

  // 0..7 as in the table; 7 prunes nothing.
  void set_certainty(int certainty) { certainty_ = certainty; }
  // Threads with different seeds try moves that look alike in different orders; 0 for none.
  void set_noise(uint64_t seed) { noise_ = seed; }

  Node node_of(const othello::Board& board) const { return {board, tables_.rules().from(board)}; }

  // The score if it lies between alpha and beta, otherwise a bound. `line` is what leads to the
  // score and is kept up to date while the search runs: its length is 0 as long as nothing above
  // alpha was found. `depth` is at most the number of empty squares. Throws StopSearch.
  int search(const Node& node, int alpha, int beta, int depth, Line& line);

  // Adds best play from `board`, whose exact score in discs this is, to `line`: so many moves, or
  // up to the end. Throws StopSearch; what was found by then stays.
  void finish_line(othello::Board board, int score, int moves, Line& line);

  othello::SearchWork work;
  othello::EndgameSolver solver;

 private:
  Node after(const Node& node, int square, uint64_t turned) const {
    Node next;
    next.board = othello::after_move(node.board, square, turned);
    tables_.rules().play(node.indices, square, turned, next.indices);
    return next;
  }
  static Node after_pass(const Node& node) {
    return {othello::after_pass(node.board), IndexRules::after_pass(node.indices)};
  }
  // No estimate is as good as a game won with all discs.
  static int clamp(int score) {
    constexpr int kMost = kWin - kDisc;
    return score > kMost ? kMost : score < -kMost ? -kMost : score;
  }
  int evaluate(const Node& node, int empty) {
    ++work.nodes;
    return clamp(tables_.evaluate(node.indices, stage_of(othello::kSquares - empty)));
  }

  // Whether the score is above `alpha`.
  int null_window(const Node& node, int alpha, int depth, int empty);
  // With one disc to be put, not the last one; an `alpha` of kInfinite gives the score.
  int last_ply(const Node& node, int alpha, int empty);
  // Whether the table proves that one of these moves leads above `alpha`, to `score` or more.
  bool known_reply(const othello::Board& board, uint64_t moves, int alpha, int depth, int& score);
  // Whether shallow searches say which side of `alpha` the score is on; `bound` says it.
  bool cut(const Node& node, int alpha, int depth, int empty, int& bound);
  // Adds `moves` with what they promise.
  void order(const Node& node, uint64_t moves, int depth, int empty, Moves& into);
  bool look_up(uint64_t key, othello::TableEntry& known);
  void store(uint64_t key, int lower, int upper, int move, int depth);

  const PatternTables& tables_;
  const ProbCut& probcut_;
  othello::SearchTable& table_;
  int certainty_ = othello::kCertain;
  uint64_t noise_ = 0;
};

}  // namespace ludus::patterns
