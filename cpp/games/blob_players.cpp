#include "games/blob_players.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace ludus::blob {

namespace {

constexpr size_t index(int i) { return static_cast<size_t>(i); }

// Multiplications only, so that every machine gets the same bits.
double power(double base, int exponent) {
  double product = 1.0;
  for (; exponent > 0; exponent >>= 1, base *= base)
    if ((exponent & 1) != 0) product *= base;
  return product;
}

// From 0 to 1, a half at 0.
double slope(double x) { return 0.5 + 0.5 * x / std::sqrt(1.0 + x * x); }

Cards above(int card) { return suit_cards(suit_of(card)) & ~((Cards{2} << card) - 1); }

// What a card is worth in the tricks that are to come, with the lead and without it.
struct Worth {
  double wins[2];
  double falls[2];
  double last[2];  // as the only card left, whatever is wanted
};

class Rules {
 public:
  Rules(const View& view, const RuleConstants& constants) : v_(view), k_(constants) {
    int held = 0;
    for (int seat = 0; seat < v_.players; ++seat)
      if (seat != v_.seat) held += v_.held[index(seat)];
    const int unseen = std::popcount(v_.unseen);
    density_ = unseen > 0 ? static_cast<double>(held) / unseen : 0.0;
  }

  int bid() const {
    const Reckoning& k = k_.bid;
    const int cards = v_.cards;
    int made = 0;
    int bidders = 0;
    for (int seat = 0; seat < v_.players; ++seat) {
      if (v_.bids[index(seat)] == kNoBid) continue;
      made += v_.bids[index(seat)];
      ++bidders;
    }
    const int waiting = v_.players - bidders - 1;
    const double expected = made + k_.others_bid * waiting * cards / v_.players;
    const int forbidden = waiting == 0 ? cards - made : kNoBid;
    const bool leads = bidders == 0;
    double wins = 0.0;
    double falls = 0.0;
    double last = 0.0;
    for (Cards left = v_.hand; left != 0; left &= left - 1) {
      const Worth worth = worth_of(std::countr_zero(left), cards, k);
      wins += worth.wins[leads];
      falls += worth.falls[leads];
      last = worth.last[leads];
    }
    const double width = k.width + k.width_card * cards;
    int best = kNoBid;
    double highest = -1.0;
    for (int bid = 0; bid <= cards; ++bid) {
      if (bid == forbidden) continue;
      const double crowd = expected + bid - cards;
      const double chance =
          cards == 1 ? (bid == 1 ? last : 1.0 - last)
                     : slope((wins - k.crowd_wins * crowd - bid + k.above) / width) *
                           slope((bid - falls + k.crowd_falls * crowd + k.below) / width);
      const double value = chance * (kMadePoints + bid);
      if (value > highest) {
        highest = value;
        best = bid;
      }
    }
    return kBidBase + best;
  }

  int card() const {
    Cards choice = v_.hand;
    if (v_.trick_size > 0) {
      const Cards follow = choice & suit_cards(suit_of(v_.trick[0]));
      if (follow != 0) choice = follow;
    }
    if ((choice & (choice - 1)) == 0) return std::countr_zero(choice);
    const Reckoning& k = k_.play;
    const int after = std::popcount(v_.hand) - 1;  // cards left behind this trick
    const int need = v_.bids[index(v_.seat)] - v_.won[index(v_.seat)];
    double crowd = -after;
    for (int seat = 0; seat < v_.players; ++seat)
      if (seat != v_.seat) crowd += std::max(0, v_.bids[index(seat)] - v_.won[index(seat)]);
    std::array<Worth, kMaxCards> worths;
    double wins[2] = {0.0, 0.0};
    double falls[2] = {0.0, 0.0};
    double lasts[2] = {0.0, 0.0};
    int count = 0;
    for (Cards left = v_.hand; left != 0; left &= left - 1) {
      const Worth& worth = worths[index(count++)] = worth_of(std::countr_zero(left), after, k);
      for (int lead = 0; lead < 2; ++lead) {
        wins[lead] += worth.wins[lead];
        falls[lead] += worth.falls[lead];
        lasts[lead] += worth.last[lead];
      }
    }
    const Cards beaten = beaten_by_trick();
    int best = -1;
    double highest = -1.0;
    count = -1;
    for (Cards left = v_.hand; left != 0; left &= left - 1) {
      ++count;
      const int card = std::countr_zero(left);
      if ((choice >> card & 1) == 0) continue;
      const Worth& worth = worths[index(count)];
      const double takes = (beaten >> card & 1) != 0 ? 0.0 : chance_to_hold(card);
      double value = 0.0;
      for (int lead = 0; lead < 2; ++lead) {
        const double chance = lead != 0 ? takes : 1.0 - takes;
        if (chance <= 0.0) continue;
        const int wanted = need - lead;
        if (wanted < 0 || wanted > after) continue;
        double made = 1.0;
        if (after == 1) {
          const double last = lasts[lead] - worth.last[lead];
          made = wanted == 1 ? last : 1.0 - last;
        } else if (after > 1) {
          const double width = k.width + k.width_card * after;
          const double excess = crowd + wanted;
          made =
              slope((wins[lead] - worth.wins[lead] - k.crowd_wins * excess - wanted + k.above) /
                    width) *
              slope((wanted - falls[lead] + worth.falls[lead] + k.crowd_falls * excess + k.below) /
                    width);
        }
        value += chance * made;
      }
      if (value > highest) {
        highest = value;
        best = card;
      }
    }
    return best;
  }

 private:
  // `cards`: of the hand in the tricks that are reckoned.
  Worth worth_of(int card, int cards, const Reckoning& k) const {
    const int suit = suit_of(card);
    const int higher = std::popcount(v_.unseen & above(card));
    Worth worth;
    if (suit == v_.trump) {
      double gain = 0.0;
      for (int other = 0; other < kSuits; ++other) {
        if (other == suit) continue;
        const int length = std::popcount(v_.hand & suit_cards(other));
        gain += length == 0 ? k.ruffs : length == 1 ? 0.5 * k.ruffs : 0.0;
      }
      const double wins = power(std::max(0.0, 1.0 - k.trump_wins * density_), higher);
      const double falls = power(std::max(0.0, 1.0 - k.trump_falls * density_), higher);
      const double ruff = std::min(1.0, gain);
      worth.wins[0] = worth.wins[1] = wins + (1.0 - wins) * ruff * density_;
      worth.falls[0] = worth.falls[1] = falls;
      worth.last[0] = worth.last[1] = power(1.0 - density_, higher);
      return worth;
    }
    const double safe = unruffed(suit, k);
    const double wins = safe * power(std::max(0.0, 1.0 - k.side_wins * density_), higher);
    const double falls = safe * power(std::max(0.0, 1.0 - k.side_falls * density_), higher);
    const double last = safe * power(1.0 - density_, higher);
    worth.wins[1] = wins;
    worth.falls[1] = falls;
    worth.last[1] = last;
    worth.wins[0] = wins * std::max(0.0, 1.0 - k.behind_wins / std::max(1, cards));
    worth.falls[0] = falls * std::max(0.0, 1.0 - k.behind_falls / std::max(1, cards));
    worth.last[0] = last * k.last_led;
    return worth;
  }

  // Chance that nobody trumps a trick of this suit.
  double unruffed(int suit, const Reckoning& k) const {
    if (v_.trump == kNoTrump) return 1.0;
    const int others = v_.players - 1;
    const double trumps = density_ * std::popcount(v_.unseen & suit_cards(v_.trump)) / others;
    const double length = density_ * std::popcount(v_.unseen & suit_cards(suit)) / others;
    const double lacks = 1.0 / ((1.0 + length) * (1.0 + length));
    return power(std::max(0.0, 1.0 - k.ruffed * lacks * trumps / (1.0 + trumps)), others);
  }

  // Cards of the hand that cannot take the trick as it lies.
  Cards beaten_by_trick() const {
    if (v_.trick_size == 0) return 0;
    int winner = v_.trick[0];
    for (int i = 1; i < v_.trick_size; ++i) {
      const int card = v_.trick[index(i)];
      if (suit_of(card) == suit_of(winner) ? card > winner : suit_of(card) == v_.trump)
        winner = card;
    }
    Cards beats = above(winner);
    if (suit_of(winner) != v_.trump && v_.trump != kNoTrump) beats |= suit_cards(v_.trump);
    return ~beats;
  }

  // Chance that a card which takes the trick so far is not beaten by the seats that follow.
  double chance_to_hold(int card) const {
    const int led = v_.trick_size > 0 ? suit_of(v_.trick[0]) : suit_of(card);
    const int behind = v_.players - 1 - v_.trick_size;
    const bool trumped = suit_of(card) == v_.trump;
    double holds = 1.0;
    int seat = v_.seat;
    for (int i = 0; i < behind; ++i) {
      seat = seat + 1 == v_.players ? 0 : seat + 1;
      Cards possible = v_.unseen;
      const int voids = v_.voids[index(seat)];
      for (int suit = 0; suit < kSuits; ++suit)
        if ((voids >> suit & 1) != 0) possible &= ~suit_cards(suit);
      const int size = std::popcount(possible);
      if (size == 0) continue;
      const double q = std::min(1.0, static_cast<double>(v_.held[index(seat)]) / size);
      const bool wants = v_.bids[index(seat)] > v_.won[index(seat)];
      const double wish = wants ? k_.takes : k_.takes_not;
      const Cards suit = possible & suit_cards(led);
      const int length = std::popcount(suit);
      const int higher = trumped && led != v_.trump ? 0 : std::popcount(suit & above(card));
      const double lacks = power(1.0 - q, length);
      const double none_higher = power(1.0 - q, higher);
      // All that it has of the suit is higher: it must take the trick.
      const double forced = (1.0 - none_higher) * power(1.0 - q, length - higher);
      double beats = wish * (1.0 - none_higher) + (1.0 - wish) * forced;
      if (v_.trump != kNoTrump && led != v_.trump) {
        const Cards trumps = possible & suit_cards(v_.trump);
        const Cards over = trumped ? trumps & above(card) : trumps;
        beats += lacks * wish * (1.0 - power(1.0 - q, std::popcount(over)));
      }
      holds *= std::max(0.0, 1.0 - beats);
    }
    return holds;
  }

  const View& v_;
  const RuleConstants& k_;
  double density_;  // share of the unseen cards that is in hands
};

}  // namespace

View view_of(const State& state) {
  View view{};
  view.seat = state.seat;
  view.hand = state.hands[state.seat];
  view.unseen = kAllCards & ~state.seen & ~view.hand;
  for (int seat = 0; seat < state.players; ++seat)
    view.held[index(seat)] = static_cast<uint8_t>(std::popcount(state.hands[index(seat)]));
  view.voids = state.voids;
  view.trick = state.trick;
  view.bids = state.bids;
  view.won = state.won;
  view.players = state.players;
  view.cards = state.cards;
  view.dealer = state.dealer;
  view.trump = state.trump;
  view.leader = state.leader;
  view.trick_size = state.trick_size;
  return view;
}

int rules_action(const View& view, const RuleConstants& constants) {
  const Rules rules(view, constants);
  return view.bids[index(view.seat)] == kNoBid ? rules.bid() : rules.card();
}

int rules_action(const State& state, const RuleConstants& constants) {
  return rules_action(view_of(state), constants);
}

}  // namespace ludus::blob
