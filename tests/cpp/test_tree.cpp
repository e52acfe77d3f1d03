// The tree by itself: mirrored seats, no allocation on the hot path, halving, reuse.
#include <cmath>
#include <cstring>
#include <new>
#include <vector>

#include "base/errors.h"
#include "check.h"
#include "games/yatzy.h"
#include "search/tree.h"

using namespace ludus;

namespace {
uint64_t allocations = 0;
}

// Every allocation of this program is counted.
void* operator new(size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace {

// An evaluator of the mover's view: uneven, and blind to the number of the seat.
void judge(const Game& game, Tree& tree, NodeId leaf, float* logits, float* values) {
  uint16_t actions[Tree::kMaxEdges];
  const int count = tree.list(leaf, actions);
  float seen[yatzy::kObservation];
  const int seat = tree.seat(leaf);
  game.observe(tree.state(leaf), seat, seen);
  seen[94] = 0.0F;  // the viewer's seat
  float value = 0.0F;
  for (int i = 0; i < yatzy::kObservation; ++i)
    value += seen[i] * std::sin(static_cast<float>(i) * 1.7F);
  value = std::tanh(0.5F * value);
  for (int i = 0; i < count; ++i)
    logits[i] = 2.0F * std::sin(value * static_cast<float>(3 + i) + static_cast<float>(i));
  values[seat] = value;
  values[1 - seat] = -value;
}

void search(const Game& game, Tree& tree, const void* state, const SearchSettings& settings,
            bool keep = false, uint32_t ply = 5) {
  tree.start(state, settings, settings.simulations[0], 11, 3, ply, keep);
  float logits[Tree::kMaxEdges];
  float values[kMaxSeats] = {};
  std::array<NodeId, 64> waiting;
  for (;;) {
    size_t count = 0;
    Tree::Step step = Tree::Step::leaf;
    while (count < static_cast<size_t>(settings.max_inflight) &&
           (step = tree.select()) == Tree::Step::leaf)
      waiting[count++] = tree.leaf();
    if (step == Tree::Step::finished && count == 0) return;
    CHECK(count > 0);
    for (size_t i = 0; i < count; ++i) {
      judge(game, tree, waiting[i], logits, values);
      tree.expand(waiting[i], logits, values);
    }
  }
}

yatzy::State position(int marks, uint64_t seed) {
  const auto game = find_game("yatzy");
  yatzy::State state = yatzy::initial_state();
  Stream stream(seed, Purpose::player);
  while (marks > 0 || state.phase == yatzy::Phase::chance) {
    if (state.phase == yatzy::Phase::chance) {
      yatzy::apply_outcome(state, game->draw(&state, seed));
      continue;
    }
    int32_t actions[yatzy::kActions];
    const int legal = game->legal(&state, actions);
    const int action = actions[stream.below(static_cast<uint32_t>(legal))];
    if (action >= yatzy::kMarkBase) --marks;
    yatzy::apply(state, action);
  }
  return state;
}

yatzy::State mirrored(const yatzy::State& state) {
  yatzy::State other = state;
  std::swap(other.free[0], other.free[1]);
  std::swap(other.total[0], other.total[1]);
  std::swap(other.upper[0], other.upper[1]);
  other.seat ^= 1U;
  return other;
}

// The same position with the seats exchanged gets the same visits and values, to the bit.
void mirrored_seats_get_the_same_visits() {
  const auto game = find_game("yatzy");
  int compared = 0;
  for (const Rule rule : {Rule::puct, Rule::gumbel})
    for (const int inflight : {1, 6})
      for (const int marks : {3, 16, 27, 29})
        for (uint64_t seed = 0; seed < 4; ++seed) {
          SearchSettings settings;
          settings.rule = rule;
          settings.simulations = {80};
          settings.max_inflight = inflight;
          settings.noise_fraction = rule == Rule::puct ? 0.25F : 0.0F;
          const yatzy::State state = position(marks, seed);
          const yatzy::State other = mirrored(state);
          Tree one(*game);
          Tree two(*game);
          search(*game, one, &state, settings);
          search(*game, two, &other, settings);
          CHECK_EQ(one.root_count(), two.root_count());
          for (int i = 0; i < one.root_count(); ++i) {
            CHECK_EQ(one.root_visits(i), two.root_visits(i));
            CHECK_EQ(one.root_q(i), two.root_q(i));
          }
          CHECK_EQ(one.root_value(), two.root_value());
          CHECK_EQ(one.choose(), two.choose());
          ++compared;
        }
  CHECK_EQ(compared, 64);
}

// A mark that wins at once takes nearly all visits, for either seat.
void a_winning_mark_is_found_by_both_seats() {
  const auto game = find_game("yatzy");
  yatzy::State state = position(0, 1);
  state.dice = 251;  // five sixes
  state.rerolls = 0;
  state.seat = 1;
  state.free = {0, static_cast<uint16_t>(yatzy::category_bit(13) | yatzy::category_bit(14))};
  state.total = {120, 100};
  // Two categories: the game ends after this mark only if the other seat has none left, as here.
  for (const yatzy::State& s : {state, mirrored(state)}) {
    SearchSettings settings;
    settings.simulations = {100};
    settings.fpu_reduction = 0.0F;
    Tree tree(*game);
    tree.start(&s, settings, 100, 1, 1, 1);
    Tree::Step step;
    while ((step = tree.select()) == Tree::Step::leaf) tree.expand_uniform(tree.leaf());
    CHECK(step == Tree::Step::finished);
    // 13: 30 points, total 130 wins; 14: 50 points, total 150 wins: both +1.
    CHECK_EQ(tree.root_q(0), 1.0F);
    CHECK_EQ(tree.root_q(1), 1.0F);
    CHECK_EQ(tree.root_visits(0) + tree.root_visits(1), 100);
    yatzy::State close = s;
    close.total[s.seat] = 80;  // now chance (30) loses and yatzy (50) wins
    Tree again(*game);
    again.start(&close, settings, 100, 1, 1, 1);
    while ((step = again.select()) == Tree::Step::leaf) again.expand_uniform(again.leaf());
    CHECK_EQ(again.root_q(0), -1.0F);
    CHECK_EQ(again.root_q(1), 1.0F);
    CHECK(again.root_visits(1) > 85);
  }
}

void nothing_is_allocated_between_start_and_end() {
  const auto game = find_game("yatzy");
  SearchSettings settings;
  settings.simulations = {128};
  settings.max_inflight = 4;
  for (const Rule rule : {Rule::puct, Rule::gumbel}) {
    settings.rule = rule;
    Tree tree(*game);
    for (uint64_t seed = 0; seed < 6; ++seed) {  // warm
      const yatzy::State state = position(4, seed);
      search(*game, tree, &state, settings);
    }
    const uint64_t growths = tree.counters().growths;
    for (uint64_t seed = 0; seed < 6; ++seed) {
      const yatzy::State state = position(4, seed);
      const uint64_t before = allocations;
      search(*game, tree, &state, settings);
      CHECK_EQ(allocations - before, 0U);
    }
    CHECK_EQ(tree.counters().growths, growths);
  }
}

void halving_is_that_of_the_paper() {
  std::vector<uint16_t> order;
  halving_schedule(4, 16, order);  // two phases: 4 actions twice each, then 2 actions 4 times
  const std::vector<uint16_t> expected = {0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5};
  CHECK(order == expected);
  halving_schedule(1, 3, order);
  CHECK((order == std::vector<uint16_t>{0, 1, 2}));
  halving_schedule(16, 5, order);  // a budget below the number of actions
  CHECK((order == std::vector<uint16_t>{0, 0, 0, 0, 0}));
}

// A reused tree that the rules could not tell from a fresh one: same position, kept visits.
void reuse_keeps_statistics() {
  const auto game = find_game("yatzy");
  SearchSettings settings;
  settings.simulations = {400};
  settings.reuse_tree = true;
  settings.c_puct = 0.3F;
  int kept_trees = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    yatzy::State state = position(2, seed);
    Tree tree(*game);
    search(*game, tree, &state, settings);
    const int edge = tree.choose();
    const int played = tree.root_visits(edge);
    yatzy::apply(state, tree.root_actions()[edge]);
    const int outcome = game->draw(&state, seed);
    yatzy::apply_outcome(state, outcome);
    if (!tree.reroot(edge, outcome)) continue;
    ++kept_trees;
    CHECK(std::memcmp(tree.state(tree.root()), &state, sizeof(state)) == 0);
    int kept = 0;
    for (int i = 0; i < tree.root_count(); ++i) kept += tree.root_visits(i);
    CHECK(kept < played);
    const float value = tree.root_value();
    CHECK(value >= -1.0F && value <= 1.0F);
    search(*game, tree, &state, settings, true, 6);
    int after = 0;
    for (int i = 0; i < tree.root_count(); ++i) after += tree.root_visits(i);
    CHECK_EQ(after, kept + 400);
    for (int i = 0; i < tree.root_count(); ++i) CHECK(std::abs(tree.root_q(i)) <= 1.0F);
  }
  CHECK(kept_trees >= 5);
}

void broken_logits_fall_back_to_uniform() {
  const auto game = find_game("yatzy");
  SearchSettings settings;
  settings.simulations = {2};
  const yatzy::State state = position(0, 3);
  Tree tree(*game);
  tree.start(&state, settings, 2, 1, 1, 1);
  CHECK(tree.select() == Tree::Step::leaf);
  std::vector<float> logits(Tree::kMaxEdges, 0.0F);
  logits[1] = std::nanf("");
  const float values[2] = {0.0F, 0.0F};
  uint16_t actions[Tree::kMaxEdges];
  tree.list(tree.leaf(), actions);
  tree.expand(tree.leaf(), logits.data(), values);
  CHECK(tree.counters().fallbacks == 1);
  const int edges = tree.root_count();
  for (int i = 0; i < edges; ++i) CHECK_EQ(tree.root_prior(i), 1.0F / static_cast<float>(edges));
}

// Leaves that nobody goes through again keep nothing but header and position.
void uniform_leaves_are_small() {
  const auto game = find_game("yatzy");
  SearchSettings settings;
  settings.simulations = {64};
  const yatzy::State state = position(4, 2);
  Tree tree(*game);
  tree.start(&state, settings, 64, 1, 1, 1);
  Tree::Step step;
  while ((step = tree.select()) == Tree::Step::leaf) tree.expand_uniform(tree.leaf());
  CHECK(step == Tree::Step::finished);
  const TreeCounters& counters = tree.counters();
  CHECK_EQ(counters.simulations, 64U);
  CHECK(counters.nodes <= 65 && counters.opened < counters.nodes / 4);
  CHECK(counters.bytes < 80 * counters.nodes);
  CHECK_EQ(counters.fallbacks, 0U);
}

void wrong_settings_are_refused() {
  const auto game = find_game("yatzy");
  SearchSettings settings;
  settings.validate(game->info());
  settings.max_inflight = 0;
  CHECK_THROWS(settings.validate(game->info()), InputError);
}

}  // namespace

int main() {
  mirrored_seats_get_the_same_visits();
  a_winning_mark_is_found_by_both_seats();
  nothing_is_allocated_between_start_and_end();
  halving_is_that_of_the_paper();
  reuse_keeps_statistics();
  broken_logits_fall_back_to_uniform();
  uniform_leaves_are_small();
  wrong_settings_are_refused();
  return 0;
}
