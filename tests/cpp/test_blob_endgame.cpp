// The exact solver of Blob's last cards: what it remembers changes nothing, what is sure is found,
// and too many cards are refused. tests/oracles/test_blob_endgame.py holds it against brute force.
#include <algorithm>
#include <cmath>

#include "base/errors.h"
#include "check.h"
#include "games/blob_players.h"
#include "oracles/blob_endgame.h"

using namespace ludus;
using namespace ludus::blob;

namespace {

State bid_out(const Game& game, uint64_t seed) {
  State state;
  game.initial(&state);
  game.apply_outcome(&state, game.draw(&state, seed));
  while (state.phase == Phase::bid) game.apply(&state, rules_action(state));
  return state;
}

// A solver that has seen other positions, small and large, says the same bits as a new one.
void memory_changes_nothing() {
  Endgame used;
  for (const char* options : {"players=4,cards=5", "players=8,cards=2", "players=3,cards=4"}) {
    const auto game = make_game(options);
    for (uint64_t seed = 0; seed < 6; ++seed) {
      State state = bid_out(*game, seed);
      while (state.phase == Phase::play) {
        Endgame fresh;
        CHECK(used.values(state) == fresh.values(state));
        double best = -1.0;
        for (const Endgame::Choice& choice : used.choices(state)) {
          State after = state;
          game->apply(&after, choice.card);
          if (after.phase == Phase::play) {
            const SeatValues values = used.values(after);
            for (int seat = 0; seat < kMaxPlayers; ++seat)
              CHECK(values[static_cast<size_t>(seat)] == choice.values[static_cast<size_t>(seat)]);
          } else {
            CHECK_EQ(choice.values[state.seat], round_points(after, state.seat));
          }
          best = std::max(best, choice.values[state.seat]);
        }
        CHECK(std::abs(used.values(state)[state.seat] - best) < 1e-6);
        game->apply(&state, rules_action(state));
      }
    }
  }
}

void worlds() {
  const auto game = make_game("players=5,cards=3");
  const State state = bid_out(*game, 4);
  Endgame solver;
  const auto first = solver.over_worlds(state, 10, 7);
  const auto again = solver.over_worlds(state, 10, 7);
  for (size_t i = 0; i < first.size(); ++i) CHECK_EQ(first[i].points, again[i].points);
  const std::atomic<bool> stop{true};
  for (const Endgame::Mean& mean : solver.over_worlds(state, 10, 7, &stop))
    CHECK_EQ(mean.points, 0.0);
  CHECK_THROWS(solver.over_worlds(state, 0, 7), InputError);
}

void refusals() {
  Endgame solver;
  const State large = bid_out(*make_game("players=5,cards=5"), 1);
  CHECK(!Endgame::solves(large));
  CHECK_THROWS(solver.values(large), InputError);
  const auto game = make_game("players=5,cards=2");
  State bidding;
  game->initial(&bidding);
  game->apply_outcome(&bidding, game->draw(&bidding, 1));
  CHECK(!Endgame::solves(bidding));
  CHECK_THROWS(solver.choices(bidding), InputError);
}

}  // namespace

int main() {
  memory_changes_nothing();
  worlds();
  refusals();
  return 0;
}
