// What bids say about hidden hands, in rounds of players that bid by another count.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "blob_checks.h"
#include "check.h"
#include "games/blob.h"
#include "games/blob_players.h"

namespace {

using namespace ludus;
using namespace ludus::blob;

size_t at(int i) { return static_cast<size_t>(i); }

// Rounds in which everybody plays by the rules of thumb; visit(position) at each decision.
template <class Visit, class End>
void rounds(const Game& game, uint64_t count, Visit&& visit, End&& end) {
  for (uint64_t seed = 0; seed < count; ++seed) {
    StateBytes bytes;
    game.initial(&bytes);
    game.apply_outcome(&bytes, game.draw(&bytes, seed));
    const State& s = *reinterpret_cast<const State*>(bytes.bytes);
    const State dealt = s;
    while (game.kind(&bytes) == NodeKind::decision) {
      visit(s);
      game.apply(&bytes, rules_action(s));
    }
    end(dealt, s);
  }
}

// The count meets the tricks that hands take: without much bias, and far better than cards /
// players.
void the_count_fits_tricks() {
  for (const char* spec :
       {"players=5,cards=5", "players=4,cards=7", "players=6,cards=3", "players=3,cards=10"}) {
    const auto game = make_game(spec);
    double bias = 0.0;
    double off = 0.0;
    double spread = 0.0;
    int hands = 0;
    rounds(
        *game, 1500, [](const State&) {},
        [&](const State& dealt, const State& over) {
          const double share = static_cast<double>(dealt.cards) / dealt.players;
          for (int seat = 0; seat < dealt.players; ++seat) {
            const double wrong = over.won[at(seat)] - expected_tricks(dealt, dealt.hands[at(seat)]);
            bias += wrong;
            off += wrong * wrong;
            spread += (over.won[at(seat)] - share) * (over.won[at(seat)] - share);
            CHECK((played_by(over, seat) | over.hands[at(seat)]) == dealt.hands[at(seat)]);
            ++hands;
          }
        });
    std::printf("  %-18s bias %+.3f, deviation %.3f of %.3f tricks\n", spec, bias / hands,
                std::sqrt(off / hands), std::sqrt(spread / hands));
    CHECK(std::abs(bias / hands) < 0.2);
    CHECK(off < 0.75 * spread);
  }
}

// Worlds weighted by the bids are nearer to the truth than worlds drawn by the rules alone.
void weighted_worlds_are_nearer_to_the_truth() {
  for (const char* spec : {"players=5,cards=5", "players=4,cards=7", "players=6,cards=3"}) {
    const auto game = make_game(spec);
    Stream stream(5, Purpose::search);
    constexpr int kWorlds = 32;
    double gain = 0.0;
    double cards = 0.0;
    double placed = 0.0;
    double placed_weighted = 0.0;
    double trumps = 0.0;
    double trumps_weighted = 0.0;
    int positions = 0;
    const auto visit = [&](const State& s) {
      if (s.phase != Phase::play || stream.below(5) != 0) return;
      std::vector<State> worlds(kWorlds);
      std::vector<double> weights;
      for (State& world : worlds) {
        sample_world(s, s.seat, stream, world);
        weights.push_back(std::exp(world_evidence(world, s.seat, true)));
      }
      double total = 0.0;
      for (const double weight : weights) total += weight;
      gain += world_evidence(s, s.seat, true) - std::log(total / kWorlds);
      ++positions;
      for (int other = 0; other < s.players; ++other) {
        if (other == s.seat) continue;
        const Cards hand = s.hands[at(other)];
        cards += std::popcount(hand);
        const Cards trump = s.trump == kNoTrump ? 0 : suit_cards(s.trump);
        for (size_t i = 0; i < worlds.size(); ++i) {
          const Cards guess = worlds[i].hands[at(other)];
          const int right = std::popcount(guess & hand);
          const int wrong = std::abs(std::popcount(guess & trump) - std::popcount(hand & trump));
          placed += right / static_cast<double>(kWorlds);
          placed_weighted += right * weights[i] / total;
          trumps += wrong / static_cast<double>(kWorlds);
          trumps_weighted += wrong * weights[i] / total;
        }
      }
    };
    rounds(*game, 500, visit, [](const State&, const State&) {});
    std::printf(
        "  %-18s %+.3f nats; cards placed right %.3f, weighted %.3f; trumps of a hand off by "
        "%.3f, weighted %.3f\n",
        spec, gain / positions, placed / cards, placed_weighted / cards, trumps / positions,
        trumps_weighted / positions);
    CHECK(gain / positions > 0.15);
    CHECK(placed_weighted > 1.02 * placed);
    CHECK(trumps_weighted < 0.93 * trumps);
  }
}

// Before the bids nothing is known; one's own bid says nothing about the others; a higher bid
// speaks for more trumps.
void evidence_is_of_the_others_bids() {
  const auto game = make_game("players=4,cards=5,trumps=s");
  Walk walk(*game, 8);
  walk.step();
  State s = walk.state();
  CHECK_EQ(world_evidence(s, 0, true), 0.0);
  const int bidder = s.seat;
  s.bids[at(bidder)] = 2;
  CHECK_EQ(world_evidence(s, bidder, true), 0.0);
  const int watcher = next_seat(s, bidder);
  const int third = next_seat(s, watcher);
  // The bidder's hand and another one with more of the trumps.
  const Cards strong = Cards{0b1110000000000} | Cards{1} << 20 | Cards{1} << 30;
  const Cards weak = Cards{0b111} << 13 | Cards{0b11} << 26;
  double likelihood[2][6];
  for (int bid = 0; bid <= 5; ++bid)
    for (const bool rich : {false, true}) {
      s.bids[at(bidder)] = static_cast<int8_t>(bid);
      s.hands[at(bidder)] = rich ? strong : weak;
      s.hands[at(third)] = rich ? weak : strong;
      likelihood[rich][bid] = world_evidence(s, watcher, true);
    }
  CHECK(likelihood[1][4] > likelihood[0][4] + 2.0);
  CHECK(likelihood[0][0] > likelihood[1][0] + 2.0);
}

}  // namespace

int main() {
  the_count_fits_tricks();
  weighted_worlds_are_nearer_to_the_truth();
  evidence_is_of_the_others_bids();
  std::printf("blob evidence ok\n");
}
