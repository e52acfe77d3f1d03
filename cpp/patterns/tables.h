// Pattern tables: the evaluation of an Othello position in discs.
//
// A weight is 16 bits, 32768 = 0 discs, 256 = 1 disc. A position's score is the sum over all
// instances of (weight - 32768) / 256, in discs for the side to move, by the tables of its stage.
//
// Threads. The tables of a finished checkpoint are never written again and need no care. Tables
// that a learner is still writing have one writer, which takes `gate()` exclusively while it
// writes. Readers take it shared: the functions of this class that say so do it themselves; the
// inline `evaluate` of an index vector does not, so that searches pay nothing, and whoever searches
// live tables holds a std::shared_lock of `gate()` for the search, or searches a `copy()`.
#pragma once

#include <cstdint>
#include <memory>
#include <shared_mutex>
#include <span>
#include <vector>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#include "patterns/indices.h"
#include "patterns/pattern_set.h"

namespace ludus::patterns {

inline constexpr int kNeutral = 32768;  // 0 discs
inline constexpr int kDisc = 256;       // units of a score and of a weight

class PatternTables {
 public:
  // All weights neutral.
  explicit PatternTables(std::shared_ptr<const PatternSet> set = PatternSet::standard());
  PatternTables(const PatternTables&) = delete;
  PatternTables& operator=(const PatternTables&) = delete;
  std::shared_ptr<PatternTables> copy() const;  // takes the gate

  const PatternSet& set() const { return *set_; }
  std::shared_ptr<const PatternSet> shared_set() const { return set_; }
  const IndexRules& rules() const { return rules_; }

  // The score, in 1/256 disc for the side whose view it is; at most 64 * 32768 in size, and not cut
  // to the 64 discs of a board.
  int evaluate(const IndexVector& view, int stage) const {
    const uint16_t* row = weights_.data() + static_cast<size_t>(stage) * entries_;
#if defined(__AVX512F__)
    // A gather reads 32 bits: the weight and its neighbour (see the spare entry in tables.cpp).
    const auto* lanes = reinterpret_cast<const __m256i*>(&view);
    __m512i sum = _mm512_setzero_si512();
    for (int part = 0; part < 4; ++part) {
      const __m512i at =
          _mm512_add_epi32(_mm512_load_si512(first_ + 16 * part),
                           _mm512_maskz_cvtepu16_epi32(kAllLanes, _mm256_load_si256(lanes + part)));
      const __m512i pair =
          _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), used_[part], at, row, 2);
      sum = _mm512_add_epi32(sum, _mm512_and_si512(pair, _mm512_set1_epi32(0xFFFF)));
    }
    return total(sum) - neutral_;
#else
    // Four placements of one pattern at a time, then the lanes of patterns that have fewer.
    int sum = -neutral_;
    for (int lane = 0; lane < fours_; lane += 4) {
      const uint16_t* table = row + first_[lane];
      sum += table[view[lane]] + table[view[lane + 1]];
      sum += table[view[lane + 2]] + table[view[lane + 3]];
    }
    for (int lane = fours_; lane < instances_; ++lane) sum += row[first_[lane] + view[lane]];
    return sum;
#endif
  }
  int evaluate(const Indices& indices, int stage) const { return evaluate(indices.mover, stage); }
  // From nothing; does not take the gate.
  int evaluate(const othello::Board& board) const;

  // Scores of many boards for their movers; takes the gate for a few thousand boards at a time.
  void evaluate(std::span<const othello::Board> boards, std::span<int32_t> scores) const;
  // The same for boards as rows of 64 cells (0 empty, 1 black, 2 white) and the side to move (1 or
  // 2) of each. Throws InputError that names the row and the square of a value that is none of
  // these.
  void evaluate(std::span<const uint8_t> cells, std::span<const uint8_t> movers,
                std::span<int32_t> scores) const;

  // One weight, and all of a pattern in a stage. Throw InputError for places that are not there;
  // the first takes the gate, the second leaves it to whoever reads the span.
  uint16_t weight(int pattern, int stage, uint32_t contents) const;
  std::span<const uint16_t> weights(int pattern, int stage) const;

  // All of them, [kStages][entries of a stage].
  std::span<uint16_t> all() { return {weights_.data(), kStages * entries_}; }
  std::span<const uint16_t> all() const { return {weights_.data(), kStages * entries_}; }
  // Weights from outside, of the length of all(); takes the gate exclusively.
  void load(std::span<const uint16_t> weights);

  std::shared_mutex& gate() const { return gate_; }

 private:
#if defined(__AVX512F__)
  // The masked forms with all lanes, and a sum by hand: gcc 12 warns of what its own plain forms
  // do.
  static constexpr __mmask16 kAllLanes = 0xFFFF;
  static int total(__m512i lanes) {
    typedef int32_t Lanes16 __attribute__((vector_size(64)));
    typedef int32_t Lanes8 __attribute__((vector_size(32)));
    typedef int32_t Lanes4 __attribute__((vector_size(16)));
    const auto all = reinterpret_cast<Lanes16>(lanes);
    const Lanes8 half = __builtin_shufflevector(all, all, 0, 1, 2, 3, 4, 5, 6, 7) +
                        __builtin_shufflevector(all, all, 8, 9, 10, 11, 12, 13, 14, 15);
    const Lanes4 quarter = __builtin_shufflevector(half, half, 0, 1, 2, 3) +
                           __builtin_shufflevector(half, half, 4, 5, 6, 7);
    return quarter[0] + quarter[1] + quarter[2] + quarter[3];
  }
#endif

  void evaluate_chunk(std::span<const othello::Board> part, std::span<int32_t> scores,
                      std::vector<uint32_t>& order) const;

  alignas(64) uint32_t first_[kMaxInstances] = {};  // entry of contents 0 in a stage's row
  uint16_t used_[kMaxInstances / 16] = {};          // bit l: lane l of the part is an instance
  [[maybe_unused]] int instances_;
  [[maybe_unused]] int
      fours_;  // lanes before this one belong to patterns with four or eight placements
  int neutral_;
  size_t entries_;
  std::shared_ptr<const PatternSet> set_;
  IndexRules rules_;
  std::vector<uint16_t> weights_;
  mutable std::shared_mutex gate_;
};

}  // namespace ludus::patterns
