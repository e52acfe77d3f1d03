// Slots driven by several threads, each with groups of its own: the same games as with one. Built
// with -DLUDUS_SANITIZE=thread this is the race test.
#include <atomic>
#include <thread>
#include <vector>

#include "base/errors.h"
#include "check.h"
#include "play/slots.h"

using namespace ludus;

namespace {

constexpr int kGames = 300;

Slots make_slots() {
  PlayerSettings search;
  search.search.simulations = {4};
  search.search.max_inflight = 2;
  PlayerSettings gumbel = search;
  gumbel.search.rule = Rule::gumbel;
  PlayerSettings random;
  random.kind = PlayerSettings::Kind::random;
  Slots slots(find_game("yatzy"), 256, 128, 5, {search, gumbel, random}, true);
  for (int g = 0; g < kGames; ++g) {
    ScheduledGame game{g, derive_seed(5, Purpose::episode, static_cast<uint64_t>(g)), {}};
    game.seat_players[0] = static_cast<int8_t>(g % 3);
    game.seat_players[1] = static_cast<int8_t>((g / 3) % 3);
    slots.schedule(game);
  }
  return slots;
}

struct Arrays {
  explicit Arrays(const Slots& slots)
      : observations(static_cast<size_t>(slots.rows()) *
                     static_cast<size_t>(slots.game().info().observation_size)),
        seats(static_cast<size_t>(slots.rows())),
        legal(static_cast<size_t>(slots.legal_capacity())),
        offsets(static_cast<size_t>(slots.rows()) + 1),
        logits(legal.size()),
        values(2 * seats.size()) {}
  BatchArrays lent() { return {observations.data(), seats.data(), legal.data(), offsets.data()}; }
  std::vector<float> observations;
  std::vector<int32_t> seats, legal, offsets;
  std::vector<float> logits, values;
};

void turn(Slots& slots, int group, std::vector<Arrays>& arrays) {
  std::vector<Slots::Decision> nobody;
  for (int player = 0; player < slots.players(); ++player) {
    if (player == 2) {
      slots.decisions(group, player, nobody);  // lets the random player move
      continue;
    }
    Arrays& batch = arrays[static_cast<size_t>(group * slots.players() + player)];
    if (slots.collect(group, player) == 0) continue;
    for (int32_t i = 0; i < batch.offsets.back(); ++i)
      batch.logits[static_cast<size_t>(i)] =
          static_cast<float>(batch.legal[static_cast<size_t>(i)] % 47) * 0.05F;
    slots.supply(group, player, batch.logits.data(), batch.values.data());
  }
}

Records play(int threads) {
  Slots slots = make_slots();
  std::vector<Arrays> arrays;
  for (int i = 0; i < slots.groups() * slots.players(); ++i) arrays.emplace_back(slots);
  for (int group = 0; group < slots.groups(); ++group)
    for (int player = 0; player < slots.players(); ++player)
      slots.bind(group, player,
                 arrays[static_cast<size_t>(group * slots.players() + player)].lent());
  if (threads == 1) {
    for (bool busy = true; busy;) {
      busy = false;
      for (int group = 0; group < slots.groups(); ++group) {
        if (!slots.busy(group)) continue;
        turn(slots, group, arrays);
        busy = true;
      }
    }
  } else {
    // A lane takes whole turns of groups; a group is in one lane's hands at a time.
    std::vector<std::atomic_flag> held(static_cast<size_t>(slots.groups()));
    std::atomic<int> done{0};
    std::vector<std::thread> lanes;
    for (int lane = 0; lane < threads; ++lane)
      lanes.emplace_back([&, lane] {
        std::vector<char> over(static_cast<size_t>(slots.groups()), 0);
        for (int group = lane; done.load() < slots.groups(); ++group) {
          const auto index = static_cast<size_t>(group % slots.groups());
          if (over[index] || held[index].test_and_set(std::memory_order_acquire)) {
            std::this_thread::yield();
            continue;
          }
          if (slots.busy(static_cast<int>(index))) {
            turn(slots, static_cast<int>(index), arrays);
            if (!slots.busy(static_cast<int>(index))) done.fetch_add(1);
          } else {
            over[index] = 1;
          }
          held[index].clear(std::memory_order_release);
        }
      });
    for (std::thread& lane : lanes) lane.join();
  }
  return slots.finished();
}

void same(const Records& one, const Records& other) {
  CHECK_EQ(one.games(), static_cast<size_t>(kGames));
  Records::visit(one, 2, [&](const char* name, const auto& column, int, int) {
    Records::visit(other, 2, [&](const char* twin, const auto& same_column, int, int) {
      if (std::string(name) != twin) return;
      if constexpr (std::is_same_v<decltype(column), decltype(same_column)>)
        CHECK(column == same_column);
    });
  });
}

}  // namespace

int main() {
  const Records alone = play(1);
  same(alone, play(3));
  same(alone, play(2));
  // Scheduling a game of an unknown player is refused.
  Slots slots = make_slots();
  ScheduledGame wrong{kGames, 1, {}};
  wrong.seat_players[0] = 3;
  CHECK_THROWS(slots.schedule(wrong), InputError);
  return 0;
}
