// Worlds of Blob: hands that fit what a seat has seen, drawn uniformly.
//
// Seats that are known to lack a suit get their cards first, each a uniform subset of what it may
// have; the others and the stock share the rest, in how many ways does not depend on what was
// taken. The first of the constrained seats is thereby exact. Of several, a draw is worth the
// product of the ways that each had, and is accepted with that product over its highest value: a
// seat has most ways when those before it took all they could from elsewhere.
#include <algorithm>
#include <array>
#include <bit>

#include "games/blob.h"

namespace ludus::blob {

namespace {

constexpr size_t index(int i) { return static_cast<size_t>(i); }

// Cards of a set in an array, of which any number can be drawn.
class Deck {
 public:
  explicit Deck(Cards cards) {
    for (; cards != 0; cards &= cards - 1)
      cards_[index(size_++)] = static_cast<uint8_t>(std::countr_zero(cards));
  }
  Cards draw(int count, Stream& stream) {
    Cards drawn = 0;
    for (int i = 0; i < count; ++i) {
      const auto at = stream.below(static_cast<uint32_t>(size_));
      drawn |= Cards{1} << cards_[at];
      cards_[at] = cards_[index(--size_)];
    }
    return drawn;
  }

 private:
  std::array<uint8_t, kCards> cards_;
  int size_ = 0;
};

// A seat that lacks suits.
struct Bound {
  int seat;
  int count;      // cards that it holds
  Cards allowed;  // what it may hold
  int most;       // most cards that can be left of those when its turn comes
};

// Ways to choose k of n over ways to choose k of m, n <= m.
double share(int n, int m, int k) {
  double product = 1.0;
  for (int i = 0; i < k; ++i) product *= static_cast<double>(n - i) / static_cast<double>(m - i);
  return product;
}

}  // namespace

int sample_world(const State& state, int seat, Stream& stream, State& world) {
  world = state;
  const Cards unseen = kAllCards & ~state.seen & ~state.hands[index(seat)];
  std::array<Bound, kMaxPlayers> bound;
  int bounds = 0;
  for (int other = 0; other < state.players; ++other) {
    if (other == seat || state.voids[index(other)] == 0) continue;
    const int count = std::popcount(state.hands[index(other)]);
    if (count == 0) continue;
    Cards allowed = unseen;
    for (int suit = 0; suit < kSuits; ++suit)
      if ((state.voids[index(other)] >> suit & 1) != 0) allowed &= ~suit_cards(suit);
    // Kept in order, those with the least choice first.
    int place = bounds++;
    for (; place > 0 && std::popcount(bound[index(place - 1)].allowed) > std::popcount(allowed);
         --place)
      bound[index(place)] = bound[index(place - 1)];
    bound[index(place)] = {other, count, allowed, 0};
  }
  for (int i = 0; i < bounds; ++i) {
    Bound& own = bound[index(i)];
    own.most = std::popcount(own.allowed);
    for (int j = 0; j < i; ++j) {
      const Bound& before = bound[index(j)];
      own.most -= std::max(0, before.count - std::popcount(before.allowed & ~own.allowed));
    }
  }
  for (int rejected = 0;; ++rejected) {
    Cards left = unseen;
    double ways = 1.0;
    for (int i = 0; i < bounds && ways > 0.0; ++i) {
      const Bound& own = bound[index(i)];
      const Cards choice = own.allowed & left;
      const int size = std::popcount(choice);
      ways *= size < own.count ? 0.0 : share(size, own.most, own.count);
      if (ways <= 0.0) break;
      const Cards hand = Deck(choice).draw(own.count, stream);
      world.hands[index(own.seat)] = hand;
      left &= ~hand;
    }
    if (ways <= 0.0 || (ways < 1.0 && stream.uniform() >= ways)) continue;
    Deck rest(left);
    for (int other = 0; other < state.players; ++other)
      if (other != seat && state.voids[index(other)] == 0)
        world.hands[index(other)] = rest.draw(std::popcount(state.hands[index(other)]), stream);
    return rejected;
  }
}

}  // namespace ludus::blob
