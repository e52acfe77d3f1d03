#include "search/flat_montecarlo.h"

#include <array>
#include <chrono>
#include <cmath>
#include <cstring>

#include "base/errors.h"

namespace ludus {

namespace {

void check(const FlatSettings& settings) {
  if (settings.worlds < 1 || settings.playouts < 1)
    throw InputError("Monte Carlo needs at least one world and one playout of each action.");
  if (!(settings.seconds >= 0.0 && settings.noise >= 0.0 && settings.noise <= 1.0 &&
        settings.evidence >= 0.0 && settings.evidence <= 10.0))
    throw InputError(
        "Monte Carlo needs a time of at least 0 seconds, noise from 0 to 1 and evidence from 0 to "
        "10.");
}

}  // namespace

PlayoutPolicy random_policy(const Game& game) {
  return [&game, actions = std::vector<int32_t>(static_cast<size_t>(game.info().num_actions))](
             const void* state, Stream& stream) mutable {
    const auto count = static_cast<uint32_t>(game.legal(state, actions.data()));
    return actions[stream.below(count)];
  };
}

FlatResult flat_monte_carlo(const Game& game, const void* state, uint64_t key,
                            const FlatSettings& settings, const PlayoutPolicy& policy,
                            const std::atomic<bool>* stop) {
  using Clock = std::chrono::steady_clock;
  check(settings);
  if (game.kind(state) != NodeKind::decision)
    throw InputError("Monte Carlo was asked about a position that is no decision.");
  const GameInfo& info = game.info();
  const auto size = static_cast<size_t>(info.state_size);
  FlatResult result;
  result.actions.resize(static_cast<size_t>(info.num_actions));
  result.actions.resize(static_cast<size_t>(game.legal(state, result.actions.data())));
  const size_t count = result.actions.size();
  result.means.assign(count, 0.0);
  result.best = result.actions[0];
  if (count == 1) return result;

  const bool timed = settings.seconds > 0.0;
  const auto deadline =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(
                         std::chrono::duration<double>(timed ? settings.seconds : 0.0));
  const int seat = game.seat(state);
  const PlayoutPolicy random = random_policy(game);
  StateBytes world;
  StateBytes position;
  std::array<float, kMaxSeats> results;
  double reference = 0.0;  // highest evidence so far, which weighs 1
  double weights = 0.0;
  for (uint32_t w = 0; timed || w < static_cast<uint32_t>(settings.worlds); ++w) {
    if (stop != nullptr && stop->load(std::memory_order_relaxed)) {
      result.stopped = true;
      break;
    }
    if (timed && w > 0 && Clock::now() >= deadline) break;
    Stream deal(key, Purpose::player, 0, w);
    if (info.has_hidden)
      game.sample_world(state, seat, deal, world.bytes);
    else
      std::memcpy(world.bytes, state, size);
    double weight = 1.0;
    if (settings.evidence > 0.0) {
      const double evidence = settings.evidence * game.world_evidence(world.bytes, seat);
      if (w == 0 || evidence > reference) {
        const double scale = w == 0 ? 0.0 : std::exp(reference - evidence);
        for (double& mean : result.means) mean *= scale;
        weights *= scale;
        reference = evidence;
      }
      weight = std::exp(evidence - reference);
    }
    weights += weight;
    for (size_t a = 0; a < count; ++a) {
      for (int p = 0; p < settings.playouts; ++p) {
        // The same numbers for all actions.
        Stream stream(key, Purpose::player, 1, w, static_cast<uint32_t>(p));
        std::memcpy(position.bytes, world.bytes, size);
        game.apply(position.bytes, result.actions[a]);
        for (NodeKind kind; (kind = game.kind(position.bytes)) != NodeKind::terminal;) {
          if (kind == NodeKind::chance) {
            if (info.sampled_chance) break;  // the stage is over
            game.apply_outcome(position.bytes, game.outcome_at(position.bytes, stream.uniform()));
            continue;
          }
          const bool wild = settings.noise > 0.0 && stream.uniform() < settings.noise;
          game.apply(position.bytes, (wild ? random : policy)(position.bytes, stream));
        }
        game.stage_returns(position.bytes, results.data());
        result.means[a] += weight * results[static_cast<size_t>(seat)];
        ++result.playouts;
      }
    }
    ++result.worlds;
  }
  if (result.worlds == 0) return result;
  size_t best = 0;
  for (size_t a = 0; a < count; ++a) {
    result.means[a] /= weights * settings.playouts;
    if (result.means[a] > result.means[best]) best = a;
  }
  result.best = result.actions[best];
  return result;
}

}  // namespace ludus
