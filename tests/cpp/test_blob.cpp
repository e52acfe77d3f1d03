// Blob: deal numbers, the course of games, positions from any bytes.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/errors.h"
#include "blob_checks.h"
#include "check.h"
#include "games/blob.h"

namespace {

using namespace ludus;
using namespace ludus::blob;

void every_setup_has_its_number() {
  int number = 0;
  for (int players = kMinPlayers; players <= kMaxPlayers; ++players)
    for (int dealer = 0; dealer < players; ++dealer)
      for (int cards = 1; cards <= most_cards(players); ++cards)
        for (int trump = 0; trump < kTrumps; ++trump, ++number) {
          const Setup setup = setup_at(number);
          CHECK_EQ(setup_index(setup), number);
          CHECK(setup.players == players && setup.dealer == dealer && setup.cards == cards &&
                setup.trump == trump);
          const int last = deal_number(number, kShuffles - 1);
          CHECK(last >= 0 && last < kDeals && last % kSetups == number);
        }
  CHECK_EQ(number, kSetups);
}

// Each card lies in each seat and in the stock as often as chance has it, and so do pairs of cards.
void hands_are_dealt_evenly() {
  for (const Setup& setup : {Setup{5, 5, 2, 1}, Setup{8, 6, 7, 4}, Setup{4, 13, 0, 0}}) {
    constexpr int kDraws = 20'000;
    const int number = setup_index(setup);
    std::vector<int> where(static_cast<size_t>(kCards * (setup.players + 1)));
    std::vector<int> together(2);
    for (int i = 0; i < kDraws; ++i) {
      const auto hands = deal_hands(deal_number(number, i * 71));
      Cards all = 0;
      for (int seat = 0; seat < kMaxPlayers; ++seat) {
        const Cards hand = hands[static_cast<size_t>(seat)];
        CHECK_EQ(std::popcount(hand), seat < setup.players ? setup.cards : 0);
        CHECK((hand & all) == 0 && (hand & ~kAllCards) == 0);
        all |= hand;
        for (int card = 0; card < kCards; ++card)
          where[static_cast<size_t>(card * (setup.players + 1) + seat % kMaxPlayers) %
                where.size()] += seat < setup.players && (hand >> card & 1) != 0;
      }
      const Cards first = hands[0];
      ++together[(first & 3) == 3 ? 1 : 0];
    }
    std::vector<double> expected;
    std::vector<int> counted;
    for (int card = 0; card < kCards; ++card)
      for (int seat = 0; seat < setup.players; ++seat) {
        counted.push_back(where[static_cast<size_t>(card * (setup.players + 1) + seat)]);
        expected.push_back(static_cast<double>(setup.cards) / kCards);
      }
    // Counts of the cells depend on each other a little; their largest deviation does not hide it.
    for (size_t i = 0; i < counted.size(); ++i) {
      const double mean = kDraws * expected[i];
      CHECK(std::abs(counted[i] - mean) < 5.0 * std::sqrt(mean * (1.0 - expected[i])));
    }
    const double both = static_cast<double>(setup.cards * (setup.cards - 1)) / (kCards * 51.0);
    CHECK(deviation(together, {1.0 - both, both}) < 4.5);
  }
}

void deals_are_drawn_as_the_options_say() {
  const auto game = make_game("players=3:1/5:2/8:1,cards=1-7,trumps=shn");
  StateBytes start;
  game->initial(&start);
  std::map<std::string, std::map<int, int>> seen;
  constexpr int kDraws = 40'000;
  for (uint64_t seed = 0; seed < kDraws; ++seed) {
    const int outcome = game->draw(&start, derive_seed(7, Purpose::episode, seed));
    CHECK(game->is_outcome(&start, outcome));
    const Setup setup = setup_at(outcome % kSetups);
    const std::string players = std::to_string(setup.players);
    ++seen["players"][setup.players];
    ++seen["cards of " + players][setup.cards];
    ++seen["dealer of " + players][setup.dealer];
    ++seen["trump of " + players][setup.trump];
    ++seen["shuffle"][outcome / kSetups * 10 / kShuffles];
  }
  const auto fits = [&](const std::string& what, const std::map<int, double>& shares) {
    std::vector<int> counts;
    std::vector<double> expected;
    size_t kinds = 0;
    for (const auto& [value, share] : shares) {
      counts.push_back(seen[what][value]);
      expected.push_back(share);
      ++kinds;
    }
    CHECK_EQ(seen[what].size(), kinds);
    CHECK(deviation(counts, expected) < 4.5);
  };
  const auto evenly = [](int first, int last) {
    std::map<int, double> shares;
    for (int i = first; i <= last; ++i) shares[i] = 1.0 / (last - first + 1);
    return shares;
  };
  fits("players", {{3, 0.25}, {5, 0.5}, {8, 0.25}});
  fits("shuffle", evenly(0, 9));
  for (const int players : {3, 5, 8}) {
    const std::string of = " of " + std::to_string(players);
    fits("cards" + of, evenly(1, std::min(7, most_cards(players))));
    fits("dealer" + of, evenly(0, players - 1));
    fits("trump" + of, {{0, 1.0 / 3}, {1, 1.0 / 3}, {kNoTrump, 1.0 / 3}});
  }
}

// 17 rounds of 5 players with up to 7 cards: cards, trump and dealer of each, and all points kept.
void games_go_through_their_rounds() {
  const auto game = make_game("play=games,players=5,highest=7");
  const std::vector<int> cards = {7, 6, 5, 4, 3, 2, 1, 1, 1, 1, 1, 2, 3, 4, 5, 6, 7};
  CHECK(rounds_of(5, 7) == cards);
  CHECK(rounds_of(8, 13) ==
        (std::vector<int>{6, 5, 4, 3, 2, 1, 1, 1, 1, 1, 1, 1, 1, 2, 3, 4, 5, 6}));
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Walk walk(*game, seed);
    std::vector<int> points(5);
    int first_dealer = -1;
    for (size_t round = 0; round < cards.size(); ++round) {
      CHECK(game->kind(&walk.state()) == NodeKind::chance);
      walk.deal();
      const State& s = walk.state();
      if (round == 0) first_dealer = s.dealer;
      CHECK_EQ(static_cast<int>(s.cards), cards[round]);
      CHECK_EQ(static_cast<int>(s.trump), static_cast<int>(round % 5));
      CHECK_EQ(static_cast<int>(s.dealer), (first_dealer + static_cast<int>(round)) % 5);
      CHECK_EQ(static_cast<int>(s.seat), (s.dealer + 1) % 5);
      while (game->kind(&walk.state()) == NodeKind::decision) walk.step();
      float stage[kMaxPlayers];
      game->stage_returns(&walk.state(), stage);
      for (int seat = 0; seat < 5; ++seat) {
        const int won = walk.state().won[static_cast<size_t>(seat)];
        const int bid = walk.state().bids[static_cast<size_t>(seat)];
        const int gained = won == bid ? 10 + bid : 0;
        points[static_cast<size_t>(seat)] += gained;
        CHECK_EQ(stage[seat], static_cast<float>(gained) / 11.5F - 1.0F);
        CHECK_EQ(static_cast<int>(walk.state().total[static_cast<size_t>(seat)]),
                 points[static_cast<size_t>(seat)]);
      }
    }
    CHECK(game->kind(&walk.state()) == NodeKind::terminal);
  }
}

// Bytes are refused in one sentence, or they can be played to the end.
void any_bytes_are_refused_or_playable() {
  int refused = 0;
  int played = 0;
  for (const char* spec : {"players=3-8,cards=1-13", "play=games,players=3-5,highest=4",
                           "players=5,cards=5,dealer=free"}) {
    const auto game = make_game(spec);
    Stream stream(11, Purpose::player);
    for (uint64_t seed = 0; seed < 400; ++seed) {
      Walk walk(*game, seed);
      for (auto steps = stream.below(60); steps > 0; --steps)
        if (!walk.step()) break;
      for (int tries = 0; tries < 40; ++tries) {
        StateBytes bytes = walk.bytes();
        for (auto changes = 1 + stream.below(3); changes > 0; --changes) {
          const size_t at = stream.below(sizeof(State));
          const auto bit = static_cast<std::byte>(1U << stream.below(8));
          if (stream.below(2) == 0)
            bytes.bytes[at] ^= bit;
          else
            bytes.bytes[at] = static_cast<std::byte>(stream.below(256));
        }
        try {
          game->validate(&bytes);
        } catch (const InputError& error) {
          const std::string sentence = error.what();
          CHECK(sentence.size() > 20 && sentence.back() == '.');
          ++refused;
          continue;
        }
        ++played;
        Walk on(*game, seed, bytes);
        for (int steps = 0; on.step(); ++steps) CHECK(steps < 1000);
      }
    }
  }
  CHECK(refused > 20'000 && played > 300);
}

}  // namespace

int main() {
  every_setup_has_its_number();
  hands_are_dealt_evenly();
  deals_are_drawn_as_the_options_say();
  games_go_through_their_rounds();
  any_bytes_are_refused_or_playable();
  std::printf("blob ok\n");
}
