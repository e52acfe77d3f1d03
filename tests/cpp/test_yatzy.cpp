// Yatzy: golden transitions, the bonus boundary, erased state, random games to the end.
#include <cmath>
#include <cstring>
#include <vector>

#include "base/errors.h"
#include "check.h"
#include "games/game.h"
#include "games/yatzy.h"

using namespace ludus;

namespace {

int class_of(std::array<uint8_t, 5> dice) {
  for (int dice_class = 0; dice_class < yatzy::kClasses; ++dice_class)
    if (yatzy::tables.faces[static_cast<size_t>(yatzy::kFullKept + dice_class)] == dice)
      return dice_class;
  std::abort();
}

yatzy::State decision(std::array<uint8_t, 5> dice) {
  yatzy::State state = yatzy::initial_state();
  yatzy::apply_outcome(state, class_of(dice));
  return state;
}

void keep_masks() {
  // Bit (4 - i) keeps dice[i]: 0b10001 of 1 2 3 4 6 keeps the 1 and the 6.
  yatzy::State state = decision({1, 2, 3, 4, 6});
  yatzy::apply(state, 0b10001);
  CHECK(state.phase == yatzy::Phase::chance);
  CHECK_EQ(state.rerolls, 1);
  const auto kept = yatzy::tables.faces[state.kept];
  CHECK(kept[0] == 1 && kept[1] == 6 && kept[2] == 0);
  yatzy::apply_outcome(state, class_of({1, 5, 5, 5, 6}));
  CHECK_EQ(state.dice, class_of({1, 5, 5, 5, 6}));
  yatzy::apply(state, 0b01110);
  yatzy::apply_outcome(state, class_of({5, 5, 5, 5, 5}));
  CHECK_EQ(state.rerolls, 0);
  CHECK(!yatzy::is_legal(state, 0));
  CHECK(yatzy::is_legal(state, 32 + 14));
  yatzy::apply(state, 32 + 14);
  CHECK_EQ(state.total[0], 50);
  CHECK_EQ(state.seat, 1);
  CHECK_EQ(state.rerolls, 2);
  CHECK(state.free[0] == (yatzy::kAllFree & ~yatzy::category_bit(14)));
  CHECK(state.free[1] == yatzy::kAllFree);
}

void legality() {
  yatzy::State state = decision({1, 2, 3, 4, 6});
  CHECK(!yatzy::is_legal(state, 31));
  CHECK(!yatzy::is_legal(state, -1));
  CHECK(!yatzy::is_legal(state, 47));
  CHECK(yatzy::is_legal(state, 30));
  state.free[0] = yatzy::category_bit(3);
  CHECK(yatzy::is_legal(state, 35));
  CHECK(!yatzy::is_legal(state, 36));
  CHECK(!yatzy::is_legal(yatzy::initial_state(), 0));
}

void bonus_boundary() {
  struct Case {
    int upper, category;
    std::array<uint8_t, 5> dice;
    int points, upper_after;
  };
  const Case cases[] = {
      {62, 0, {2, 2, 3, 4, 6}, 0, 62},    // nothing: one short
      {62, 0, {1, 2, 3, 4, 6}, 51, 63},   // exactly 63
      {45, 5, {1, 2, 6, 6, 6}, 68, 63},   // 45 + 18 = 63
      {45, 5, {1, 2, 3, 6, 6}, 12, 57},   // 57
      {45, 5, {6, 6, 6, 6, 6}, 80, 63},   // past 63, clamped
      {63, 5, {6, 6, 6, 6, 6}, 30, 63},   // earned before: not again
      {62, 13, {6, 6, 6, 6, 6}, 30, 62},  // chance is no upper category
  };
  for (const Case& c : cases) {
    yatzy::State state = decision(c.dice);
    state.upper[0] = static_cast<uint8_t>(c.upper);
    state.total[0] = 100;
    yatzy::apply(state, 32 + c.category);
    CHECK_EQ(state.total[0], 100 + c.points);
    CHECK_EQ(state.upper[0], c.upper_after);
    CHECK_EQ(yatzy::mark_points(class_of(c.dice), c.category, c.upper), c.points);
  }
}

void dice_are_keyed_by_the_event() {
  const auto game = find_game("yatzy");
  // Two equal dice: rerolling either gives the same dice.
  const yatzy::State state = decision({2, 2, 3, 4, 6});
  for (uint64_t seed = 0; seed < 100; ++seed) {
    yatzy::State left = state;
    yatzy::State right = state;
    yatzy::apply(left, 0b10111);
    yatzy::apply(right, 0b01111);
    CHECK_EQ(game->draw(&left, seed), game->draw(&right, seed));
  }
}

// The inverse of the cumulative distribution gives each outcome its probability.
void quantiles() {
  const auto game = find_game("yatzy");
  std::vector<int32_t> ids(yatzy::kClasses);
  std::vector<double> probabilities(yatzy::kClasses);
  for (const int mask : {0, 0b00001, 0b01110, 0b11110}) {
    yatzy::State state = decision({1, 2, 2, 4, 6});
    yatzy::apply(state, mask);
    const int count = game->outcomes(&state, ids.data(), probabilities.data());
    std::vector<int> hits(yatzy::kClasses, 0);
    constexpr int kCells = 7776;
    for (int cell = 0; cell < kCells; ++cell)
      ++hits[static_cast<size_t>(game->outcome_at(&state, (cell + 0.5) / kCells))];
    double total = 0.0;
    for (int i = 0; i < count; ++i) {
      const auto index = static_cast<size_t>(i);
      CHECK(std::abs(hits[static_cast<size_t>(ids[index])] - probabilities[index] * kCells) < 1e-6);
      total += probabilities[index];
    }
    CHECK(std::abs(total - 1.0) < 1e-12);
    CHECK_EQ(game->outcome_at(&state, 0.0), ids[0]);
    CHECK_EQ(game->outcome_at(&state, 1.0 - 1e-16), ids[static_cast<size_t>(count - 1)]);
  }
}

void random_games_end() {
  const auto game = find_game("yatzy");
  const GameInfo& info = game->info();
  std::vector<int32_t> actions(static_cast<size_t>(info.num_actions));
  std::vector<uint16_t> search(static_cast<size_t>(info.max_legal));
  std::vector<float> seen(static_cast<size_t>(info.observation_size));
  for (uint64_t seed = 0; seed < 300; ++seed) {
    StateBytes state;
    game->initial(state.bytes);
    Stream stream(seed, Purpose::player);
    int plies = 0;
    int marks[2] = {0, 0};
    while (game->kind(state.bytes) != NodeKind::terminal) {
      game->validate(state.bytes);
      if (game->kind(state.bytes) == NodeKind::chance) {
        game->apply_outcome(state.bytes, game->draw(state.bytes, seed));
        continue;
      }
      const int legal = game->legal(state.bytes, actions.data());
      CHECK(game->search_actions(state.bytes, search.data()) <= legal);
      const int action = actions[stream.below(static_cast<uint32_t>(legal))];
      CHECK(game->is_legal(state.bytes, action));
      CHECK(game->is_legal(state.bytes, game->canonical(state.bytes, action)));
      if (action >= 32) ++marks[game->seat(state.bytes)];
      game->observe(state.bytes, game->seat(state.bytes), seen.data());
      for (const float x : seen) CHECK(std::isfinite(x));
      game->apply(state.bytes, action);
      ++plies;
    }
    CHECK(plies <= info.max_plies);
    CHECK_EQ(marks[0], 15);
    CHECK_EQ(marks[1], 15);
    float returns[2];
    game->returns(state.bytes, returns);
    CHECK_EQ(returns[0], -returns[1]);
  }
}

void perft_counts() {
  const auto game = find_game("yatzy");
  StateBytes state;
  game->initial(state.bytes);
  CHECK(perft(*game, state.bytes, 0) == 1);
  CHECK(perft(*game, state.bytes, 1) == 252);
  CHECK(perft(*game, state.bytes, 2) == 252 * 46);  // 31 masks and 15 marks
}

void foreign_bytes_are_refused() {
  const auto game = find_game("yatzy");
  yatzy::State state = decision({1, 2, 3, 4, 6});
  state.seat = 2;
  CHECK_THROWS(game->validate(&state), InputError);
  state = decision({1, 2, 3, 4, 6});
  state.dice = 252;
  CHECK_THROWS(game->validate(&state), InputError);
  CHECK_THROWS(find_game("yatzi"), InputError);
}

}  // namespace

int main() {
  keep_masks();
  legality();
  bonus_boundary();
  dice_are_keyed_by_the_event();
  quantiles();
  random_games_end();
  perft_counts();
  foreign_bytes_are_refused();
  return 0;
}
