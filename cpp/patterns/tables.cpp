#include "patterns/tables.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>

#include "base/errors.h"

namespace ludus::patterns {
namespace {

using othello::Board;

constexpr size_t kChunk = 1 << 20;    // boards that are put in order of their stages at once
constexpr size_t kAtATime = 1 << 13;  // boards for which the gate is held

int stage_of(const Board& board) {
  return patterns::stage_of(std::max(4, othello::kSquares - othello::empties(board)));
}

// The lowest bit of each of eight bytes, byte 0 first.
uint64_t low_bits(uint64_t bytes) {
  return ((bytes & 0x0101010101010101ULL) * 0x0102040810204080ULL) >> 56;
}

[[noreturn]] void refuse_cell(size_t row, const uint8_t* cells) {
  int square = 0;
  while (cells[square] <= 2) ++square;
  throw InputError("Board " + std::to_string(row) + " has " + std::to_string(cells[square]) +
                   " on " + square_name(square) + "; a cell is 0 (empty), 1 (black) or 2 (white).");
}

Board board_of(size_t row, const uint8_t* cells, uint8_t mover) {
  uint64_t black = 0;
  uint64_t white = 0;
  uint64_t wrong = 0;
  for (int rank = 0; rank < 8; ++rank) {
    uint64_t bytes = 0;  // byte by byte, so that big-endian machines agree
    for (int file = 0; file < 8; ++file)
      bytes |= static_cast<uint64_t>(cells[8 * rank + file]) << (8 * file);
    black |= low_bits(bytes) << (8 * rank);
    white |= low_bits(bytes >> 1) << (8 * rank);
    wrong |= bytes & 0xFCFCFCFCFCFCFCFCULL;
  }
  if (wrong != 0 || (black & white) != 0) refuse_cell(row, cells);
  if (mover != 1 && mover != 2)
    throw InputError("Board " + std::to_string(row) + " has " + std::to_string(mover) +
                     " as the side to move, which is 1 (black) or 2 (white).");
  return mover == 1 ? Board{black, white} : Board{white, black};
}

}  // namespace

PatternTables::PatternTables(std::shared_ptr<const PatternSet> set)
    : instances_(set->instances()),
      fours_(set->fours()),
      neutral_(kNeutral * set->instances()),
      entries_(set->entries()),
      set_(std::move(set)),
      rules_(*set_),
      // One entry to spare: a 32-bit read at the last weight stays inside.
      weights_(kStages * entries_ + 1, static_cast<uint16_t>(kNeutral)) {
  for (const Pattern& pattern : set_->patterns())
    for (size_t i = 0; i < pattern.placements.size(); ++i) {
      const size_t lane = static_cast<size_t>(pattern.first_instance) + i;
      first_[lane] = pattern.first_entry;
      used_[lane / 16] = static_cast<uint16_t>(used_[lane / 16] | 1U << lane % 16);
    }
}

std::shared_ptr<PatternTables> PatternTables::copy() const {
  auto made = std::make_shared<PatternTables>(set_);
  const std::shared_lock lock(gate_);
  made->weights_ = weights_;
  return made;
}

int PatternTables::evaluate(const Board& board) const {
  IndexVector view;
  rules_.view(board, view);
  return evaluate(view, stage_of(board));
}

void PatternTables::evaluate(std::span<const Board> boards, std::span<int32_t> scores) const {
  std::vector<uint32_t> order(std::min(boards.size(), kChunk));
  for (size_t start = 0; start < boards.size(); start += kChunk) {
    const size_t count = std::min(kChunk, boards.size() - start);
    evaluate_chunk(boards.subspan(start, count), scores.subspan(start, count), order);
  }
}

void PatternTables::evaluate(std::span<const uint8_t> cells, std::span<const uint8_t> movers,
                             std::span<int32_t> scores) const {
  if (cells.size() != othello::kSquares * movers.size())
    throw InputError("Boards have 64 cells each: " + std::to_string(movers.size()) +
                     " of them have " + std::to_string(64 * movers.size()) + " cells, not " +
                     std::to_string(cells.size()) + ".");
  std::vector<uint32_t> order(std::min(movers.size(), kChunk));
  std::vector<Board> boards(order.size());
  for (size_t start = 0; start < movers.size(); start += kChunk) {
    const size_t count = std::min(kChunk, movers.size() - start);
    for (size_t i = 0; i < count; ++i)
      boards[i] = board_of(start + i, cells.data() + 64 * (start + i), movers[start + i]);
    evaluate_chunk({boards.data(), count}, scores.subspan(start, count), order);
  }
}

// Boards of one stage after the other: the tables of a stage fit a core's cache, all do not.
void PatternTables::evaluate_chunk(std::span<const Board> part, std::span<int32_t> scores,
                                   std::vector<uint32_t>& order) const {
  std::array<uint32_t, kStages + 1> at{};
  for (const Board& board : part) ++at[static_cast<size_t>(stage_of(board)) + 1];
  for (size_t stage = 0; stage < kStages; ++stage) at[stage + 1] += at[stage];
  for (size_t i = 0; i < part.size(); ++i)
    order[at[static_cast<size_t>(stage_of(part[i]))]++] = static_cast<uint32_t>(i);
  for (size_t i = 0; i < part.size();) {
    const std::shared_lock lock(gate_);
    for (const size_t end = std::min(part.size(), i + kAtATime); i < end; ++i)
      scores[order[i]] = evaluate(part[order[i]]);
  }
}

std::span<const uint16_t> PatternTables::weights(int pattern, int stage) const {
  const auto& all_patterns = set_->patterns();
  if (pattern < 0 || pattern >= static_cast<int>(all_patterns.size()))
    throw InputError("There is no pattern " + std::to_string(pattern) +
                     "; the set has patterns 0 to " + std::to_string(all_patterns.size() - 1) +
                     ".");
  if (stage < 0 || stage >= kStages)
    throw InputError("There is no stage " + std::to_string(stage) + "; stages are 0 to " +
                     std::to_string(kStages - 1) + ".");
  const Pattern& which = all_patterns[static_cast<size_t>(pattern)];
  return all().subspan(static_cast<size_t>(stage) * entries_ + which.first_entry, which.contents);
}

uint16_t PatternTables::weight(int pattern, int stage, uint32_t contents) const {
  const auto table = weights(pattern, stage);
  if (contents >= table.size())
    throw InputError("Pattern " + std::to_string(pattern) + " has no index " +
                     std::to_string(contents) + "; its indices are 0 to " +
                     std::to_string(table.size() - 1) + ".");
  const std::shared_lock lock(gate_);
  return table[contents];
}

void PatternTables::load(std::span<const uint16_t> weights) {
  if (weights.size() != all().size())
    throw InputError("These tables have " + std::to_string(all().size()) + " weights, not " +
                     std::to_string(weights.size()) + ".");
  const std::unique_lock lock(gate_);
  std::copy(weights.begin(), weights.end(), weights_.begin());
}

}  // namespace ludus::patterns
