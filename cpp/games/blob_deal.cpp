// Deal numbers of Blob: setups and the hands behind them.
#include <algorithm>
#include <array>
#include <utility>

#include "base/random.h"
#include "games/blob.h"

namespace ludus::blob {

namespace {

constexpr size_t index(int i) { return static_cast<size_t>(i); }

// First setup index of each number of players, and behind it the end.
constexpr std::array<int, kMaxPlayers + 2> first_setups() {
  std::array<int, kMaxPlayers + 2> first{};
  for (int players = kMinPlayers; players <= kMaxPlayers; ++players)
    first[index(players + 1)] = first[index(players)] + players * most_cards(players) * kTrumps;
  return first;
}
constexpr auto kFirstSetup = first_setups();
static_assert(kFirstSetup[kMaxPlayers + 1] == kSetups);

}  // namespace

int setup_index(const Setup& setup) {
  const int cards = most_cards(setup.players);
  return kFirstSetup[index(setup.players)] +
         ((setup.dealer * cards + setup.cards - 1) * kTrumps + setup.trump);
}

Setup setup_at(int setup) {
  int players = kMinPlayers;
  while (setup >= kFirstSetup[index(players + 1)]) ++players;
  int rest = setup - kFirstSetup[index(players)];
  const int trump = rest % kTrumps;
  rest /= kTrumps;
  const int cards = most_cards(players);
  return {players, rest % cards + 1, rest / cards, trump};
}

std::array<Cards, kMaxPlayers> deal_hands(int deal) {
  const Setup setup = setup_at(deal % kSetups);
  Stream stream(static_cast<uint64_t>(deal), Purpose::chance);
  std::array<uint8_t, kCards> deck;
  for (int card = 0; card < kCards; ++card) deck[index(card)] = static_cast<uint8_t>(card);
  std::array<Cards, kMaxPlayers> hands{};
  // The front of a shuffled deck (Fisher and Yates, as by Durstenfeld 1964).
  int next = 0;
  for (int seat = 0; seat < setup.players; ++seat)
    for (int i = 0; i < setup.cards; ++i, ++next) {
      const auto other =
          next + static_cast<int>(stream.below(static_cast<uint32_t>(kCards - next)));
      std::swap(deck[index(next)], deck[index(other)]);
      hands[index(seat)] |= Cards{1} << deck[index(next)];
    }
  return hands;
}

std::vector<int> rounds_of(int players, int highest) {
  const int top = std::min(highest, most_cards(players));
  std::vector<int> cards;
  for (int c = top; c > 1; --c) cards.push_back(c);
  for (int i = 0; i < players; ++i) cards.push_back(1);
  for (int c = 2; c <= top; ++c) cards.push_back(c);
  return cards;
}

}  // namespace ludus::blob
