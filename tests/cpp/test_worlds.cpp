// Search with hidden information: what is hidden never reaches it, worlds share the simulations.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/errors.h"
#include "check.h"
#include "games/blob.h"
#include "play/slots.h"
#include "search/tree.h"

using namespace ludus;

namespace {

constexpr uint64_t kSeed = 20261121;

// A network of a kind: numbers out of a hash of what the mover sees, at the tree's own calls.
class Judge {
 public:
  explicit Judge(const Game& game)
      : game_(game), seen_(static_cast<size_t>(game.info().observation_size)) {}
  void answer(Tree& tree) {
    const NodeId leaf = tree.leaf();
    const void* state = tree.state(leaf);
    const int seat = tree.seat(leaf);
    const int count = tree.list(leaf, actions_);
    game_.observe(state, seat, seen_.data());
    uint64_t hash = 1;
    for (const float number : seen_) {
      uint32_t bits = 0;
      std::memcpy(&bits, &number, sizeof bits);
      hash = mix64(hash ^ bits);
    }
    float logits[Tree::kMaxEdges];
    for (int i = 0; i < count; ++i) logits[i] = number(hash + actions_[i], 2.0F);
    float values[kMaxSeats] = {};
    const int players = game_.players(state);
    for (int i = 0; i < players; ++i)
      values[(seat + i) % players] = number(hash + 100 + static_cast<uint64_t>(i), 0.9F);
    tree.expand(leaf, logits, values);
  }

 private:
  static float number(uint64_t key, float scale) {
    return scale * (static_cast<float>(mix64(key) >> 40) * 0x1p-23F - 1.0F);
  }
  const Game& game_;
  std::vector<float> seen_;
  uint16_t actions_[Tree::kMaxEdges];
};

struct Found {
  std::vector<int> visits;
  std::vector<float> q, policy;
  int chosen = 0;
  float value = 0.0F;
  bool operator==(const Found&) const = default;
};

Found search(Tree& tree, const Game& game, const void* state, const SearchSettings& settings,
             uint64_t id) {
  Judge judge(game);
  tree.start(state, settings, settings.effort(0, kSeed, id, 0), kSeed, id, 3);
  for (;;) {
    const Tree::Step step = tree.select();
    if (step == Tree::Step::finished) break;
    CHECK(step == Tree::Step::leaf);
    judge.answer(tree);
  }
  Found found;
  for (int i = 0; i < tree.root_count(); ++i) {
    found.visits.push_back(tree.root_visits(i));
    found.q.push_back(tree.root_q(i));
  }
  found.policy.resize(found.visits.size());
  tree.policy(found.policy.data());
  found.chosen = tree.choose();
  found.value = tree.root_value();
  return found;
}

// A decision some random plies into a random round.
StateBytes position(const Game& game, uint64_t number) {
  Stream stream(kSeed, Purpose::player, number);
  StateBytes state;
  for (;;) {
    game.initial(state.bytes);
    game.apply_outcome(state.bytes, game.draw(state.bytes, stream.next_u64()));
    const uint32_t plies = stream.below(static_cast<uint32_t>(game.info().max_plies));
    for (uint32_t i = 0; i < plies && game.kind(state.bytes) == NodeKind::decision; ++i) {
      int32_t actions[64];
      const int count = game.legal(state.bytes, actions);
      game.apply(state.bytes, actions[stream.below(static_cast<uint32_t>(count))]);
    }
    uint16_t choices[Tree::kMaxEdges];
    if (game.kind(state.bytes) == NodeKind::decision &&
        game.search_actions(state.bytes, choices) > 1)
      return state;
  }
}

std::vector<SearchSettings> kinds_of_search() {
  std::vector<SearchSettings> all;
  for (const Rule rule : {Rule::puct, Rule::gumbel})
    for (const bool shared : {false, true})
      for (const float evidence : {0.0F, 1.0F}) {
        SearchSettings settings;
        settings.rule = rule;
        settings.information_sets = shared;
        settings.evidence = evidence;
        settings.worlds = 3;
        settings.simulations = {15};
        all.push_back(settings);
      }
  return all;
}

// The cards of the others, exchanged at will: not a bit of the search changes.
void hidden_cards_never_reach_the_search() {
  const auto game = find_game("blob:players=3-6,cards=1-7");
  const auto all = kinds_of_search();
  Tree tree(*game);
  int moved = 0;
  for (uint64_t number = 0; number < 120; ++number) {
    const StateBytes real = position(*game, number);
    const int seat = game->seat(real.bytes);
    Stream stream(kSeed, Purpose::player, number, 1);
    StateBytes other;
    game->sample_world(real.bytes, seat, stream, other.bytes);
    moved += game->key(real.bytes) != game->key(other.bytes);
    const SearchSettings& settings = all[number % all.size()];
    const Found one = search(tree, *game, real.bytes, settings, number);
    const Found two = search(tree, *game, other.bytes, settings, number);
    CHECK(one == two);
    int visits = 0;
    for (const int n : one.visits) visits += n;
    CHECK(visits == 45);  // worlds x simulations
  }
  CHECK(moved > 100);
}

// Positions that share a node look the same to its mover: a node's observation is that of every
// world that comes by. Seen from outside: with all worlds equal, sharing changes nothing.
void one_world_needs_no_sharing() {
  const auto game = find_game("blob:players=4,cards=4");
  Tree tree(*game);
  for (const Rule rule : {Rule::puct, Rule::gumbel})
    for (uint64_t number = 0; number < 40; ++number) {
      const StateBytes state = position(*game, number);
      SearchSettings settings;
      settings.rule = rule;
      settings.simulations = {60};
      const Found apart = search(tree, *game, state.bytes, settings, number);
      settings.information_sets = true;
      CHECK(search(tree, *game, state.bytes, settings, number) == apart);
    }
}

// The seat that searches cannot tell its worlds apart: later decisions of its own are shared, so
// fewer positions are evaluated than where each world has its nodes.
void information_sets_share_own_decisions() {
  const auto game = find_game("blob:players=3,cards=3");
  Tree tree(*game);
  uint64_t apart = 0;
  uint64_t together = 0;
  for (uint64_t number = 0; number < 40; ++number) {
    const StateBytes state = position(*game, number);
    SearchSettings settings;
    settings.worlds = 8;
    settings.simulations = {30};
    uint64_t before = tree.counters().expansions;
    search(tree, *game, state.bytes, settings, number);
    apart += tree.counters().expansions - before;
    settings.information_sets = true;
    before = tree.counters().expansions;
    search(tree, *game, state.bytes, settings, number);
    together += tree.counters().expansions - before;
  }
  CHECK(together < apart);
}

// With simulations in flight nothing is lost either: every selection is backed up or given back.
void many_in_flight() {
  const auto game = find_game("blob:players=4,cards=5");
  Tree tree(*game);
  for (SearchSettings settings : kinds_of_search()) {
    settings.max_inflight = 45;
    for (uint64_t number = 0; number < 10; ++number) {
      const StateBytes state = position(*game, number);
      Judge judge(*game);
      tree.start(state.bytes, settings, settings.effort(0, kSeed, 1, 0), kSeed, 1, 0);
      uint16_t actions[Tree::kMaxEdges];
      float logits[Tree::kMaxEdges] = {};
      const float values[kMaxSeats] = {0.1F, -0.2F, 0.3F, -0.4F};
      for (bool more = true; more;) {
        std::vector<NodeId> leaves;
        for (;;) {
          const Tree::Step step = tree.select();
          more = step != Tree::Step::finished;
          if (step != Tree::Step::leaf) break;
          leaves.push_back(tree.leaf());
          if (leaves.back() == tree.root()) break;
        }
        for (const NodeId leaf : leaves) tree.list(leaf, actions);
        for (const NodeId leaf : leaves) tree.expand(leaf, logits, values);
      }
      int visits = 0;
      for (int i = 0; i < tree.root_count(); ++i) {
        visits += tree.root_visits(i);
        CHECK(std::abs(tree.root_q(i)) <= 1.0F + 1e-5F);  // no virtual loss stays behind
      }
      CHECK(visits == 45);
    }
  }
}

void refuses(const char* game, const SearchSettings& settings) {
  CHECK_THROWS(settings.validate(find_game(game)->info()), InputError);
}

void settings_that_cannot_be() {
  SearchSettings settings;
  settings.worlds = 2;
  refuses("yatzy", settings);
  settings.worlds = 257;
  refuses("blob", settings);
  settings.worlds = 256;
  settings.simulations = {300};
  refuses("blob", settings);
  settings = {};
  settings.reuse_tree = true;
  refuses("blob", settings);
  settings = {};
  settings.information_sets = true;
  refuses("othello", settings);
}

}  // namespace

int main() {
  hidden_cards_never_reach_the_search();
  one_world_needs_no_sharing();
  information_sets_share_own_decisions();
  many_in_flight();
  settings_that_cannot_be();
  return 0;
}
