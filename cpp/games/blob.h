// Blob, also called Oh Hell: tricks, of which each seat must take exactly as many as it bid.
//
// 3 to 8 players, 52 cards. A round: everybody gets c cards, bids once (left of the dealer first),
// then c tricks are played: follow suit if possible; the highest trump wins, else the highest card
// of the suit led; the winner leads to the next. Exactly one's bid scores 10 + bid, anything else
// 0. The dealer bids last and may not make the bids sum to c (option `dealer`). A game: rounds of
// C, C - 1, ..., 2 cards, then 1 as often as there are players, then 2, ..., C; trump goes through
// spades, hearts, clubs, diamonds, none, and the deal moves one seat, round by round.
//
// Cards are 13 * suit + rank, suits spades, hearts, clubs, diamonds, ranks 2 to ace. Actions: 0..51
// a card, 52 + b a bid of b.
//
// Chance is the deal, and what comes with it: players, cards, dealer and trump of a round. The
// outcome is a *deal number* that says all of this by itself, under any options: a setup among
// kSetups, and one of kShuffles ways to deal the cards. Options say only which are drawn.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "games/game.h"

namespace ludus::blob {

inline constexpr int kSuits = 4;
inline constexpr int kRanks = 13;
inline constexpr int kCards = 52;
inline constexpr int kMinPlayers = 3;
inline constexpr int kMaxPlayers = 8;
inline constexpr int kMaxCards = 13;  // of a hand
inline constexpr int kBidBase = kCards;
inline constexpr int kActions = kCards + kMaxCards + 1;
inline constexpr int kNoTrump = 4;  // the fifth of the trumps
inline constexpr int kTrumps = 5;
inline constexpr int kNoBid = -1;
inline constexpr int kSeatView = 256;  // floats of what a seat sees
// Behind it the hands of the other seats, 52 for each, where they are open.
inline constexpr int kObservation = kSeatView + kCards * (kMaxPlayers - 1);
inline constexpr int kMadePoints = 10;  // for exactly the bid, beside the bid itself
// A score of s is worth s / kScoreScale - 1.
inline constexpr float kScoreScale = 11.5F;

using Cards = uint64_t;  // bit c is card c
inline constexpr Cards kAllCards = (Cards{1} << kCards) - 1;
inline constexpr Cards kSuitMask = (Cards{1} << kRanks) - 1;
constexpr Cards suit_cards(int suit) { return kSuitMask << (kRanks * suit); }
constexpr int suit_of(int card) { return card / kRanks; }
constexpr int rank_of(int card) { return card % kRanks; }
constexpr int most_cards(int players) {
  return kCards / players < kMaxCards ? kCards / players : kMaxCards;
}

enum class Phase : uint8_t { deal = 0, bid = 1, play = 2, over = 3 };

// Everything that happens in a round, and what remains of those before it. Unused seats hold 0 and
// kNoBid, so that equal positions are equal bytes.
struct State {
  std::array<Cards, kMaxPlayers> hands;    // cards held
  Cards seen;                              // cards played in this round, the current trick included
  std::array<int16_t, kMaxPlayers> total;  // points of the rounds that are over
  std::array<uint8_t, kMaxPlayers> trick;  // cards of the trick in the order played
  std::array<int8_t, kMaxPlayers> bids;    // kNoBid before
  std::array<uint8_t, kMaxPlayers> won;    // tricks taken
  std::array<uint8_t, kMaxPlayers> voids;  // bit s: everybody has seen that this seat lacks suit s
  uint8_t players;                         // 0 before the first deal
  uint8_t cards;                           // dealt to each
  uint8_t dealer;
  uint8_t trump;   // suit, or kNoTrump
  uint8_t leader;  // of the current trick
  uint8_t trick_size;
  uint8_t seat;   // to move
  uint8_t round;  // of the game, from 0
  Phase phase;
  std::array<uint8_t, 7> unused;
  std::array<Cards, 3> by;  // who played the cards seen: bit c of by[k] is bit k of the seat
};
static_assert(sizeof(State) == 160);

inline int next_seat(const State& state, int seat) {
  return seat + 1 == state.players ? 0 : seat + 1;
}
// Cards that a seat has played in this round.
inline Cards played_by(const State& state, int seat) {
  Cards played = state.seen;
  for (int plane = 0; plane < 3; ++plane) {
    const Cards ones = state.by[static_cast<size_t>(plane)];
    played &= (seat >> plane & 1) != 0 ? ones : ~ones;
  }
  return played;
}

// What a deal number says beside the hands.
struct Setup {
  int players;
  int cards;
  int dealer;
  int trump;
};
inline constexpr int kSetups = 1430;  // over 3..8 players, 1..most_cards, dealers, trumps
inline constexpr int kShuffles = 1'500'000;
inline constexpr int kDeals = kSetups * kShuffles;
int setup_index(const Setup& setup);
Setup setup_at(int index);
constexpr int deal_number(int setup, int shuffle) { return shuffle * kSetups + setup; }
// The hands of a deal number, by seat.
std::array<Cards, kMaxPlayers> deal_hands(int deal);

// What is drawn, and the one rule that tables differ in. From text such as
// "players=4:15/5:70/6:15,cards=1-7,play=rounds,highest=7,trumps=shcdn,dealer=bound":
//   players  5, 4-6, or numbers with weights                     (default 4:15/5:70/6:15)
//   play     rounds: each is a game by itself; games: whole ones (default rounds)
//   cards    of a round, 5, 1-7, or numbers with weights; those too many for the players are left
//            out (default 1-7; play=rounds only)
//   highest  most cards of a game, no more than the deck has     (default 7; play=games only)
//   trumps   in games the order from the first round on, in rounds those that are drawn
//            (default shcdn)
//   dealer   bound or free: may the dealer make the bids sum to the cards? (default bound)
struct Options {
  std::array<double, kMaxPlayers + 1> players{};  // weight by number
  std::array<double, kMaxCards + 1> cards{};      // weight by number
  bool games = false;
  int highest = 7;
  std::vector<int> trumps;
  bool dealer_bound = true;

  // Throws InputError naming the option and what it may be.
  static Options parse(const std::string& text);
};

// Cards of each round of a game.
std::vector<int> rounds_of(int players, int highest);

// The seat whose card takes the trick that is being played.
int winning_seat(const State& state);
// The bid that the dealer may not make when it bids; kNoBid where every bid is free.
int forbidden_bid(const State& state, bool dealer_bound);
// Cards that the seat to move may play.
Cards playable(const State& state);
// Points of a seat in a round that is over.
inline int round_points(const State& state, int seat) {
  const auto s = static_cast<size_t>(seat);
  return state.won[s] == state.bids[s] ? kMadePoints + state.bids[s] : 0;
}

// What a seat sees, kObservation floats; zeros for a seat that nobody sits on.
void observe(const State& state, int seat, bool dealer_bound, float* out);
// The same with all hands open.
void observe_open(const State& state, int seat, bool dealer_bound, float* out);
// Throws InputError, in one sentence, for bytes that are no position under these options.
void validate(const State& state, const Options& options);

// Draws the hands that `seat` cannot see, uniformly from all that fit what everybody has seen: the
// cards played, the sizes of the hands, the suits that seats lack. Returns the draws thrown away.
int sample_world(const State& state, int seat, Stream& stream, State& world);
// Draws them in another way, slower and never in vain.
void count_world(const State& state, int seat, Stream& stream, State& world);
// Draws thrown away by sample_world before it counts.
inline constexpr int kMostRejected = 16;

// Tricks that a hand, as it was dealt, takes on average: a count of high cards and trumps.
double expected_tricks(const State& state, Cards hand);
// Logarithm, up to a constant, of how likely the others would have bid as they did with the hands
// that they were dealt in this world.
double world_evidence(const State& world, int seat, bool dealer_bound);

// Who holds each card that `seat` does not see, as Game::holders has it; possible_holders() knows
// the sizes of the hands and the suits that seats lack. What was not dealt is with the last holder.
void holders(const State& state, int seat, uint8_t* by_card);
void possible_holders(const State& state, int seat, uint8_t* by_card, uint8_t* by_holder);

std::shared_ptr<const Game> make_game(const std::string& options);

}  // namespace ludus::blob
