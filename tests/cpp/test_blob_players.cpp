// The player by rules of thumb: legal, blind to what its seat cannot see, and of some strength.
#include <vector>

#include "check.h"
#include "games/blob_players.h"
#include "search/flat_montecarlo.h"

using namespace ludus;
using namespace ludus::blob;

namespace {

State dealt(const Game& game, uint64_t seed) {
  State state;
  game.initial(&state);
  game.apply_outcome(&state, game.draw(&state, seed));
  return state;
}

void legal_and_blind() {
  const auto game = make_game("players=3-8,cards=1-13");
  uint64_t differed = 0;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    State state = dealt(*game, seed);
    Stream stream(seed, Purpose::player);
    int32_t actions[kActions];
    while (game->kind(&state) == NodeKind::decision) {
      const int chosen = rules_action(state);
      CHECK(game->is_legal(&state, chosen));
      State world;
      game->sample_world(&state, state.seat, stream, &world);
      differed += world.hands != state.hands;
      CHECK_EQ(rules_action(world), chosen);
      // Half of the time somebody else decides, so that odd positions come up as well.
      const auto count = static_cast<uint32_t>(game->legal(&state, actions));
      game->apply(&state, stream.below(2) == 0 ? chosen : actions[stream.below(count)]);
    }
  }
  CHECK(differed > 1000);
}

// The last to play knows the outcome: it takes what it needs, as cheaply as it can be taken, and
// leaves what it does not want with its highest card that loses.
void last_seat() {
  const auto game = make_game("players=3,cards=2,dealer=free");
  State state{};
  game->initial(&state);
  state.players = 3;
  state.cards = 2;
  state.dealer = 2;
  state.trump = 0;
  state.phase = Phase::play;
  state.leader = 0;
  state.hands[0] = Cards{1} << 26 | Cards{1} << (13 + 7);         // nine of hearts
  state.hands[1] = Cards{1} << 27 | Cards{1} << (13 + 5);         // seven of hearts
  state.hands[2] = Cards{1} << (13 + 12) | Cards{1} << (13 + 3);  // ace and five of hearts
  state.bids = {0, 1, 1, kNoBid, kNoBid, kNoBid, kNoBid, kNoBid};
  game->validate(&state);
  game->apply(&state, 13 + 7);
  game->apply(&state, 13 + 5);
  CHECK_EQ(rules_action(state), 13 + 12);
  state.bids[2] = 0;
  CHECK_EQ(rules_action(state), 13 + 3);
  // Two tricks wanted of two: only the ace takes the first.
  state.bids[2] = 2;
  CHECK_EQ(rules_action(state), 13 + 12);
}

void better_than_chance() {
  const auto game = make_game("players=4-5,cards=1-7");
  double own = 0.0;
  double others = 0.0;
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    State state = dealt(*game, seed);
    const int hero = static_cast<int>(seed) % state.players;
    Stream stream(seed, Purpose::player);
    const PlayoutPolicy random = random_policy(*game);
    while (game->kind(&state) == NodeKind::decision)
      game->apply(&state, state.seat == hero ? rules_action(state) : random(&state, stream));
    for (int seat = 0; seat < state.players; ++seat) {
      const double points = round_points(state, seat);
      (seat == hero ? own : others) += seat == hero ? points : points / (state.players - 1);
    }
  }
  CHECK(own > 2.0 * others);
}

// Flat Monte Carlo: the same key gives the same answer, a sure trick is seen, and no world is drawn
// where there is no choice.
void montecarlo() {
  const auto game = make_game("players=4,cards=3");
  const PlayoutPolicy policy = [](const void* state, Stream&) {
    return rules_action(*static_cast<const State*>(state));
  };
  FlatSettings settings;
  settings.worlds = 20;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    State state = dealt(*game, seed);
    while (game->kind(&state) == NodeKind::decision) {
      const FlatResult result = flat_monte_carlo(*game, &state, seed, settings, policy);
      CHECK(game->is_legal(&state, result.best));
      const FlatResult again = flat_monte_carlo(*game, &state, seed, settings, policy);
      CHECK(again.means == result.means);
      const bool forced = result.actions.size() == 1;
      CHECK_EQ(result.worlds, forced ? 0U : 20U);
      CHECK_EQ(result.playouts, forced ? 0U : 20U * result.actions.size());
      State world;
      Stream stream(seed, Purpose::search);
      game->sample_world(&state, state.seat, stream, &world);
      CHECK(flat_monte_carlo(*game, &world, seed, settings, policy).means == result.means);
      game->apply(&state, result.best);
    }
  }
  State over = dealt(*game, 1);
  while (game->kind(&over) == NodeKind::decision) game->apply(&over, rules_action(over));
  CHECK_THROWS(flat_monte_carlo(*game, &over, 1, settings, policy), std::exception);
  settings.worlds = 0;
  State start = dealt(*game, 1);
  CHECK_THROWS(flat_monte_carlo(*game, &start, 1, settings, policy), std::exception);
}

}  // namespace

int main() {
  legal_and_blind();
  last_seat();
  better_than_chance();
  montecarlo();
  return 0;
}
