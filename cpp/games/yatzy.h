// Scandinavian Yatzy for two seats.
//
// Rules: five dice, two rerolls, fifteen categories each marked once (possibly for 0), seats
// alternate. Pair is the highest pair, pairs and kinds score only their dice, small straight
// 1-5 scores 15, large straight 2-6 scores 20, house and chance score all five dice, yatzy 50.
// Two pairs need different faces, so four or five of a kind is not two pairs; five of a kind is
// not a house. A bonus of 50, once, when the upper total reaches 63; it is kept clamped at 63.
//
// Actions: 0..31 keep mask over the sorted dice, bit (4 - i) keeps dice[i]; 32 + c marks category
// c. Keeping all five (31) is illegal. Masks of free categories have bit (14 - c) for category c.
// Chance outcomes are the class of the five dice after the roll, 0..251.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "games/game.h"

namespace ludus::yatzy {

inline constexpr int kCategories = 15;
inline constexpr int kUpperCategories = 6;
inline constexpr int kDice = 5;
inline constexpr int kClasses = 252;  // multisets of five dice
inline constexpr int kKept = 462;     // multisets of zero to five dice
inline constexpr int kFullKept =
    210;  // the first kept id with five dice: class c is kept id 210 + c
inline constexpr int kMarkBase = 32;  // action of the first mark
inline constexpr int kActions = 47;
inline constexpr int kUpperGoal = 63;
inline constexpr int kBonus = 50;
inline constexpr uint16_t kAllFree = 0x7FFF;
inline constexpr int kObservation = 96;

constexpr uint16_t category_bit(int category) {
  return static_cast<uint16_t>(1U << (kCategories - 1 - category));
}

// Everything about dice that can be computed once.
struct Tables {
  // Sorted faces 1..6 of each kept multiset, 0 where there is no die; ids ascend by number of
  // dice, then lexicographically.
  std::array<std::array<uint8_t, kDice>, kKept> faces;
  std::array<uint8_t, kKept> size;                   // dice in a kept multiset
  std::array<std::array<uint8_t, 6>, kKept> counts;  // dice of each face
  std::array<int, 7> size_begin;                     // first kept id of each size
  std::array<std::array<uint8_t, kCategories>, kClasses> score;
  std::array<std::array<uint16_t, 32>, kClasses> keep;      // [class][mask] -> kept id
  std::array<std::array<uint8_t, 32>, kClasses> canonical;  // [class][mask] -> lowest equal mask
  std::array<std::array<uint16_t, 32>, kClasses> keeps;     // canonical masks, ascending
  std::array<uint8_t, kClasses> num_keeps;
  // Marks of the free categories 0..7 by the high byte of a free mask, and 8..14 by its low 7 bits.
  std::array<std::array<uint16_t, 8>, 256> marks_high;
  std::array<std::array<uint16_t, 8>, 128> marks_low;
  // Rolling 5 - size dice beside a kept multiset: result[result_begin[kept] + r] is the class after
  // rolling the r-th multiset of that many dice (r counts within the size).
  std::array<int, kKept> result_begin;
  std::array<uint8_t, 4368> result;
  std::array<uint16_t, kKept> ways;  // orderings of a multiset: its probability times 6^size
  // The 6^k ordered rolls of k dice: by_order follows the base-6 number of the roll, by_quantile
  // has equal multisets side by side. Both give the multiset's rank within its size.
  std::array<std::array<uint8_t, 7776>, kDice + 1> by_order;
  std::array<std::array<uint8_t, 7776>, kDice + 1> by_quantile;
  std::array<int, kDice + 1> power;  // 6^k
};

extern const Tables tables;

enum class Phase : uint8_t { decision = 0, chance = 1, terminal = 2 };

struct State {
  std::array<uint16_t, 2> free;  // free categories by seat
  std::array<int16_t, 2> total;  // points by seat, bonus included
  std::array<uint8_t, 2> upper;  // upper total by seat, clamped at 63
  uint16_t kept;                 // at a chance event: the dice that stay
  uint8_t dice;                  // at a decision: class of the five dice
  uint8_t rerolls;               // left after the coming roll
  uint8_t seat;
  Phase phase;
};
static_assert(sizeof(State) == 16);

State initial_state();
inline int round_of(const State& state) {
  return kCategories - __builtin_popcount(state.free[state.seat]);
}
// Points that marking `category` with these dice brings, the bonus included.
inline int mark_points(int dice, int category, int upper) {
  const int points = tables.score[static_cast<size_t>(dice)][static_cast<size_t>(category)];
  const bool bonus =
      category < kUpperCategories && upper < kUpperGoal && upper + points >= kUpperGoal;
  return bonus ? points + kBonus : points;
}
bool is_legal(const State& state, int action);
void apply(State& state, int action);
void apply_outcome(State& state, int dice_class);

std::shared_ptr<const Game> make_game();

}  // namespace ludus::yatzy
