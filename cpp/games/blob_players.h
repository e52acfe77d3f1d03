// A player of Blob by rules of thumb, to measure others against and to end playouts.
//
// It sees what its seat sees and nothing else: `View` is all that its rules are given.
#pragma once

#include <array>
#include <cstdint>

#include "games/blob.h"

namespace ludus::blob {

// What the seat to move knows, with what it wants and what it thinks that the others want.
struct View {
  Cards hand;
  Cards unseen;                           // held by others or never dealt
  std::array<uint8_t, kMaxPlayers> held;  // cards of each seat's hand
  std::array<uint8_t, kMaxPlayers> voids;
  std::array<uint8_t, kMaxPlayers> trick;
  std::array<int8_t, kMaxPlayers> bids;  // kNoBid before
  std::array<uint8_t, kMaxPlayers> won;
  int seat;
  int players;
  int cards;
  int dealer;
  int trump;
  int leader;
  int trick_size;
};
View view_of(const State& state);

// The strength of a hand is reckoned card by card. Of each card two shares of a trick are counted:
// `wins` where its owner wants tricks, `falls` where it wants none (a high card may be forced to
// win). With a density q of cards in other hands among those unseen, a card that h others beat wins
// with about (1 - q)^h; the constants say how far the wish bends that. The sums of both are the
// most and the fewest tricks that a hand can be brought to take; how safely a bid lies between them
// is the chance of making it.
struct Reckoning {
  double trump_wins = 0.75;   // weight of q for a trump, where it wants to win
  double trump_falls = 0.38;  // ... where it wants to lose
  double side_wins = 2.2;     // ... for another suit
  double side_falls = 1.6;
  double ruffed = 1.46;      // weight of the trumps of seats that may lack the suit
  double ruffs = 0.62;       // what a low trump gains for each suit that is short
  double behind_wins = 1.2;  // what other suits lose, over the number of cards, without the lead
  double behind_falls = 0.47;
  double last_led = 0.2;      // chance that the suit of the last card is led
  double crowd_wins = 0.28;   // what each trick wanted in excess takes from the most
  double crowd_falls = 0.12;  // ... from the fewest
  double above = 0.22;        // room above and below, in tricks
  double below = 0.62;
  double width = 0.78;       // uncertainty of the sums, in tricks
  double width_card = 0.23;  // ... for each card
};

struct RuleConstants {
  Reckoning bid;            // of a hand before it is bid
  Reckoning play;           // of what is left behind a trick
  double others_bid = 0.9;  // what the others are expected to bid, as a share of an even part
  double takes = 0.51;      // chance that a seat that wants the trick takes it if it can
  double takes_not = 0.1;   // ... that a seat that does not want it takes it without need

  RuleConstants() {
    bid.above = 0.2;
    bid.below = 0.5;
    bid.width = 0.4;
    bid.width_card = 0.15;
  }
};

// The action of the seat to move; the same for the same view. The dealer's bid keeps to the bound
// rule, which is legal under both. Of equally good actions the lowest.
int rules_action(const View& view, const RuleConstants& constants = {});
int rules_action(const State& state, const RuleConstants& constants = {});

}  // namespace ludus::blob
