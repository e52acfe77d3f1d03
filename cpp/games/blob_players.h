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
  double trump_wins;    // weight of q for a trump, where it wants to win
  double trump_falls;   // ... where it wants to lose
  double side_wins;     // ... for another suit, where it wants to win
  double side_falls;    // ... where it wants to lose
  double ruffed;        // weight of the trumps of seats that may lack the suit
  double ruffs;         // what a low trump gains for each suit that is short
  double behind_wins;   // what other suits lose, over the number of cards, without the lead
  double behind_falls;  // ... where it wants to lose
  double last_led;      // chance that the suit of the last card is led
  double crowd_wins;    // what each trick wanted in excess takes from the most
  double crowd_falls;   // ... from the fewest
  double above;         // room above the bid, in tricks
  double below;         // ... and below
  double width;         // uncertainty of the sums, in tricks
  double width_card;    // ... for each card
};

// Found by coordinate search in duplicate play: one seat with a changed constant, the others
// without, the same deals with and without it, 4 and 5 players with 1 to 7 cards.
struct RuleConstants {
  // Of a hand before it is bid.
  Reckoning bid = {.trump_wins = 0.42,
                   .trump_falls = 0.28,
                   .side_wins = 1.55,
                   .side_falls = 1.5,
                   .ruffed = 1.82,
                   .ruffs = 0.78,
                   .behind_wins = 2.34,
                   .behind_falls = 0.59,
                   .last_led = 0.2,
                   .crowd_wins = 0.16,
                   .crowd_falls = 0.17,
                   .above = 0.05,
                   .below = 0.62,
                   .width = 0.3,
                   .width_card = 0.2};
  // Of what is left behind a trick.
  Reckoning play = {.trump_wins = 0.56,
                    .trump_falls = 0.11,
                    .side_wins = 2.2,
                    .side_falls = 1.6,
                    .ruffed = 0.46,
                    .ruffs = 0.44,
                    .behind_wins = 1.5,
                    .behind_falls = 0.35,
                    .last_led = 0.15,
                    .crowd_wins = 0.16,
                    .crowd_falls = 0.12,
                    .above = 0.22,
                    .below = 0.58,
                    .width = 0.78,
                    .width_card = 0.23};
  double others_bid = 0.9;  // what the others are expected to bid, as a share of an even part
  double takes = 0.48;      // chance that a seat that wants the trick takes it if it can
  double takes_not = 0.2;   // ... that a seat that does not want it takes it without need
};

// The action of the seat to move; the same for the same view. The dealer's bid keeps to the bound
// rule, which is legal under both. Of equally good actions the lowest.
int rules_action(const View& view, const RuleConstants& constants = {});
int rules_action(const State& state, const RuleConstants& constants = {});

}  // namespace ludus::blob
