// What happens to a game in its slot: begin, settle, play, record, end, and going on after a
// restart.
#include <algorithm>
#include <array>
#include <string>

#include "base/errors.h"
#include "base/half.h"
#include "play/slots.h"

namespace ludus {

void Slots::begin_game(Slot& slot) {
  slot.game = slot.queue.front();
  slot.queue.pop_front();
  slot.playing = true;
  slot.ply = 0;
  slot.keep_tree = false;
  slot.record.clear();
  slot.record.game_id.push_back(slot.game.game_id);
  slot.record.seed.push_back(slot.game.seed);
  slot.record.plies.push_back(0);
  slot.record.opening.push_back(-1);
  for (int seat = 0; seat < info_.num_seats; ++seat) {
    slot.record.returns.push_back(0.0F);
    slot.record.scores.push_back(0.0F);
    slot.record.seat_players.push_back(slot.game.seat_players[static_cast<size_t>(seat)]);
  }
  std::byte* state = slot.state.bytes;
  game_->initial(state);
  if (game_->kind(state) == NodeKind::chance) {
    const int outcome = game_->draw(state, slot.game.seed);
    slot.record.opening[0] = outcome;
    game_->apply_outcome(state, outcome);
  }
  note_empty_seats(slot);
}

// Nobody plays seats that are not in play, whoever was scheduled for them.
void Slots::note_empty_seats(Slot& slot) const {
  for (int seat = game_->players(slot.state.bytes); seat < info_.num_seats; ++seat)
    slot.record.seat_players[static_cast<size_t>(seat)] = -1;
}

void Slots::end_game(Group& group, Slot& slot) {
  game_->returns(slot.state.bytes, slot.record.returns.data());
  game_->scores(slot.state.bytes, slot.record.scores.data());
  ++group.counters.games;
  group.finished.append(slot.record, info_.num_seats, 0, 0, 0);
  slot.playing = false;
}

void Slots::play_random(Group& group, Slot& slot) {
  const std::byte* state = slot.state.bytes;
  // Two passes over the legal actions would need no room; one with room is simpler.
  thread_local std::vector<int32_t> actions;
  actions.resize(static_cast<size_t>(info_.num_actions));
  const auto count = static_cast<uint32_t>(game_->legal(state, actions.data()));
  Stream stream(seed_, Purpose::player, static_cast<uint64_t>(slot.game.game_id),
                static_cast<uint32_t>(slot.ply));
  ++group.counters.random;
  play(group, slot, actions[stream.below(count)], 0);
}

// Plays the next action of the line that the game begins with; false where none is left.
bool Slots::play_opening(Group& group, Slot& slot) {
  if (slot.game.opening < 0) return false;
  const auto& line = openings_[static_cast<size_t>(slot.game.opening)];
  if (static_cast<size_t>(slot.ply) >= line.size()) return false;
  ++group.counters.forced;
  slot.keep_tree = false;
  play(group, slot, line[static_cast<size_t>(slot.ply)], kForced);
  return true;
}

// Brings the slot to where it needs somebody: a search, an outside player, or nothing left.
void Slots::settle(Group& group, Slot& slot) {
  for (;;) {
    try {
      return go_on(group, slot);
    } catch (const GameFault& fault) {
      fail(group, slot, fault);
    }
  }
}

void Slots::fail(Group& group, Slot& slot, const GameFault& fault) {
  ++group.counters.failed;
  group.failures.push_back({slot.game.game_id, fault.what()});
  if (group.failures.size() > kFailuresKept) group.failures.pop_front();
  slot.playing = false;
  slot.turn = Turn::idle;
  slot.keep_tree = false;
}

std::vector<Slots::Failure> Slots::failures() const {
  std::vector<Failure> all;
  for (const Group& group : groups_)
    all.insert(all.end(), group.failures.begin(), group.failures.end());
  std::sort(all.begin(), all.end(),
            [](const Failure& a, const Failure& b) { return a.game_id < b.game_id; });
  if (all.size() > kFailuresKept)
    all.erase(all.begin(), all.end() - static_cast<std::ptrdiff_t>(kFailuresKept));
  return all;
}

// Tells a game that keeps its positions in a pool which of them are still in use.
void Slots::sweep() {
  std::vector<const void*> wanted;
  for (const Group& group : groups_)
    for (const Slot& slot : group.slots) {
      if (!slot.playing) continue;
      wanted.push_back(slot.state.bytes);
      if (slot.turn == Turn::search || slot.keep_tree)
        slot.tree.positions([&](const void* state) { wanted.push_back(state); });
    }
  game_->keep_only(wanted);
}

void Slots::go_on(Group& group, Slot& slot) {
  for (;;) {
    if (!slot.playing) {
      slot.turn = Turn::idle;
      if (slot.queue.empty()) return;
      begin_game(slot);
    }
    const std::byte* state = slot.state.bytes;
    if (game_->kind(state) == NodeKind::terminal) {
      end_game(group, slot);
      continue;
    }
    slot.player = slot.game.seat_players[static_cast<size_t>(game_->seat(state))];
    if (play_opening(group, slot)) continue;
    const PlayerSettings& player = players_[static_cast<size_t>(slot.player)];
    if (player.kind == PlayerSettings::Kind::external) {
      slot.turn = Turn::external;
      return;
    }
    if (player.kind == PlayerSettings::Kind::random) {
      play_random(group, slot);
      continue;
    }
    if (player.search.forced_fast_path) {
      std::array<uint16_t, Tree::kMaxEdges> actions;
      if (game_->search_actions(state, actions.data()) == 1) {
        ++group.counters.forced;
        slot.keep_tree = false;
        play(group, slot, actions[0], kForced);
        continue;
      }
    }
    slot.turn = Turn::search;
    const auto game = static_cast<uint64_t>(slot.game.game_id);
    const auto ply = static_cast<uint32_t>(slot.ply);
    const Effort effort = player.search.effort(game_->decision_kind(state), seed_, game, ply);
    slot.tree.start(state, player.search, effort, seed_, game, ply, slot.keep_tree);
    return;
  }
}

void Slots::record_search(Slot& slot) {
  const Tree& tree = slot.tree;
  const int edges = tree.root_count();
  Records& record = slot.record;
  record.root_value.push_back(to_half(tree.root_value()));
  record.q_variance.push_back(to_half(tree.q_variance()));
  record.edges.push_back(static_cast<uint16_t>(edges));
  for (int i = 0; i < edges; ++i) {
    record.visits.push_back(static_cast<uint16_t>(tree.root_visits(i)));
    record.q.push_back(to_half(tree.root_q(i)));
    record.prior.push_back(to_half(tree.root_prior(i)));
  }
}

void Slots::keep_sample(Group& group, const Slot& slot, int edge) {
  const Tree& tree = slot.tree;
  const auto edges = static_cast<size_t>(tree.root_count());
  RootSample& sample = group.sample;
  sample.game_id = slot.game.game_id;
  sample.ply = slot.ply;
  sample.seat = tree.seat(tree.root());
  sample.chosen = edge;
  sample.value = tree.root_value();
  sample.temperature = players_[static_cast<size_t>(slot.player)].search.temperature_at(slot.ply);
  sample.actions.assign(tree.root_actions(), tree.root_actions() + edges);
  sample.visits.resize(edges);
  sample.q.resize(edges);
  sample.prior.resize(edges);
  sample.noised.resize(edges);
  sample.policy.resize(edges);
  for (size_t i = 0; i < edges; ++i) {
    sample.visits[i] = tree.root_visits(static_cast<int>(i));
    sample.q[i] = tree.root_q(static_cast<int>(i));
    sample.prior[i] = tree.root_prior(static_cast<int>(i));
    sample.noised[i] = tree.root_noised(static_cast<int>(i));
  }
  tree.policy(sample.policy.data());
}

void Slots::finish_search(Group& group, Slot& slot) {
  const int edge = slot.tree.choose();
  const int action = slot.tree.root_actions()[edge];
  const bool capped = slot.tree.effort().capped;
  ++group.counters.searched;
  group.counters.capped += capped;
  if (&slot == group.slots.data() && !capped) keep_sample(group, slot, edge);
  if (record_) record_search(slot);
  if (players_[static_cast<size_t>(slot.player)].search.reuse_tree) {
    // The outcome is looked at only now: the search is over and its move is chosen.
    StateBytes after = slot.state;
    game_->apply(after.bytes, action);
    const bool chance = game_->kind(after.bytes) == NodeKind::chance;
    const int outcome = chance ? game_->draw(after.bytes, slot.game.seed) : 0;
    if (chance) game_->apply_outcome(after.bytes, outcome);
    const bool same_player =
        game_->kind(after.bytes) == NodeKind::decision &&
        slot.game.seat_players[static_cast<size_t>(game_->seat(after.bytes))] == slot.player;
    slot.keep_tree = same_player && slot.tree.reroot(edge, outcome);
  }
  const int flags =
      kSearched | (capped ? kCapped : 0) | (slot.tree.root_fell_back() ? kFallback : 0);
  play(group, slot, action, static_cast<uint8_t>(flags));
  settle(group, slot);
}

void Slots::play(Group& group, Slot& slot, int action, uint8_t flags) {
  std::byte* state = slot.state.bytes;
  const PlayerSettings& player = players_[static_cast<size_t>(slot.player)];
  const int kind = game_->decision_kind(state);
  const bool search = (flags & kSearched) != 0;
  Records& record = slot.record;
  record.action.push_back(static_cast<uint16_t>(action));
  record.seat.push_back(static_cast<uint8_t>(game_->seat(state)));
  record.kind.push_back(static_cast<uint8_t>(kind));
  record.flags.push_back(flags);
  record.rule.push_back(search ? static_cast<uint8_t>(player.search.rule) : uint8_t{0});
  record.temperature.push_back(search ? to_half(player.search.temperature_at(slot.ply))
                                      : uint16_t{0});
  record.simulations.push_back(search ? static_cast<uint16_t>(slot.tree.effort().simulations)
                                      : uint16_t{0});
  if (!search || !record_) {
    record.root_value.push_back(0);
    record.q_variance.push_back(0);
    record.edges.push_back(0);
  }
  game_->apply(state, action);
  int outcome = -1;
  if (game_->kind(state) == NodeKind::chance) {
    outcome = game_->draw(state, slot.game.seed);
    game_->apply_outcome(state, outcome);
  }
  record.outcome.push_back(outcome);
  ++record.plies[0];
  ++slot.ply;
  ++group.counters.decisions;
}

bool Slots::busy(int group) const {
  const auto& slots = groups_[static_cast<size_t>(group)].slots;
  return std::any_of(slots.begin(), slots.end(),
                     [](const Slot& slot) { return slot.playing || !slot.queue.empty(); });
}

Records Slots::finished() {
  Records all;
  for (Group& group : groups_) {
    const auto plies = group.finished.ply_offsets();
    const auto edges = group.finished.edge_offsets();
    for (size_t g = 0; g < group.finished.games(); ++g)
      all.append(group.finished, info_.num_seats, g, plies[g], edges[plies[g]]);
    group.finished.clear();
  }
  return all.sorted(info_.num_seats);
}

Records Slots::in_flight() const {
  Records all;
  for (const Group& group : groups_)
    for (const Slot& slot : group.slots)
      if (slot.playing) all.append(slot.record, info_.num_seats, 0, 0, 0);
  return all.sorted(info_.num_seats);
}

void Slots::restore(const Records& records) {
  records.validate(info_);
  const auto plies = records.ply_offsets();
  const auto edges = records.edge_offsets();
  const auto total = groups_.size() * static_cast<size_t>(group_size_);
  const auto size = static_cast<size_t>(group_size_);
  for (size_t g = 0; g < records.games(); ++g) {
    const std::string name = "Game " + std::to_string(records.game_id[g]) + " in flight";
    if (records.game_id[g] < 0) throw InputError(name + " has a negative id.");
    const size_t index = static_cast<size_t>(records.game_id[g]) % total;
    Group& group = groups_[index / size];
    Slot& slot = group.slots[index % size];
    if (slot.playing || slot.queue.empty() || slot.queue.front().game_id != records.game_id[g] ||
        slot.queue.front().seed != records.seed[g])
      throw InputError(name + " is not the next game of its slot.");
    slot.game = slot.queue.front();
    slot.queue.pop_front();
    slot.record.clear();
    slot.record.append(records, info_.num_seats, g, plies[g], edges[plies[g]]);
    slot.ply = records.plies[g];
    slot.keep_tree = false;
    slot.playing = true;
    std::byte* state = slot.state.bytes;
    auto chance = [&](int outcome) {
      if (game_->kind(state) != NodeKind::chance) return outcome == -1;
      if (outcome != game_->draw(state, slot.game.seed)) return false;
      game_->apply_outcome(state, outcome);
      return true;
    };
    bool sound = true;
    try {
      game_->initial(state);
      sound = chance(records.opening[g]);
      for (size_t p = plies[g]; sound && p < plies[g + 1]; ++p) {
        sound =
            game_->kind(state) == NodeKind::decision && game_->is_legal(state, records.action[p]);
        if (!sound) break;
        game_->apply(state, records.action[p]);
        sound = chance(records.outcome[p]);
      }
    } catch (const GameFault& fault) {
      fail(group, slot, fault);
    }
    if (!sound) throw InputError(name + " contradicts the rules or its seed.");
    settle(group, slot);
  }
}

std::vector<RootSample> Slots::sample_roots() const {
  std::vector<RootSample> out;
  for (const Group& group : groups_)
    if (group.sample.game_id >= 0) out.push_back(group.sample);
  return out;
}

Slots::Counters Slots::counters() const {
  Counters sum;
  for (const Group& group : groups_) {
    const Counters& c = group.counters;
    sum.decisions += c.decisions;
    sum.searched += c.searched;
    sum.capped += c.capped;
    sum.forced += c.forced;
    sum.random += c.random;
    sum.external += c.external;
    sum.games += c.games;
    sum.rows += c.rows;
    sum.batches += c.batches;
    sum.passes.tree += c.passes.tree;
    sum.passes.encode += c.passes.encode;
    sum.passes.expand += c.passes.expand;
    sum.failed += c.failed;
    for (const Slot& slot : group.slots) sum.tree.add(slot.tree.counters());
  }
  return sum;
}

}  // namespace ludus
