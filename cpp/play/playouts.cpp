#include "play/playouts.h"

#include <algorithm>
#include <vector>

namespace ludus {

namespace {

// Plays random games; calls at_decision(position) at each decision and at_end(number, position).
template <class AtDecision, class AtEnd>
PlayoutCounts play(const Game& game, uint64_t games, uint64_t seed, AtDecision&& at_decision,
                   AtEnd&& at_end) {
  PlayoutCounts counts;
  std::vector<int32_t> actions(static_cast<size_t>(game.info().num_actions));
  const bool sampled = game.info().sampled_chance;
  StateBytes position;
  std::byte* state = position.bytes;
  for (uint64_t g = 0; g < games; ++g) {
    Stream stream(seed, Purpose::player, g);
    if (game.crowded()) game.keep_only({});
    game.initial(state);
    for (NodeKind kind = game.kind(state); kind != NodeKind::terminal; kind = game.kind(state)) {
      if (kind == NodeKind::chance) {
        const int outcome = sampled ? game.draw(state, stream.next_u64())
                                    : game.outcome_at(state, stream.uniform());
        game.apply_outcome(state, outcome);
        ++counts.chance_events;
        continue;
      }
      at_decision(state);
      const auto count = static_cast<uint32_t>(game.legal(state, actions.data()));
      game.apply(state, actions[stream.below(count)]);
      ++counts.decisions;
    }
    at_end(g, state);
  }
  return counts;
}

}  // namespace

PlayoutCounts random_playouts(const Game& game, uint64_t games, uint64_t seed) {
  uint64_t checksum = 0;
  PlayoutCounts counts = play(
      game, games, seed, [](const std::byte*) {},
      [&](uint64_t g, const std::byte* state) { checksum ^= mix64(game.key(state) + g); });
  counts.checksum = checksum;
  return counts;
}

WorldCounts random_worlds(const Game& game, uint64_t games, int each, uint64_t seed) {
  WorldCounts counts;
  Stream stream(seed, Purpose::search);
  play(
      game, games, seed,
      [&](const std::byte* state) {
        StateBytes world;
        const int seat = game.seat(state);
        for (int i = 0; i < each; ++i) {
          const auto rejected =
              static_cast<uint64_t>(game.sample_world(state, seat, stream, world.bytes));
          ++counts.worlds;
          counts.rejected += rejected;
          counts.most_rejected = std::max(counts.most_rejected, rejected);
          counts.checksum += static_cast<uint64_t>(world.bytes[0]) + counts.worlds;
        }
      },
      [](uint64_t, const std::byte*) {});
  return counts;
}

uint64_t calibration_work(uint64_t blocks) {
  PhiloxBlock block{};
  for (uint64_t i = 0; i < blocks; ++i) block = philox4x32(block, {1, 2});
  return (static_cast<uint64_t>(block[0]) << 32) | block[1];
}

}  // namespace ludus
