// The border of the slots: batches of leaves, decisions of outside players.
#include "play/slots.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/errors.h"

namespace ludus {

namespace {
constexpr int kAhead = 3;  // slots between a prefetch and its use
}  // namespace

Slots::Slots(std::shared_ptr<const Game> game, int slots, int group_size, uint64_t seed,
             std::vector<PlayerSettings> players, bool record)
    : game_(fresh(game)),
      info_(game_->info()),
      seed_(seed),
      players_(std::move(players)),
      record_(record),
      group_size_(group_size) {
  if (players_.empty()) throw InputError("Slots need at least one player.");
  int searchers = 0;
  for (const PlayerSettings& player : players_) {
    if (player.kind != PlayerSettings::Kind::search) continue;
    player.search.validate(info_);
    inflight_ = std::max(inflight_, player.search.max_inflight);
    ++searchers;
  }
  share_ = std::max(searchers, 1);
  if (group_size <= 0 || group_size % (64 * share_) != 0)
    throw InputError("A group has " + std::to_string(group_size) +
                     " slots; it needs a multiple of " + std::to_string(64 * share_) +
                     ", so that a batch has a multiple of 64 rows.");
  if (slots <= 0 || slots % group_size != 0)
    throw InputError(std::to_string(slots) + " slots do not make whole groups of " +
                     std::to_string(group_size) + ".");
  rows_ = group_size / share_ * inflight_;
  groups_.resize(static_cast<size_t>(slots / group_size));
  for (Group& group : groups_) {
    group.slots.reserve(static_cast<size_t>(group_size));
    for (int i = 0; i < group_size; ++i) {
      Slot& slot = group.slots.emplace_back(*game_);
      slot.record.reserve_game(info_);
      slot.waiting.reserve(static_cast<size_t>(inflight_));
    }
    group.batches.resize(players_.size());
    group.legal_used.resize(players_.size());
    group.written.assign(players_.size(), std::vector<char>(static_cast<size_t>(rows_), 0));
  }
}

Slots::Group& Slots::group_at(int group) {
  if (group < 0 || group >= groups())
    throw InputError("There is no group " + std::to_string(group) + " among " +
                     std::to_string(groups()) + ".");
  return groups_[static_cast<size_t>(group)];
}

void Slots::check_player(int player) const {
  if (player < 0 || player >= players())
    throw InputError("There is no player " + std::to_string(player) + " among " +
                     std::to_string(players()) + ".");
}

void Slots::schedule(const ScheduledGame& game) {
  if (game.game_id < 0) throw InputError("A game id must not be negative.");
  for (int seat = 0; seat < info_.num_seats; ++seat)
    check_player(game.seat_players[static_cast<size_t>(seat)]);
  const size_t total = groups_.size() * static_cast<size_t>(group_size_);
  const size_t index = static_cast<size_t>(game.game_id) % total;
  const auto size = static_cast<size_t>(group_size_);
  groups_[index / size].slots[index % size].queue.push_back(game);
}

void Slots::bind(int group, int player, const BatchArrays& arrays) {
  check_player(player);
  group_at(group).batches[static_cast<size_t>(player)] = arrays;
}

// Selects leaves of one slot into its rows. Returns whether it took any row.
bool Slots::fill(Group& group, Slot& slot, int player, int first_row, int& legal_used, int& rows) {
  const BatchArrays& batch = group.batches[static_cast<size_t>(player)];
  std::vector<char>& written = group.written[static_cast<size_t>(player)];
  const int legal_before = legal_used;
  const int rows_before = rows;
  while (slot.turn == Turn::search && slot.player == player) {
    try {
      take_leaves(group, slot, player, first_row, legal_used, rows);
      return !slot.waiting.empty();
    } catch (const GameFault& fault) {
      // Its rows are free again; what was written there is wiped like any padding.
      for (int row = first_row; row < first_row + inflight_; ++row)
        if (written[static_cast<size_t>(row)] == 2) written[static_cast<size_t>(row)] = 1;
      std::fill(batch.legal + legal_before, batch.legal + legal_used, 0);
      legal_used = legal_before;
      rows = rows_before;
      fail(group, slot, fault);
      settle(group, slot);
    }
  }
  return false;
}

void Slots::take_leaves(Group& group, Slot& slot, int player, int first_row, int& legal_used,
                        int& rows) {
  const BatchArrays& batch = group.batches[static_cast<size_t>(player)];
  std::vector<char>& written = group.written[static_cast<size_t>(player)];
  const int inflight = players_[static_cast<size_t>(player)].search.max_inflight;
  slot.waiting.clear();
  while (slot.turn == Turn::search && slot.player == player) {
    const Tree::Step step = slot.tree.select();
    if (step == Tree::Step::finished) {
      finish_search(group, slot);
      continue;
    }
    if (step == Tree::Step::wait) break;
    const NodeId leaf = slot.tree.leaf();
    const int row = first_row + static_cast<int>(slot.waiting.size());
    slot.waiting.push_back(leaf);
    const int seat = slot.tree.seat(leaf);
    if (batch.observations != nullptr) {
      written[static_cast<size_t>(row)] = 2;
      game_->observe(slot.tree.state(leaf), seat,
                     batch.observations +
                         static_cast<size_t>(row) * static_cast<size_t>(info_.observation_size));
    }
    batch.seats[row] = seat;
    const int count = slot.tree.num_actions(leaf);
    const uint16_t* actions = slot.tree.actions(leaf);
    int32_t* out = batch.legal + legal_used;
    const int base = row * info_.num_actions;
    for (int i = 0; i < count; ++i) out[i] = base + actions[i];
    batch.offsets[row] = legal_used;
    legal_used += count;
    batch.offsets[row + 1] = legal_used;
    ++rows;
    if (static_cast<int>(slot.waiting.size()) == inflight) break;
  }
}

int Slots::collect(int group_index, int player) {
  Group& group = group_at(group_index);
  check_player(player);
  const auto p = static_cast<size_t>(player);
  const BatchArrays& batch = group.batches[p];
  if (batch.legal == nullptr) throw InputError("collect() before bind() lent the arrays.");
  if (group.open >= 0) throw InputError("collect() before supply() answered the last batch.");
  if (game_->crowded()) sweep();
  std::vector<char>& written = group.written[p];
  int legal_used = 0;
  int rows = 0;
  const int rows_of_slot = inflight_;
  const int places = group_size_ / share_;
  for (int place = 0; place < places; ++place) {
    const int first = place * rows_of_slot;
    const auto far = static_cast<size_t>((place + 2 * kAhead) * share_);
    if (far < group.slots.size()) {
      const auto* tree = reinterpret_cast<const std::byte*>(&group.slots[far].tree);
      for (size_t line = 0; line < sizeof(Tree); line += 64) __builtin_prefetch(tree + line);
    }
    const auto ahead = static_cast<size_t>((place + kAhead) * share_);
    if (ahead < group.slots.size()) group.slots[ahead].tree.prefetch();
    bool taken = false;
    const int used_before = rows;
    for (int k = 0; k < share_; ++k) {
      Slot& slot = group.slots[static_cast<size_t>(place * share_ + k)];
      if (!slot.playing && !slot.queue.empty()) settle(group, slot);
      if (!taken && slot.turn == Turn::search && slot.player == player)
        taken = fill(group, slot, player, first, legal_used, rows);
    }
    // Rows without a leaf hold zeros: padding must be finite and always the same.
    for (int row = first + (rows - used_before); row < first + rows_of_slot; ++row) {
      batch.offsets[row] = batch.offsets[row + 1] = legal_used;
      batch.seats[row] = 0;
    }
  }
  batch.offsets[0] = 0;
  if (batch.observations != nullptr)
    for (int row = 0; row < rows_; ++row) {
      char& mark = written[static_cast<size_t>(row)];
      if (mark == 1) {
        const auto width = static_cast<size_t>(info_.observation_size);
        std::fill_n(batch.observations + static_cast<size_t>(row) * width, width, 0.0F);
      }
      mark = mark == 2 ? 1 : 0;
    }
  int& last_used = group.legal_used[p];
  if (last_used > legal_used) std::fill(batch.legal + legal_used, batch.legal + last_used, 0);
  last_used = legal_used;
  if (rows > 0) {
    group.open = player;
    group.counters.rows += static_cast<uint64_t>(rows);
    ++group.counters.batches;
  }
  return rows;
}

void Slots::supply(int group_index, int player, const float* logits, const float* values) {
  Group& group = group_at(group_index);
  check_player(player);
  if (group.open != player) throw InputError("supply() without rows from collect().");
  const auto value_count = static_cast<size_t>(rows_) * static_cast<size_t>(info_.num_seats);
  if (std::any_of(values, values + value_count, [](float v) { return !std::isfinite(v); }))
    throw NumericsError("A value of a leaf batch is not finite; nothing was backed up.");
  group.open = -1;
  const BatchArrays& batch = group.batches[static_cast<size_t>(player)];
  const auto seats = static_cast<size_t>(info_.num_seats);
  const int places = group_size_ / share_;
  for (int place = 0; place < places; ++place) {
    const auto ahead = static_cast<size_t>((place + kAhead) * share_);
    if (ahead < group.slots.size() && !group.slots[ahead].waiting.empty())
      group.slots[ahead].tree.prefetch(group.slots[ahead].waiting.front());
    for (int k = 0; k < share_; ++k) {
      Slot& slot = group.slots[static_cast<size_t>(place * share_ + k)];
      if (slot.player != player) continue;
      int row = place * inflight_;
      for (const NodeId leaf : slot.waiting) {
        slot.tree.expand(leaf, logits + batch.offsets[row],
                         values + static_cast<size_t>(row) * seats);
        ++row;
      }
      slot.waiting.clear();
    }
  }
}

void Slots::decisions(int group_index, int player, std::vector<Decision>& out) {
  Group& group = group_at(group_index);
  check_player(player);
  out.clear();
  if (game_->crowded()) sweep();
  for (size_t i = 0; i < group.slots.size(); ++i) {
    Slot& slot = group.slots[i];
    if (!slot.playing && !slot.queue.empty()) settle(group, slot);
    if (slot.turn != Turn::external || slot.player != player) continue;
    const uint64_t key =
        mix64(derive_seed(seed_, Purpose::player, static_cast<uint64_t>(slot.game.game_id)) ^
              static_cast<uint64_t>(slot.ply));
    out.push_back({static_cast<int>(i), slot.state.bytes, key});
  }
}

void Slots::decide(int group_index, int player, int index, int action) {
  Group& group = group_at(group_index);
  if (index < 0 || index >= group_size_) throw InputError("decide() names no slot of this group.");
  Slot& slot = group.slots[static_cast<size_t>(index)];
  if (slot.turn != Turn::external || slot.player != player)
    throw InputError("Slot " + std::to_string(index) + " does not wait for player " +
                     std::to_string(player) + ".");
  if (!game_->is_legal(slot.state.bytes, action))
    throw InputError("Action " + std::to_string(action) + " of player " + std::to_string(player) +
                     " is illegal in game " + std::to_string(slot.game.game_id) + " at ply " +
                     std::to_string(slot.ply) + ".");
  ++group.counters.external;
  try {
    play(group, slot, action, 0);
  } catch (const GameFault& fault) {
    fail(group, slot, fault);
  }
  settle(group, slot);
}

void Slots::run_uniform(uint64_t simulations) {
  const auto rows = static_cast<size_t>(rows_);
  std::vector<float> logits(static_cast<size_t>(legal_capacity()), 0.0F);
  std::vector<float> values(rows * static_cast<size_t>(info_.num_seats), 0.0F);
  std::vector<int32_t> seats(rows);
  std::vector<int32_t> legal(logits.size());
  std::vector<int32_t> offsets(rows + 1);
  const BatchArrays lent{nullptr, seats.data(), legal.data(), offsets.data()};
  const uint64_t goal = counters().tree.simulations + simulations;
  for (bool more = true; more;) {
    more = false;
    for (int g = 0; g < groups(); ++g)
      for (int p = 0; p < players(); ++p) {
        group_at(g).batches[static_cast<size_t>(p)] = lent;
        for (int step = 0; step < 64; ++step) {
          if (collect(g, p) == 0) break;
          supply(g, p, logits.data(), values.data());
          more = true;
        }
      }
    more = more && counters().tree.simulations < goal;
  }
}

}  // namespace ludus
