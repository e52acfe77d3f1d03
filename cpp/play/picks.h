// Which plies of which games an update learns from.
//
// It follows from (seed, number of the update, lengths of the games) alone. Games come in a
// shuffled order that visits every game once before any comes again; of each, plies are drawn
// without repetition.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ludus {

class RowPicker {
 public:
  // `lengths` are the plies of each game, `each` how many are drawn from a game. Throws InputError
  // without games, for a game without plies and for `each` under 1.
  RowPicker(std::vector<int32_t> lengths, uint64_t seed, int each);

  // Rows of an update, sorted by game and ply, so that a decoder replays a game once. Where games
  // are shorter than `each`, the others give more rows or, if all are used up, rows repeat.
  // Remembers the order of a round: not for two threads at a time.
  void pick(uint64_t update, size_t count, int64_t* games, int32_t* plies);

 private:
  size_t game_at(uint64_t position);

  std::vector<int32_t> lengths_;
  uint64_t seed_;
  size_t each_;
  std::vector<uint32_t> order_;  // of the round
  uint64_t round_ = ~uint64_t{0};
};

}  // namespace ludus
