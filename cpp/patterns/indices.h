// Index vectors: the contents of all pattern instances at once, kept up to date move by move.
//
// The contents of a pattern are linear in the squares: a disc on a square adds a power of three to
// each instance that has the square, twice that for the other side's disc. So one vector of 16-bit
// numbers a square, with one lane an instance, is all that is needed, and a move is a few vector
// additions. Sums wrap around within a move and are right again at its end.
#pragma once

#include <cstdint>
#include <cstring>

#include "games/othello_board.h"
#include "patterns/pattern_set.h"

namespace ludus::patterns {

// 32 lanes: one AVX-512 register, or what the compiler makes of it elsewhere.
typedef uint16_t HalfLanes __attribute__((vector_size(64)));

// The contents of every instance from one side's view, lane by lane; lanes behind the last are 0.
struct IndexVector {
  HalfLanes low{};
  HalfLanes high{};

  void operator+=(const IndexVector& other) {
    low += other.low;
    high += other.high;
  }
  void operator-=(const IndexVector& other) {
    low -= other.low;
    high -= other.high;
  }
  uint16_t operator[](int lane) const {
    uint16_t value;
    std::memcpy(&value, reinterpret_cast<const char*>(this) + 2 * lane, sizeof(value));
    return value;
  }
};
static_assert(sizeof(IndexVector) == 2 * kMaxInstances);

// Both views of one position.
struct Indices {
  IndexVector mover;  // as the side to move sees it: what tables are asked with
  IndexVector other;  // as the side that waits sees it
};

// What each square adds.
class IndexRules {
 public:
  explicit IndexRules(const PatternSet& set);

  // From nothing. Squares of both sides at once are not looked for.
  void view(const othello::Board& board, IndexVector& into) const {
    IndexVector own;
    IndexVector opp;
    for (uint64_t bits = board.own; bits != 0; bits &= bits - 1) own += of(bits);
    for (uint64_t bits = board.opp; bits != 0; bits &= bits - 1) opp += of(bits);
    into = own;
    into += opp;
    into += opp;
  }
  Indices from(const othello::Board& board) const {
    Indices indices;
    view(board, indices.mover);
    view(othello::after_pass(board), indices.other);
    return indices;
  }

  // After a move of the mover with these flips (and the turn has changed); `to` may be `before`.
  void play(const Indices& before, int square, uint64_t turned, Indices& to) const {
    IndexVector gone = before.mover;
    IndexVector come = before.other;
    const IndexVector& disc = squares_[square];
    gone += disc;
    come += disc;
    come += disc;
    for (uint64_t bits = turned; bits != 0; bits &= bits - 1) {
      gone -= of(bits);
      come += of(bits);
    }
    to.mover = come;
    to.other = gone;
  }
  // Only the view of the side to move after that move: enough for a leaf, at half the cost.
  void view_after(const Indices& before, int square, uint64_t turned, IndexVector& to) const {
    IndexVector come = before.other;
    come += squares_[square];
    come += squares_[square];
    for (uint64_t bits = turned; bits != 0; bits &= bits - 1) come += of(bits);
    to = come;
  }
  static Indices after_pass(const Indices& before) { return {before.other, before.mover}; }

 private:
  const IndexVector& of(uint64_t bits) const { return squares_[othello::first_bit(bits)]; }

  IndexVector squares_[othello::kSquares];
};

}  // namespace ludus::patterns
