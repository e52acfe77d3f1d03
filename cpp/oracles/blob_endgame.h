// Exact play of the last cards of a round of Blob with all hands open ("double dummy").
//
// Every seat plays for its own points of the round and nothing else (max^n; Luckhardt and Irani,
// "An Algorithmic Solution of N-Person Games", AAAI 1986). A seat gets the points of its bid or
// none, so it maximises its chance of making it. Tie rule: of cards that are equally good for it, a
// seat plays each with equal probability; values are expectations over that. (A seat whose bid is
// lost plays any card.) max^n has as many solutions as it has ways to break ties; this one favours
// nobody and does not depend on the names of cards.
//
// Cards of a seat with none between them in other hands or on top of the trick are one choice.
// Positions between tricks are remembered by cards left, leader and tricks wanted.
//
// What a seat can reach with open hands is more than what it can reach in play, so averages over
// worlds that fit what it has seen are a yardstick and not the truth: they take every decision
// after this one as made with all hands open (strategy fusion; Frank and Basin, "Search in games
// with incomplete information", Artificial Intelligence 100, 1998).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "games/blob.h"

namespace ludus::blob {

using SeatValues = std::array<double, kMaxPlayers>;

// Most cards in all hands together, those of the current trick not counted.
inline constexpr int kMostSolved = 24;

// Not for threads at the same time. Keeps its memory between calls.
class Endgame {
 public:
  // Two chances of making a bid that differ by less are equal.
  static constexpr double kTolerance = 1e-9;

  // Whether it is a play with few enough cards.
  static bool solves(const State& state);

  // Points of the round that each seat can expect, best play from here on. Throws InputError where
  // !solves(state).
  SeatValues values(const State& state);
  // The same behind each card that may be played: actions ascending.
  struct Choice {
    int card;
    SeatValues values;
  };
  std::vector<Choice> choices(const State& state);

  // For each playable card, ascending, the mean of the mover's value over `worlds` worlds that fit
  // what it has seen; the first worlds of a key are the same however many are asked for. Stops
  // early where `stop` says so, with the mean of the worlds that were done (none: 0).
  struct Mean {
    int card;
    double points;
  };
  std::vector<Mean> over_worlds(const State& state, int worlds, uint64_t key,
                                const std::atomic<bool>* stop = nullptr);

  // Cards played in all calls.
  uint64_t nodes() const { return nodes_; }

 private:
  void begin(const State& state);
  void trick(SeatValues& out);
  void play(SeatValues& out);
  void after(int card, SeatValues& out);
  Cards legal() const;
  Cards same_as(int card, Cards legal, Cards blockers) const;
  uint64_t key() const;

  // The position that is looked at.
  std::array<Cards, kMaxPlayers> hands_{};
  std::array<int8_t, kMaxPlayers> wanted_{};  // tricks still wanted, below 0 one too many
  int players_ = 0;
  int trump_ = kNoTrump;
  int seat_ = 0;
  int size_ = 0;  // cards of the trick
  int led_ = 0;   // suit
  int top_ = 0;   // card that takes the trick
  int holder_ = 0;
  int left_ = 0;  // tricks to come behind this one
  uint64_t nodes_ = 0;

  // Positions between tricks: open addressing, emptied by a new number.
  std::array<uint32_t, kCards> bit_{};  // of a card among those held at the start
  std::vector<uint64_t> keys_;
  std::vector<uint32_t> stamps_;
  std::vector<SeatValues> stored_;
  uint32_t stamp_ = 0;
  size_t used_ = 0;
  size_t slot_of(uint64_t key) const;
  void grow();
};

}  // namespace ludus::blob
