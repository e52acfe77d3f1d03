#include "patterns/evaluation_work.h"

#include "base/errors.h"
#include "base/random.h"

namespace ludus::patterns {

using othello::Board;

namespace {

// A position of a random game with so many empty squares and a move to make, or the end of that
// game.
Board random_position(Stream& stream, int empties) {
  Board board = othello::kStart;
  while (!othello::is_over(board)) {
    uint64_t moves = othello::legal_moves(board);
    if (moves == 0) {
      board = othello::after_pass(board);
      continue;
    }
    if (othello::empties(board) == empties) break;
    for (uint32_t skip = stream.below(static_cast<uint32_t>(othello::count_bits(moves))); skip > 0;
         --skip)
      moves &= moves - 1;
    const int square = othello::first_bit(moves);
    board = othello::after_move(board, square, othello::flips(board.own, board.opp, square));
  }
  return board;
}

}  // namespace

EvaluationWork::EvaluationWork(std::shared_ptr<const PatternTables> tables, size_t positions,
                               int empties, uint64_t seed)
    : tables_(std::move(tables)), stage_(stage_of(othello::kSquares + 1 - empties)) {
  if (positions == 0 || empties < 2 || empties > 60)
    throw InputError("Evaluations are measured on 1 position or more with 2 to 60 empty squares.");
  Stream stream(seed, Purpose::player);
  while (before_.size() < positions) {
    const Board board = random_position(stream, empties);
    if (othello::is_over(board)) continue;
    for (uint64_t left = othello::legal_moves(board); left != 0; left &= left - 1) {
      const int square = othello::first_bit(left);
      const uint64_t turned = othello::flips(board.own, board.opp, square);
      moves_.push_back({static_cast<uint32_t>(before_.size()), square, turned});
      after_.push_back(othello::after_move(board, square, turned));
    }
    before_.push_back(tables_->rules().from(board));
  }
}

int64_t EvaluationWork::run(EvaluationWay way, size_t repeats) const {
  int64_t sum = 0;
  for (size_t repeat = 0; repeat < repeats; ++repeat)
    for (size_t i = 0; i < moves_.size(); ++i) {
      if (way == EvaluationWay::incremental) {
        const Move& move = moves_[i];
        IndexVector view;
        tables_->rules().view_after(before_[move.position], move.square, move.turned, view);
        sum += tables_->evaluate(view, stage_);
      } else {
        sum += way == EvaluationWay::plain ? plain(after_[i]) : tables_->evaluate(after_[i]);
      }
    }
  return sum;
}

int EvaluationWork::plain(const Board& board) const {
  int sum = 0;
  const size_t row = static_cast<size_t>(stage_) * tables_->set().entries();
  for (const Pattern& pattern : tables_->set().patterns())
    for (const auto& squares : pattern.placements) {
      uint32_t contents = 0;
      uint32_t power = 1;
      for (const int square : squares) {
        contents += power * static_cast<uint32_t>((board.own >> square & 1) +
                                                  2 * (board.opp >> square & 1));
        power *= 3;
      }
      sum += tables_->all()[row + pattern.first_entry + contents] - kNeutral;
    }
  return sum;
}

}  // namespace ludus::patterns
