// One turn of solitaire Yatzy, solved exactly for sixteen boards at once.
//
// A turn is three rolls and a mark. What a mark is worth is given per board (its points and what
// the rest of the game is worth after it); the turn's value follows by going backwards over the 462
// multisets of kept dice. Two identities make it cheap: the expectation over a reroll is taken one
// die at a time (mean over the six multisets that have one die more: 1,260 additions), and the best
// keep of any dice is the best over removing one die of each face (1,260 maxima). Boards fill the
// lanes of vectors, so that no step depends on a board.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "games/yatzy.h"

namespace ludus::yatzy {

#if defined(__AVX512F__)
inline constexpr int kVectorBytes = 64;
#elif defined(__AVX__)
inline constexpr int kVectorBytes = 32;
#else
inline constexpr int kVectorBytes = 16;
#endif

inline constexpr int kLanes = 16;
inline constexpr int kLowerCategories = kCategories - kUpperCategories;

// Sixteen numbers, in as many vectors of the machine as that takes. Element-wise only, and the
// same arithmetic in the same order at every vector width, so results do not depend on it.
template <class T>
struct Pack {
  typedef T Vector __attribute__((vector_size(kVectorBytes)));
  static constexpr size_t kEach = kVectorBytes / sizeof(T);
  static constexpr size_t kParts = kLanes / kEach;
  Vector part[kParts];

  T get(size_t lane) const { return part[lane / kEach][lane % kEach]; }
  void set(size_t lane, T value) { part[lane / kEach][lane % kEach] = value; }
  static Pack of(T value) {
    Pack pack;
    for (size_t i = 0; i < kParts; ++i) pack.part[i] = Vector{} + value;
    return pack;
  }
};

// The value of a mark that is not possible: below every other, and far from overflow.
template <class T>
inline constexpr T kNever = T(-1e6);

// What follows each mark, by lane: the value of the rest of the game (its points not included).
template <class T>
struct Marks {
  uint32_t categories = 0;  // bit c: category c is free in some lane; the others are not read
  // [face - 1][k]: after marking k dice of that face.
  std::array<std::array<Pack<T>, kDice + 1>, kUpperCategories> upper;
  std::array<Pack<T>, kLowerCategories> lower;  // [category - 6]
};

// The values of one turn. `stage[id]` follows the ids of kept multisets in Tables.
template <class T>
class Turn {
 public:
  // The turn's value before the first roll.
  void solve(const Marks<T>& marks, Pack<T>* value);
  // As solve(), keeping what decisions need. `rerolls` of them may be left at most.
  void solve_decisions(const Marks<T>& marks, int rerolls);
  // After solve_decisions: the expected value of rolling beside a kept multiset of fewer than five
  // dice with `rerolls` (1 or 2) left before it, relative to base().
  T keep_value(int rerolls, size_t kept, size_t lane) const {
    return keeps_[static_cast<size_t>(rerolls - 1)][kept].get(lane);
  }
  T base(size_t lane) const { return base_.get(lane); }

 private:
  void fill(const Marks<T>& marks);
  void expect();
  void take_best(int largest);  // for multisets of up to `largest` dice

  // Everything is relative to this value, which keeps single precision where the differences are.
  Pack<T> base_;
  std::array<Pack<T>, kKept> stage_;
  std::array<std::array<Pack<T>, kFullKept>, 2> keeps_;
};

extern template class Turn<float>;
extern template class Turn<double>;

}  // namespace ludus::yatzy
