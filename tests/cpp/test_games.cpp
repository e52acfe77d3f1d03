// Every registered game keeps the promises of games/game.h along random games.
#include <cassert>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "games/game.h"

namespace {

using ludus::NodeKind;
using ludus::StateBytes;

class Walk {
 public:
  Walk(const ludus::Game& game, uint64_t seed)
      : game_(game), seed_(seed), stream_(seed, ludus::Purpose::player) {
    std::memset(&state_, 0, sizeof state_);
    game_.initial(&state_);
  }

  void play() {
    const ludus::GameInfo& info = game_.info();
    int plies = 0;
    while (game_.kind(&state_) != NodeKind::terminal) {
      game_.validate(&state_);
      if (game_.kind(&state_) == NodeKind::chance)
        chance();
      else {
        decision();
        ++plies;
      }
    }
    assert(plies <= info.max_plies);
    ending();
  }

 private:
  void chance() {
    const ludus::GameInfo& info = game_.info();
    if (info.sampled_chance) {
      const int sampled = game_.draw(&state_, seed_);
      assert(sampled == game_.draw(&state_, seed_) && game_.is_outcome(&state_, sampled));
      game_.apply_outcome(&state_, sampled);
      return;
    }
    std::vector<int32_t> ids(static_cast<size_t>(info.max_outcomes));
    std::vector<double> probabilities(ids.size());
    const int count = game_.outcomes(&state_, ids.data(), probabilities.data());
    assert(count > 0 && count <= info.max_outcomes);
    const double sum = std::accumulate(probabilities.begin(), probabilities.begin() + count, 0.0);
    assert(std::abs(sum - 1) < 1e-12);
    const int drawn = game_.draw(&state_, seed_);
    assert(drawn == game_.draw(&state_, seed_));
    bool listed = false;
    for (int i = 0; i < count; ++i) listed |= ids[static_cast<size_t>(i)] == drawn;
    assert(listed);
    game_.apply_outcome(&state_, drawn);
  }

  void decision() {
    const ludus::GameInfo& info = game_.info();
    std::vector<int32_t> legal(static_cast<size_t>(info.num_actions));
    std::vector<uint16_t> searched(static_cast<size_t>(info.max_legal));
    const int count = game_.legal(&state_, legal.data());
    const int kept = game_.search_actions(&state_, searched.data());
    assert(count > 0 && kept > 0 && kept <= count && kept <= info.max_legal);
    int seen = 0;
    for (int action = 0; action < info.num_actions; ++action) {
      const bool is_legal = game_.is_legal(&state_, action);
      assert(is_legal == (seen < count && legal[static_cast<size_t>(seen)] == action));
      seen += is_legal;
    }
    assert(seen == count);
    for (int i = 0; i < kept; ++i)
      assert(game_.canonical(&state_, searched[static_cast<size_t>(i)]) ==
             searched[static_cast<size_t>(i)]);
    std::vector<float> seen_by_mover(static_cast<size_t>(info.observation_size));
    game_.observe(&state_, game_.seat(&state_), seen_by_mover.data());
    for (const float x : seen_by_mover) assert(std::isfinite(x));

    const int action = legal[stream_.below(static_cast<uint32_t>(count))];
    // An action and its canonical twin lead to the same position, and a copy is independent.
    StateBytes twin = state_;
    const uint64_t before = game_.key(&state_);
    game_.apply(&twin, game_.canonical(&state_, action));
    assert(game_.key(&state_) == before);
    game_.apply(&state_, action);
    assert(game_.key(&state_) == game_.key(&twin));
  }

  void ending() {
    const auto seats = static_cast<size_t>(game_.info().num_seats);
    std::vector<float> returns(seats), margins(seats), scores(seats);
    game_.returns(&state_, returns.data());
    game_.margins(&state_, margins.data());
    game_.scores(&state_, scores.data());
    const auto players = static_cast<size_t>(game_.players(&state_));
    assert(seats > 2 || std::accumulate(returns.begin(), returns.end(), 0.0F) == 0.0F);
    for (size_t i = 0; i < seats; ++i) {
      assert(std::abs(returns[i]) <= 1 && std::abs(margins[i]) <= 1);
      assert(i < players || (returns[i] == 0 && margins[i] == 0 && scores[i] == 0));
      if (seats == 2 && returns[i] != 0)
        assert(std::signbit(returns[i]) == std::signbit(margins[i]));
    }
  }

  const ludus::Game& game_;
  uint64_t seed_;
  ludus::Stream stream_;
  StateBytes state_;
};

}  // namespace

int main() {
  for (const std::string& name : ludus::game_names()) {
    const std::shared_ptr<const ludus::Game> game = ludus::find_game(name);
    assert(game->info().state_size <= ludus::kMaxState);
    for (uint64_t seed = 0; seed < 200; ++seed) Walk(*game, seed).play();
    std::printf("games: %s ok\n", name.c_str());
  }
  bool refused = false;
  try {
    ludus::find_game("no such game");
  } catch (const std::exception&) {
    refused = true;
  }
  assert(refused);
}
