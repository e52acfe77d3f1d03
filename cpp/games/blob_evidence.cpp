// What the bids of Blob say about the hands behind them.
//
// A bid is taken for the tricks that a seat expected, with an error: given a hand, the probability
// of a bid is a normal density around the expected number of tricks, over the bids that there were.
// Whoever bid high is thereby more likely to hold trumps and aces, and nobody must.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "base/softmax.h"
#include "games/blob.h"

namespace ludus::blob {

namespace {

constexpr size_t index(int i) { return static_cast<size_t>(i); }

// Least squares of the tricks taken on what a hand has, over 96,000 hands of 3 to 8 players with 1
// to 13 cards in games of players that bid by this very count, in its fourth round
// (tests/cpp/test_blob_evidence.cpp looks how it fits other players).
constexpr double kBase = -0.392;
constexpr double kShare = 0.436;        // of cards / players, the tricks that a seat has coming
constexpr double kTrumpLength = 0.440;  // of each trump
constexpr double kTrumpHigh = 0.771;    // of each trump that nothing out beats
constexpr double kSideHigh = 0.278;     // of each other card that nothing out of its suit beats
constexpr double kSideSafe = 0.326;     // and more where all others must follow suit
constexpr double kNoTrumpHigh = 1.025;  // of each card that nothing out beats, without a trump
// Standard deviation of the tricks taken around this count is that of cards / players, times:
constexpr double kSpread = 0.72;

double power(double base, int exponent) {
  double product = 1.0;
  for (int i = 0; i < exponent; ++i) product *= base;
  return product;
}

}  // namespace

double expected_tricks(const State& state, Cards hand) {
  const int others = state.players - 1;
  // The share of the cards that this seat does not hold which others were dealt.
  const double held = static_cast<double>(others * state.cards) / (kCards - state.cards);
  std::array<double, kRanks> unbeaten;  // by higher cards elsewhere: the chance that none was dealt
  unbeaten[0] = 1.0;
  for (size_t higher = 1; higher < kRanks; ++higher)
    unbeaten[higher] = unbeaten[higher - 1] * (1.0 - held);
  double tricks = kBase + kShare * state.cards / state.players;
  for (int suit = 0; suit < kSuits; ++suit) {
    const Cards own = hand & suit_cards(suit);
    if (own == 0) continue;
    const int length = std::popcount(own);
    double high = 0.0;
    int above = 0;  // cards of the hand above this one
    for (Cards left = own; left != 0; ++above) {
      const int card = 63 - std::countl_zero(left);
      high += unbeaten[index(kRanks - 1 - rank_of(card) - above)];
      left ^= Cards{1} << card;
    }
    if (state.trump == kNoTrump) {
      tricks += kNoTrumpHigh * high;
    } else if (suit == state.trump) {
      tricks += kTrumpLength * length + kTrumpHigh * high;
    } else {
      const double lacks =
          power(1.0 - static_cast<double>(kRanks - length) / (kCards - state.cards), state.cards);
      tricks += high * (kSideHigh + kSideSafe * power(1.0 - lacks, others));
    }
  }
  return tricks;
}

double world_evidence(const State& world, int seat, bool dealer_bound) {
  int sum = 0;
  bool all = true;
  for (int other = 0; other < world.players; ++other) {
    const int bid = world.bids[index(other)];
    if (other == world.dealer) continue;
    all = all && bid != kNoBid;
    sum += bid;
  }
  const double variance = kSpread * kSpread * world.cards / world.players;
  double likelihood = 1.0;
  for (int other = 0; other < world.players; ++other) {
    const int bid = world.bids[index(other)];
    if (other == seat || bid == kNoBid) continue;
    const double expected =
        expected_tricks(world, world.hands[index(other)] | played_by(world, other));
    const int forbidden = dealer_bound && all && other == world.dealer ? world.cards - sum : kNoBid;
    std::array<float, padded(kMaxCards + 1)> logits;
    std::array<float, padded(kMaxCards + 1)> shares;
    int choices = 0;
    int made = 0;
    for (int choice = 0; choice <= world.cards; ++choice) {
      if (choice == forbidden) continue;
      if (choice == bid) made = choices;
      const double off = choice - expected;
      logits[index(choices++)] = static_cast<float>(-0.5 * off * off / variance);
    }
    softmax(logits.data(), choices, shares.data());
    // Nobody is sure of what another would do: no world is ruled out by a bid.
    constexpr double kSurprise = 0.01;
    likelihood *= (1.0 - kSurprise) * shares[index(made)] + kSurprise / choices;
  }
  return std::log(likelihood);
}

}  // namespace ludus::blob
