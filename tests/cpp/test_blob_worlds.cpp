// Worlds of Blob: uniform by enumeration, fitting what a seat saw, and not drawn in vain.
#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "blob_checks.h"
#include "check.h"
#include "games/blob.h"

namespace {

using namespace ludus;
using namespace ludus::blob;

using Hands = std::array<Cards, kMaxPlayers>;

size_t at(int i) { return static_cast<size_t>(i); }

// A position of which `unseen` is hidden from seat 0; sizes and voids are of the seats behind it.
State position(Cards unseen, const std::vector<int>& sizes, const std::vector<int>& voids) {
  State s;
  std::memset(&s, 0, sizeof(State));
  s.players = static_cast<uint8_t>(sizes.size() + 1);
  s.seen = kAllCards & ~unseen;
  Cards left = unseen;
  for (size_t i = 0; i < sizes.size(); ++i) {
    for (int k = 0; k < sizes[i]; ++k, left &= left - 1) s.hands[i + 1] |= left & (~left + 1);
    s.voids[i + 1] = static_cast<uint8_t>(voids[i]);
  }
  return s;
}

// All hands that fit, by trying every card in every place.
void enumerate(const State& s, Cards left, std::array<int, kMaxPlayers> room, Hands hands,
               std::map<Hands, int>& found, int stock) {
  if (left == 0) {
    found[hands] = 0;
    return;
  }
  const Cards card = left & (~left + 1);
  const int suit = suit_of(std::countr_zero(card));
  for (int seat = 1; seat < s.players; ++seat) {
    if (room[at(seat)] == 0 || (s.voids[at(seat)] >> suit & 1) != 0) continue;
    --room[at(seat)];
    hands[at(seat)] |= card;
    enumerate(s, left ^ card, room, hands, found, stock);
    hands[at(seat)] ^= card;
    ++room[at(seat)];
  }
  if (stock > 0) enumerate(s, left ^ card, room, hands, found, stock - 1);
}

struct Pattern {
  const char* name;
  std::array<int, kSuits> unseen;  // cards of each suit, the highest
  std::vector<int> sizes;          // of the hands behind seat 0; the rest is stock
  std::vector<int> voids;
};

const std::vector<Pattern> kPatterns = {
    {"no voids, stock", {2, 2, 2, 1}, {2, 1, 2}, {0, 0, 0}},
    {"one seat", {3, 2, 2, 1}, {2, 2, 2}, {1, 0, 0}},
    {"two seats alike", {3, 2, 2, 1}, {2, 1, 2}, {1, 1, 0}},
    {"alike, no stock", {2, 3, 2, 1}, {3, 2, 3}, {1, 1, 0}},
    {"nested", {3, 2, 2, 1}, {2, 2, 1}, {1, 3, 0}},
    {"nested thrice", {2, 2, 3, 3}, {2, 2, 2}, {1, 3, 7}},
    {"crossing", {3, 2, 2, 1}, {2, 2, 1}, {1, 2, 0}},
    {"crossing, no stock", {2, 2, 2, 1}, {3, 2, 2}, {1, 2, 4}},
    {"crossing thrice", {2, 2, 2, 2}, {2, 2, 2}, {3, 6, 12}},
    {"disjoint", {3, 3, 1, 1}, {2, 2, 2}, {3, 12, 0}},
    {"just enough cards", {2, 3, 2, 2}, {5, 2, 1}, {1, 13, 2}},
    {"one way for one", {3, 3, 2, 1}, {1, 2, 2}, {7, 3, 1}},
    {"four others", {2, 2, 2, 1}, {1, 1, 2, 1}, {1, 2, 4, 9}},
    {"four others, two groups", {2, 2, 2, 2}, {1, 1, 1, 2}, {5, 10, 5, 10}},
    {"two others", {3, 3, 2, 1}, {3, 3}, {1, 2}},
};

void worlds_are_uniform() {
  for (const Pattern& pattern : kPatterns) {
    Cards unseen = 0;
    for (int suit = 0; suit < kSuits; ++suit)
      for (int i = 0; i < pattern.unseen[at(suit)]; ++i)
        unseen |= Cards{1} << (kRanks * suit + kRanks - 1 - i);
    const State s = position(unseen, pattern.sizes, pattern.voids);
    std::array<int, kMaxPlayers> room{};
    int stock = std::popcount(unseen);
    for (size_t i = 0; i < pattern.sizes.size(); ++i) stock -= room[i + 1] = pattern.sizes[i];
    std::map<Hands, int> found;
    enumerate(s, unseen, room, {}, found, stock);
    CHECK(found.size() > 1 && found.size() < 6000);
    for (const bool counted : {false, true}) {
      Stream stream(counted ? 3 : 4, Purpose::search);
      for (auto& [hands, count] : found) count = 0;
      const int draws = 40 * static_cast<int>(found.size());
      for (int i = 0; i < draws; ++i) {
        State world;
        if (counted)
          count_world(s, 0, stream, world);
        else
          sample_world(s, 0, stream, world);
        const auto place = found.find(world.hands);
        CHECK(place != found.end());
        ++place->second;
      }
      std::vector<int> counts;
      for (const auto& [hands, count] : found) counts.push_back(count);
      const double off = deviation(
          counts, std::vector<double>(counts.size(), 1.0 / static_cast<double>(counts.size())));
      std::printf("  %-26s %5zu worlds, %s: %+.2f deviations\n", pattern.name, found.size(),
                  counted ? "counted" : "drawn", off);
      CHECK(off < 4.0);
    }
  }
}

// Everything that `seat` saw is as it was; everything else fits.
void check_world(const Game& game, const State& s, int seat, const State& world) {
  State same = world;
  same.hands = s.hands;
  CHECK(std::memcmp(&same, &s, sizeof(State)) == 0);
  CHECK(world.hands[at(seat)] == s.hands[at(seat)]);
  Cards all = s.seen;
  for (int other = 0; other < kMaxPlayers; ++other) {
    const Cards hand = world.hands[at(other)];
    CHECK_EQ(std::popcount(hand), std::popcount(s.hands[at(other)]));
    CHECK((hand & (all | ~kAllCards)) == 0);
    all |= hand;
    for (int suit = 0; suit < kSuits; ++suit)
      CHECK((s.voids[at(other)] >> suit & 1) == 0 || (hand & suit_cards(suit)) == 0);
  }
  game.validate(&world);
  float here[kObservation];
  float there[kObservation];
  game.observe(&s, seat, here);
  game.observe(&world, seat, there);
  CHECK(std::memcmp(here, there, sizeof here) == 0);
  CHECK(game.private_key(&s, seat) == game.private_key(&world, seat));
  if (s.seat != seat || game.kind(&s) != NodeKind::decision) return;
  int32_t legal[kActions];
  int32_t others[kActions];
  const int count = game.legal(&s, legal);
  CHECK_EQ(game.legal(&world, others), count);
  CHECK(std::equal(legal, legal + count, others));
}

// "Rejection does not take 1,700 attempts": draws thrown away over thousands of positions.
void worlds_fit_and_are_not_drawn_in_vain() {
  struct Case {
    const char* spec;
    double mean;  // most draws thrown away on average
  };
  for (const Case& one : {Case{"players=5,cards=5", 0.1}, Case{"players=3-8,cards=1-13", 0.5},
                          Case{"players=4,cards=13", 0.8}, Case{"play=games,players=3", 0.3}}) {
    const auto game = make_game(one.spec);
    Stream stream(21, Purpose::search);
    int worlds = 0;
    int thrown = 0;
    int most = 0;
    int changed = 0;
    for (uint64_t seed = 0; worlds < 6'000; ++seed) {
      Walk walk(*game, seed);
      while (walk.step()) {
        const State& s = walk.state();
        const int seat = static_cast<int>(stream.below(s.players));
        State world;
        const int rejected = sample_world(s, seat, stream, world);
        check_world(*game, s, seat, world);
        changed += world.hands != s.hands;
        thrown += rejected;
        most = std::max(most, rejected);
        ++worlds;
      }
    }
    std::printf("  %-24s %d worlds, %.3f thrown away each, %d at most\n", one.spec, worlds,
                static_cast<double>(thrown) / worlds, most);
    CHECK(most <= kMostRejected);
    CHECK(thrown < one.mean * worlds);
    CHECK(changed > worlds / 4);
  }
}

// The position itself may be the place for the world, and an empty table has one world.
void a_world_may_replace_its_position() {
  const auto game = make_game("players=5,cards=7");
  Walk walk(*game, 3);
  State start = walk.state();
  Stream stream(1, Purpose::search);
  CHECK_EQ(sample_world(start, 0, stream, start), 0);
  CHECK(std::memcmp(&start, &walk.state(), sizeof(State)) == 0);
  for (int i = 0; i < 20; ++i) walk.step();
  State apart;
  State place = walk.state();
  Stream one(2, Purpose::search);
  Stream two(2, Purpose::search);
  sample_world(walk.state(), 1, one, apart);
  sample_world(place, 1, two, place);
  CHECK(std::memcmp(&apart, &place, sizeof(State)) == 0);
}

}  // namespace

int main() {
  worlds_are_uniform();
  worlds_fit_and_are_not_drawn_in_vain();
  a_world_may_replace_its_position();
  std::printf("blob worlds ok\n");
}
