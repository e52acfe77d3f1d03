// Pattern sets: which squares an evaluation looks at together.
//
// A pattern is a list of at most ten squares. Its contents are a number in base 3 whose lowest
// digit is the first square: 0 empty, 1 a disc of the viewer, 2 a disc of the other side. All
// distinct placements of a pattern under the eight symmetries of the board are its instances, and
// they share one table of 3^squares weights (Buro, "Improving heuristic mini-max search by
// supervised learning", Artificial Intelligence 134, 2002, section 3). A symmetry that maps a
// pattern onto itself makes pairs of contents equivalent: a learner folds them into one slot,
// look-up unfolds.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace ludus::patterns {

inline constexpr int kMaxCells = 10;      // 3^10 = 59,049 contents fit 16 bits
inline constexpr int kMaxInstances = 64;  // lanes of an index vector
inline constexpr int kStages = 30;        // of two discs each

// The stage of a board with so many discs, 4 to 64.
constexpr int stage_of(int discs) {
  const int stage = (discs - 4) / 2;
  return stage < kStages ? stage : kStages - 1;
}

struct PatternSpec {
  std::string name;
  std::vector<int> squares;  // 0 = a1, 1 = b1, ... 63 = h8
};

struct Pattern {
  std::string name;
  std::vector<std::vector<int>> placements;  // squares in the order of the digits; [0] as given
  uint32_t contents = 0;                     // 3^squares, entries of its table in one stage
  uint32_t first_entry = 0;                  // of its table in the row of a stage
  int first_instance = 0;                    // its instances are consecutive (see fours())
  // Folding: contents c and all that a symmetry of the pattern makes of c share slot[c].
  int order = 1;               // symmetries of the pattern, 1 without any
  uint32_t slots = 0;          // distinct contents up to these
  uint32_t first_slot = 0;     // in the folded row of a stage
  std::vector<uint16_t> slot;  // [contents]
  std::vector<uint16_t>
      members;  // [slots * order] contents of a slot, repeated where they coincide
};

class PatternSet {
 public:
  // Throws InputError that names the pattern and the reason.
  explicit PatternSet(const std::vector<PatternSpec>& specs);

  // The 14 patterns that Ludus uses unless told otherwise: 56 instances, 481,140 entries a stage.
  static std::shared_ptr<const PatternSet> standard();
  // One pattern a line, "name: a1 b1 c1"; # starts a comment. Errors name the line.
  static PatternSet parse(const std::string& text);

  const std::vector<Pattern>& patterns() const { return patterns_; }
  int instances() const { return instances_; }
  // Patterns with four or eight placements have the first instances, this many, so that four at a
  // time share a table; those with one or two come behind.
  int fours() const { return fours_; }
  uint32_t entries() const { return entries_; }  // of one stage
  uint32_t slots() const { return slots_; }      // of one stage, folded
  // 16 hexadecimal digits over the squares in order; names do not count.
  const std::string& digest() const { return digest_; }

 private:
  std::vector<Pattern> patterns_;
  int instances_ = 0;
  int fours_ = 0;
  uint32_t entries_ = 0;
  uint32_t slots_ = 0;
  std::string digest_;
};

// "a1" for 0, ... "h8" for 63.
std::string square_name(int square);

}  // namespace ludus::patterns
