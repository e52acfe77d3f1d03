#include "play/playouts.h"

#include <vector>

namespace ludus {

PlayoutCounts random_playouts(const Game& game, uint64_t games, uint64_t seed) {
  PlayoutCounts counts;
  std::vector<int32_t> actions(static_cast<size_t>(game.info().num_actions));
  StateBytes position;
  std::byte* state = position.bytes;
  for (uint64_t g = 0; g < games; ++g) {
    Stream stream(seed, Purpose::player, g);
    if (game.crowded()) game.keep_only({});
    game.initial(state);
    for (NodeKind kind = game.kind(state); kind != NodeKind::terminal; kind = game.kind(state)) {
      if (kind == NodeKind::chance) {
        const int outcome = game.info().sampled_chance ? game.draw(state, stream.next_u64())
                                                       : game.outcome_at(state, stream.uniform());
        game.apply_outcome(state, outcome);
        ++counts.chance_events;
        continue;
      }
      const auto count = static_cast<uint32_t>(game.legal(state, actions.data()));
      game.apply(state, actions[stream.below(count)]);
      ++counts.decisions;
    }
    counts.checksum ^= mix64(game.key(state) + g);
  }
  return counts;
}

uint64_t calibration_work(uint64_t blocks) {
  PhiloxBlock block{};
  for (uint64_t i = 0; i < blocks; ++i) block = philox4x32(block, {1, 2});
  return (static_cast<uint64_t>(block[0]) << 32) | block[1];
}

}  // namespace ludus
