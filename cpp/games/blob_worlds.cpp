// Worlds of Blob: hands that fit what a seat has seen, drawn uniformly.
//
// Of the hands that a seat cannot see, everybody knows the sizes and the suits that they lack.
// Seats without a known void and the stock share what the others leave, in as many ways whatever
// that is, so all the art is in the seats with voids. Those with the same voids form a group: one
// larger hand, divided by lot.
//
// A draw gives the groups, those with the least choice first, a uniform subset of what is left of
// their suits. A single group is thereby exact. Of several, a draw is worth the product of the ways
// that each had, and is accepted with that product over its highest value: a group has most ways
// when those before it took all they could from elsewhere. Where that fails too often, the numbers
// of cards of each suit are counted: a group that takes n of the r cards left of a suit can do so
// in C(r, n) ways, and a sum of such products over all groups is exact.
#include <algorithm>
#include <array>
#include <bit>
#include <map>

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

// Seats with the same voids.
struct Group {
  int voids;
  int count;      // cards that they hold
  Cards allowed;  // what they may hold
  int most;       // most cards that can be left of those when their turn comes
};

// What is hidden from a seat.
class Hidden {
 public:
  Hidden(const State& state, int seat) : state_(state), seat_(seat) {
    unseen_ = kAllCards & ~state.seen & ~state.hands[index(seat)];
    for (int other = 0; other < state.players; ++other) {
      const int voids = state.voids[index(other)];
      if (other == seat || voids == 0 || state.hands[index(other)] == 0) continue;
      add(voids, std::popcount(state.hands[index(other)]));
    }
    for (int i = 0; i < groups_; ++i) {
      Group& own = group_[index(i)];
      own.most = std::popcount(own.allowed);
      for (int j = 0; j < i; ++j) {
        const Group& before = group_[index(j)];
        own.most -= std::max(0, before.count - std::popcount(before.allowed & ~own.allowed));
      }
    }
  }

  // Whether a draw was accepted; the hands are those of the world then.
  bool draw(Stream& stream, State& world) const {
    Cards left = unseen_;
    std::array<Cards, kMaxPlayers> taken;
    double ways = 1.0;
    for (int i = 0; i < groups_; ++i) {
      const Group& own = group_[index(i)];
      const Cards choice = own.allowed & left;
      const int size = std::popcount(choice);
      if (size < own.count) return false;
      // Ways to choose from `size` cards over those to choose from `most`.
      for (int k = 0; size != own.most && k < own.count; ++k)
        ways *= static_cast<double>(size - k) / static_cast<double>(own.most - k);
      taken[index(i)] = Deck(choice).draw(own.count, stream);
      left &= ~taken[index(i)];
    }
    if (ways < 1.0 && stream.uniform() >= ways) return false;
    deal(taken, left, stream, world);
    return true;
  }

  // The same by counting.
  void count(Stream& stream, State& world) const {
    Counts rest;
    for (int suit = 0; suit < kSuits; ++suit)
      rest[index(suit)] = static_cast<uint8_t>(std::popcount(unseen_ & suit_cards(suit)));
    Memory memory;
    Cards left = unseen_;
    std::array<Cards, kMaxPlayers> taken{};
    for (int i = 0; i < groups_; ++i) {
      double u = stream.uniform() * ways(i, rest, memory);
      Counts chosen{};
      each_split(group_[index(i)], rest, [&](const Counts& split, double own) {
        if (u < 0.0) return;
        const double share = own > 0.0 ? own * ways(i + 1, minus(rest, split), memory) : 0.0;
        if (share <= 0.0) return;
        chosen = split;  // the last possible one stays, should rounding leave u above 0
        u -= share;
      });
      for (int suit = 0; suit < kSuits; ++suit)
        taken[index(i)] |= Deck(left & suit_cards(suit)).draw(chosen[index(suit)], stream);
      left &= ~taken[index(i)];
      rest = minus(rest, chosen);
    }
    deal(taken, left, stream, world);
  }

 private:
  using Counts = std::array<uint8_t, kSuits>;  // cards of each suit
  using Memory = std::array<std::map<Counts, double>, kMaxPlayers>;

  void add(int voids, int count) {
    for (int i = 0; i < groups_; ++i)
      if (group_[index(i)].voids == voids) {
        group_[index(i)].count += count;
        return;
      }
    Cards allowed = unseen_;
    for (int suit = 0; suit < kSuits; ++suit)
      if ((voids >> suit & 1) != 0) allowed &= ~suit_cards(suit);
    // Kept in order, those with the least choice first.
    int place = groups_++;
    for (; place > 0 && std::popcount(group_[index(place - 1)].allowed) > std::popcount(allowed);
         --place)
      group_[index(place)] = group_[index(place - 1)];
    group_[index(place)] = {voids, count, allowed, 0};
  }

  static Counts minus(const Counts& from, const Counts& what) {
    Counts rest;
    for (size_t suit = 0; suit < kSuits; ++suit)
      rest[suit] = static_cast<uint8_t>(from[suit] - what[suit]);
    return rest;
  }
  static double choose(int n, int k) {
    double product = 1.0;
    for (int i = 1; i <= k; ++i) product = product * (n - k + i) / i;
    return product;
  }
  // Calls f(numbers of cards by suit, ways to take those) for all that a group can take.
  template <class F>
  static void each_split(const Group& group, const Counts& rest, F&& f) {
    Counts most = rest;
    for (int suit = 0; suit < kSuits; ++suit)
      if ((group.voids >> suit & 1) != 0) most[index(suit)] = 0;
    for (int a = 0; a <= std::min<int>(group.count, most[0]); ++a)
      for (int b = 0; b <= std::min<int>(group.count - a, most[1]); ++b)
        for (int c = 0; c <= std::min<int>(group.count - a - b, most[2]); ++c) {
          const int d = group.count - a - b - c;
          if (d > most[3]) continue;
          f(Counts{static_cast<uint8_t>(a), static_cast<uint8_t>(b), static_cast<uint8_t>(c),
                   static_cast<uint8_t>(d)},
            choose(rest[0], a) * choose(rest[1], b) * choose(rest[2], c) * choose(rest[3], d));
        }
  }
  // In how many ways the groups from `first` on can be served from the rest.
  double ways(int first, const Counts& rest, Memory& memory) const {
    if (first == groups_) return 1.0;
    std::map<Counts, double>& known = memory[index(first)];
    if (const auto found = known.find(rest); found != known.end()) return found->second;
    double sum = 0.0;
    each_split(group_[index(first)], rest, [&](const Counts& split, double own) {
      sum += own * ways(first + 1, minus(rest, split), memory);
    });
    known[rest] = sum;
    return sum;
  }

  // Divides what the groups took among their seats, and what is left among the others.
  void deal(const std::array<Cards, kMaxPlayers>& taken, Cards left, Stream& stream,
            State& world) const {
    for (int i = 0; i < groups_; ++i) {
      Deck deck(taken[index(i)]);
      int rest = group_[index(i)].count;
      for (int other = 0; rest > 0; ++other) {
        if (other == seat_ || state_.voids[index(other)] != group_[index(i)].voids) continue;
        const int size = std::popcount(state_.hands[index(other)]);
        const bool all = size == rest;
        world.hands[index(other)] =
            all && size == group_[index(i)].count ? taken[index(i)] : deck.draw(size, stream);
        rest -= size;
      }
    }
    Deck deck(left);
    for (int other = 0; other < state_.players; ++other)
      if (other != seat_ && state_.voids[index(other)] == 0)
        world.hands[index(other)] = deck.draw(std::popcount(state_.hands[index(other)]), stream);
  }

  const State& state_;
  int seat_;
  Cards unseen_;
  std::array<Group, kMaxPlayers> group_;
  int groups_ = 0;
};

}  // namespace

int sample_world(const State& state, int seat, Stream& stream, State& world) {
  // The position is read while hands are written: `world` may be the position itself.
  const State from = state;
  const Hidden hidden(from, seat);
  world = from;
  for (int rejected = 0; rejected < kMostRejected; ++rejected)
    if (hidden.draw(stream, world)) return rejected;
  hidden.count(stream, world);
  return kMostRejected;
}

void count_world(const State& state, int seat, Stream& stream, State& world) {
  const State from = state;
  world = from;
  Hidden(from, seat).count(stream, world);
}

}  // namespace ludus::blob
