// Who holds the cards that a seat of Blob does not see: the truth, and what is possible.
#include <algorithm>
#include <bit>

#include "games/blob.h"

namespace ludus::blob {

namespace {

constexpr size_t index(int i) { return static_cast<size_t>(i); }
constexpr int kNobody = kHolders - 1;  // cards that were not dealt
static_assert(kHolders >= kMaxPlayers && kCards <= kMaxHidden);

Cards unseen_by(const State& state, int seat) {
  return kAllCards & ~state.seen & ~state.hands[index(seat)];
}

// Calls f(another seat, its number as a holder).
template <class F>
void each_other(const State& state, int seat, F&& f) {
  for (int other = next_seat(state, seat), holder = 0; other != seat;
       other = next_seat(state, other), ++holder)
    f(other, holder);
}

}  // namespace

void holders(const State& state, int seat, uint8_t* by_card) {
  std::fill_n(by_card, kCards, kNotHidden);
  auto give = [&](Cards cards, int holder) {
    for (; cards != 0; cards &= cards - 1)
      by_card[std::countr_zero(cards)] = static_cast<uint8_t>(holder);
  };
  give(unseen_by(state, seat), kNobody);
  each_other(state, seat, [&](int other, int holder) { give(state.hands[index(other)], holder); });
}

void possible_holders(const State& state, int seat, uint8_t* by_card, uint8_t* by_holder) {
  std::fill_n(by_card, kCards, uint8_t{0});
  std::fill_n(by_holder, kHolders, uint8_t{0});
  const Cards unseen = unseen_by(state, seat);
  int rest = std::popcount(unseen);
  auto open = [&](Cards cards, int count, int holder) {
    by_holder[holder] = static_cast<uint8_t>(count);
    rest -= count;
    if (count == 0) return;
    for (; cards != 0; cards &= cards - 1)
      by_card[std::countr_zero(cards)] |= static_cast<uint8_t>(1U << holder);
  };
  each_other(state, seat, [&](int other, int holder) {
    Cards allowed = unseen;
    for (int suit = 0; suit < kSuits; ++suit)
      if ((state.voids[index(other)] >> suit & 1) != 0) allowed &= ~suit_cards(suit);
    open(allowed, std::popcount(state.hands[index(other)]), holder);
  });
  open(unseen, rest, kNobody);
}

}  // namespace ludus::blob
