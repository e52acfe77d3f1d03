// The border of the slots: batches of leaves, decisions of outside players.
#include "play/slots.h"

#include <algorithm>
#include <chrono>
#include <string>

#include "base/errors.h"

namespace ludus {

namespace {
constexpr int kAhead = 3;  // slots between a prefetch and its use
// Event of a player's stream at a ply; 0 are its own random choices.
constexpr uint32_t kShownWorld = 1;

using Clock = std::chrono::steady_clock;
double seconds(Clock::duration time) { return std::chrono::duration<double>(time).count(); }
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
    }
    group.batches.resize(players_.size());
    group.bound.resize(players_.size());
    group.legal_used.resize(players_.size());
    group.leaves.resize(static_cast<size_t>(rows_));
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

int Slots::belief_size(int player) const {
  check_player(player);
  const PlayerSettings& asked = players_[static_cast<size_t>(player)];
  const bool asks = asked.kind == PlayerSettings::Kind::search && asked.search.belief > 0.0F;
  return asks ? info_.hidden_things * kHolders : 0;
}

void Slots::set_openings(std::vector<std::vector<uint16_t>> lines) {
  StateBytes state;
  for (size_t line = 0; line < lines.size(); ++line) {
    game_->initial(state.bytes);
    for (size_t ply = 0; ply < lines[line].size(); ++ply) {
      if (game_->kind(state.bytes) != NodeKind::decision ||
          !game_->is_legal(state.bytes, lines[line][ply]))
        throw InputError("Opening " + std::to_string(line) + " has action " +
                         std::to_string(lines[line][ply]) + " at ply " + std::to_string(ply) +
                         ", which is illegal there.");
      game_->apply(state.bytes, lines[line][ply]);
    }
  }
  openings_ = std::move(lines);
}

void Slots::schedule(const ScheduledGame& game) {
  if (game.game_id < 0) throw InputError("A game id must not be negative.");
  if (game.opening >= static_cast<int64_t>(openings_.size()))
    throw InputError("There is no opening " + std::to_string(game.opening) + " among " +
                     std::to_string(openings_.size()) + ".");
  for (int seat = 0; seat < info_.num_seats; ++seat)
    check_player(game.seat_players[static_cast<size_t>(seat)]);
  const size_t total = groups_.size() * static_cast<size_t>(group_size_);
  const size_t index = static_cast<size_t>(game.game_id) % total;
  const auto size = static_cast<size_t>(group_size_);
  groups_[index / size].slots[index % size].queue.push_back(game);
}

void Slots::bind(int group, int player, const BatchArrays& arrays) {
  check_player(player);
  Group& lent = group_at(group);
  const bool asks = belief_size(player) > 0 && arrays.legal != nullptr;
  if (asks != (arrays.wanted != nullptr) || asks != (arrays.beliefs != nullptr))
    throw InputError(
        "bind() wants wanted and beliefs for a search that asks for beliefs, and only "
        "for one.");
  lent.batches[static_cast<size_t>(player)] = arrays;
  lent.bound[static_cast<size_t>(player)] = 1;
  if (arrays.legal != nullptr)
    lent.listed.resize(static_cast<size_t>(legal_capacity() + info_.max_legal));
}

// Selects leaves of one slot into its rows. Returns whether it took any row.
bool Slots::fill(Group& group, Slot& slot, int player, int first_row) {
  while (slot.turn == Turn::search && slot.player == player) {
    try {
      const int taken = take_leaves(group, slot, player, first_row);
      group.counters.rows += static_cast<uint64_t>(taken);
      return taken > 0;
    } catch (const GameFault& fault) {
      for (int row = first_row; row < first_row + inflight_; ++row)
        group.leaves[static_cast<size_t>(row)] = Leaf{};
      fail(group, slot, fault);
      settle(group, slot);
    }
  }
  return false;
}

int Slots::take_leaves(Group& group, Slot& slot, int player, int first_row) {
  const int inflight = players_[static_cast<size_t>(player)].search.max_inflight;
  int taken = 0;
  while (slot.turn == Turn::search && slot.player == player) {
    const Tree::Step step = slot.tree.select();
    if (step == Tree::Step::finished) {
      finish_search(group, slot);
      continue;
    }
    if (step == Tree::Step::wait) break;
    const auto index = static_cast<int>(&slot - group.slots.data());
    group.leaves[static_cast<size_t>(first_row + taken)] = {index, slot.tree.leaf()};
    if (++taken == inflight) break;
  }
  return taken;
}

// The walk down all trees: fills `leaves`, rows without one stay empty.
void Slots::walk(Group& group, int player) {
  std::fill(group.leaves.begin(), group.leaves.end(), Leaf{});
  const int places = group_size_ / share_;
  for (int place = 0; place < places; ++place) {
    const auto far = static_cast<size_t>((place + 2 * kAhead) * share_);
    if (far < group.slots.size()) {
      const auto* slot = reinterpret_cast<const std::byte*>(&group.slots[far]);
      for (size_t line = 0; line < Slot::kHotBytes; line += 64) __builtin_prefetch(slot + line);
    }
    const auto ahead = static_cast<size_t>((place + kAhead) * share_);
    if (ahead < group.slots.size()) group.slots[ahead].tree.prefetch();
    bool taken = false;
    for (int k = 0; k < share_; ++k) {
      Slot& slot = group.slots[static_cast<size_t>(place * share_ + k)];
      if (!slot.playing && !slot.queue.empty()) settle(group, slot);
      if (!taken && slot.turn == Turn::search && slot.player == player)
        taken = fill(group, slot, player, place * inflight_);
    }
  }
}

// Empties the rows of a slot whose game failed while they were written.
void Slots::free_rows(Group& group, int slot) {
  for (Leaf& leaf : group.leaves) {
    if (leaf.slot != slot) continue;
    leaf = Leaf{};
    --group.counters.rows;
  }
}

// Writes the leaves' rows into the arrays of a batch; `at` is the slot whose row is being written.
void Slots::encode(Group& group, int player, int& at) {
  const BatchArrays& batch = group.batches[static_cast<size_t>(player)];
  std::vector<char>& written = group.written[static_cast<size_t>(player)];
  const auto width = static_cast<size_t>(info_.observation_size);
  const bool open = players_[static_cast<size_t>(player)].search.open_worlds;
  int used = 0;
  for (int row = 0; row < rows_; ++row) {
    const auto r = static_cast<size_t>(row);
    const Leaf leaf = group.leaves[r];
    batch.offsets[row] = used;
    float* observation = batch.observations == nullptr ? nullptr : batch.observations + r * width;
    if (leaf.slot < 0) {
      // Rows without a leaf hold zeros: padding must be finite and always the same.
      batch.seats[row] = 0;
      if (batch.players != nullptr) batch.players[row] = 0;
      if (batch.wanted != nullptr) batch.wanted[row] = 0;
      if (observation != nullptr && written[r]) std::fill_n(observation, width, 0.0F);
      written[r] = 0;
      continue;
    }
    at = leaf.slot;
    Tree& tree = group.slots[static_cast<size_t>(leaf.slot)].tree;
    used += tree.list(leaf.node, group.listed.data() + used);
    const int seat = tree.seat(leaf.node);
    batch.seats[row] = seat;
    if (batch.players != nullptr) batch.players[row] = game_->players(tree.state(leaf.node));
    if (batch.wanted != nullptr) batch.wanted[row] = tree.wants_belief(leaf.node) ? 1 : 0;
    if (observation == nullptr) continue;
    written[r] = 1;
    // What is to be decided is seen as the seat sees it; behind it lie worlds that it imagines.
    if (open && leaf.node != tree.root())
      game_->observe_open(tree.state(leaf.node), seat, observation);
    else
      game_->observe(tree.state(leaf.node), seat, observation);
  }
  batch.offsets[rows_] = used;
  // A pass of its own: wide reads of what was just written in pieces would wait for it.
  for (int row = 0; row < rows_; ++row) {
    const int32_t base = row * info_.num_actions;
    for (int i = batch.offsets[row]; i < batch.offsets[row + 1]; ++i)
      batch.legal[i] = base + group.listed[static_cast<size_t>(i)];
  }
  int& last_used = group.legal_used[static_cast<size_t>(player)];
  if (last_used > used) std::fill(batch.legal + used, batch.legal + last_used, 0);
  last_used = used;
}

int Slots::collect(int group_index, int player) {
  Group& group = group_at(group_index);
  check_player(player);
  if (!group.bound[static_cast<size_t>(player)])
    throw InputError("collect() before bind() lent the arrays.");
  if (group.open >= 0) throw InputError("collect() before supply() answered the last batch.");
  if (game_->crowded()) sweep();
  Passes& passes = group.counters.passes;
  const uint64_t before = group.counters.rows;
  const auto began = Clock::now();
  walk(group, player);
  const auto walked = Clock::now();
  passes.tree += seconds(walked - began);
  if (group.batches[static_cast<size_t>(player)].legal != nullptr) {
    for (bool whole = false; !whole;) {
      int at = 0;
      try {
        encode(group, player, at);
        whole = true;
      } catch (const GameFault& fault) {  // that game ends; the rows of the others are written anew
        free_rows(group, at);
        fail(group, group.slots[static_cast<size_t>(at)], fault);
      }
    }
    passes.encode += seconds(Clock::now() - walked);
  }
  const auto rows = static_cast<int>(group.counters.rows - before);
  if (rows > 0) {
    group.open = player;
    ++group.counters.batches;
  }
  return rows;
}

Slots::Group& Slots::answered(int group_index, int player) {
  Group& group = group_at(group_index);
  check_player(player);
  if (group.open != player) throw InputError("supply() without rows from collect().");
  return group;
}

template <class Answer>
void Slots::answer(Group& group, Answer&& one) {
  const auto began = Clock::now();
  group.open = -1;
  const auto rows = static_cast<size_t>(rows_);
  for (size_t row = 0; row < rows; ++row) {
    if (row + kAhead < rows && group.leaves[row + kAhead].slot >= 0) {
      const Leaf& ahead = group.leaves[row + kAhead];
      group.slots[static_cast<size_t>(ahead.slot)].tree.prefetch(ahead.node);
    }
    const Leaf leaf = group.leaves[row];
    if (leaf.slot >= 0) one(group.slots[static_cast<size_t>(leaf.slot)].tree, leaf.node, row);
  }
  group.counters.passes.expand += seconds(Clock::now() - began);
}

void Slots::supply(int group_index, int player, const float* logits, const float* values) {
  Group& group = answered(group_index, player);
  const BatchArrays& batch = group.batches[static_cast<size_t>(player)];
  if (batch.legal == nullptr)
    throw InputError("supply() wants the arrays that bind() lends; without them supply_uniform().");
  const auto seats = static_cast<size_t>(info_.num_seats);
  if (!all_finite(values, static_cast<size_t>(rows_) * seats))
    throw NumericsError("A value of a leaf batch is not finite; nothing was backed up.");
  const bool finite = all_finite(logits, static_cast<size_t>(batch.offsets[rows_]));
  const auto belief = static_cast<size_t>(belief_size(player));
  auto believed = [&](size_t row) {
    return belief > 0 && batch.wanted[row] != 0 ? batch.beliefs + row * belief : nullptr;
  };
  for (size_t row = 0; belief > 0 && row < static_cast<size_t>(rows_); ++row)
    if (believed(row) != nullptr && !all_finite(believed(row), belief))
      throw NumericsError("A belief of a leaf batch is not finite; nothing was backed up.");
  answer(group, [&](Tree& tree, NodeId leaf, size_t row) {
    tree.expand(leaf, logits + batch.offsets[row], values + row * seats, finite, believed(row));
  });
}

void Slots::supply_uniform(int group_index, int player) {
  answer(answered(group_index, player),
         [](Tree& tree, NodeId leaf, size_t) { tree.expand_uniform(leaf); });
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
    const std::byte* state = slot.state.bytes;
    if (info_.has_hidden && !info_.interpreted) {
      group.shown.resize(group.slots.size());
      Stream stream(seed_, Purpose::player, static_cast<uint64_t>(slot.game.game_id),
                    static_cast<uint32_t>(slot.ply), kShownWorld);
      game_->sample_world(state, game_->seat(state), stream, group.shown[i].bytes);
      state = group.shown[i].bytes;
    }
    const uint64_t key =
        mix64(derive_seed(seed_, Purpose::player, static_cast<uint64_t>(slot.game.game_id)) ^
              static_cast<uint64_t>(slot.ply));
    out.push_back({static_cast<int>(i), state, key});
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
  const uint64_t goal = counters().tree.simulations + simulations;
  for (int g = 0; g < groups(); ++g)
    for (int p = 0; p < players(); ++p) bind(g, p, {});
  for (bool more = true; more;) {
    more = false;
    for (int g = 0; g < groups(); ++g)
      for (int p = 0; p < players(); ++p)
        for (int step = 0; step < 64; ++step) {
          if (collect(g, p) == 0) break;
          supply_uniform(g, p);
          more = true;
        }
    more = more && counters().tree.simulations < goal;
  }
}

}  // namespace ludus
