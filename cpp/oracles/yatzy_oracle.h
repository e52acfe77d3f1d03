// Exact solitaire Yatzy: what every board, roll and action is worth when the rest of the game is
// played for the highest expected points; and players that follow it.
//
// Values are expected points still to come, those of the mark itself and of the bonus included;
// points already on the card, an earned bonus too, are not in them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "games/yatzy.h"

namespace ludus::yatzy {

enum class Policy : uint8_t {
  oracle = 0,  // the highest expected points of the whole game
  greedy = 1,  // the highest expected points of this turn, bonus included
};

// The decision of seat 0 with these dice (faces 1..6, any order), rerolls left (0..2) and own
// board. Throws InputError.
State solitaire_decision(std::vector<int> dice, int rerolls, int free, int upper);

// Solitaire games, by game number from the first one asked for.
struct SolitaireGames {
  std::vector<int16_t> total;  // points, bonus included
  std::vector<uint8_t> bonus;  // 1 if the upper total reached 63
  std::vector<uint8_t> yatzy;  // 1 if yatzy was marked for 50
};

// Thread-safe: every method is const and works on memory of its own.
class YatzyOracle {
 public:
  // Solves the game on that many threads (1..64). `wide` computes in double instead of single
  // precision: twice the memory and about twice the time.
  explicit YatzyOracle(int threads = 2, bool wide = false);
  ~YatzyOracle();

  double expected() const;
  // Throws InputError for a mask outside 0..32767 and for an upper total (0..63, clamped) that the
  // marked categories cannot have.
  double value(int free, int upper) const;
  static bool reachable(int free, int upper);

  // Values of all actions of `count` decisions, for the own board of the seat to move only:
  // out[i * kActions + action], NaN where illegal. Throws InputError for a state that is no
  // decision or whose board cannot be reached.
  void action_values(const State* states, size_t count, Policy policy, double* out) const;
  // The lowest canonical action within tolerance() of the best.
  void choose(const State* states, size_t count, Policy policy, int32_t* out) const;
  // Actions whose values differ by no more count as equally good; above the error of the table
  // (at most 4e-5 in single precision), below any difference that matters.
  double tolerance() const;

  // Plays games first, first + 1, ..., each with dice keyed by its own seed
  // derive_seed(seed, episode, number) as seat 0: the same whatever the number of threads.
  SolitaireGames simulate(uint64_t first, size_t count, uint64_t seed, Policy policy,
                          int threads) const;

  double build_seconds() const { return build_seconds_; }
  size_t table_bytes() const;
  static size_t classes();

  class Solver;  // in single or double precision

 private:
  std::unique_ptr<const Solver> solver_;
  double build_seconds_ = 0.0;
};

}  // namespace ludus::yatzy
