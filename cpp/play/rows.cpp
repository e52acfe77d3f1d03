#include "play/rows.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "base/errors.h"
#include "base/half.h"
#include "play/records.h"

namespace ludus {

namespace {

// The target of one searched ply: visit shares (PUCT) or the improved policy (Gumbel).
void policy_target(const RecordView& view, const ImprovedPolicy& improved, size_t ply, size_t edge,
                   int count, float* out) {
  float visits[Tree::kMaxEdges];
  float q[Tree::kMaxEdges];
  float prior[Tree::kMaxEdges];
  float total = 0.0F;
  float own = 0.0F;
  // One column at a time: each of these loops is a few vectors.
  for (int i = 0; i < count; ++i) visits[i] = view.visits[edge + static_cast<size_t>(i)];
  for (int i = 0; i < count; ++i) q[i] = from_half(view.q[edge + static_cast<size_t>(i)]);
  for (int i = 0; i < count; ++i) prior[i] = from_half(view.prior[edge + static_cast<size_t>(i)]);
  for (int i = 0; i < count; ++i) {
    total += visits[i];
    own -= visits[i] * q[i];
  }
  if (static_cast<Rule>(view.rule[ply]) == Rule::gumbel) {
    // The root's own value: what the mean over all simulations holds beyond the edges' sums.
    own += (total + 1.0F) * from_half(view.root_value[ply]);
    float log_prior[Tree::kMaxEdges];
    float logits[Tree::kMaxEdges];
    for (int i = 0; i < count; ++i) log_prior[i] = std::log(std::max(prior[i], 1e-12F));
    improved.logits(count, visits, q, prior, log_prior, std::clamp(own, -1.0F, 1.0F),
                    from_half(view.q_variance[ply]), logits);
    float shares[Tree::kMaxEdges];  // softmax wants room for whole vectors
    softmax(logits, count, shares);
    std::copy_n(shares, count, out);
    return;
  }
  float sum = total;
  if (total <= 0.0F)
    for (int i = 0; i < count; ++i) sum += visits[i] = std::max(prior[i], 1e-8F);
  for (int i = 0; i < count; ++i) out[i] = visits[i] / sum;
}

// p^(1/tau), normalised. Relative to the likeliest, so that nothing overflows.
void temper(float* policy, int count, float temperature) {
  const float most = *std::max_element(policy, policy + count);
  float sum = 0.0F;
  for (int i = 0; i < count; ++i) sum += policy[i] = std::pow(policy[i] / most, 1.0F / temperature);
  for (int i = 0; i < count; ++i) policy[i] /= sum;
}

}  // namespace

RowDecoder::RowDecoder(std::shared_ptr<const Game> game, const RecordView& view,
                       ImprovedPolicy rule, float target_temperature, bool open)
    : game_(std::move(game)),
      view_(view),
      rule_(rule),
      target_temperature_(target_temperature),
      open_(open) {
  if (!(target_temperature > 0.0F))
    throw InputError("A temperature of policy targets must be above 0.");
  ply_begin_.reserve(view.games + 1);
  edge_begin_.reserve(view.games + 1);
  uint64_t ply = 0;
  uint64_t edge = 0;
  for (size_t g = 0; g < view.games; ++g) {
    ply_begin_.push_back(ply);
    edge_begin_.push_back(edge);
    const auto end = ply + static_cast<uint64_t>(std::max(view.plies[g], 0));
    if (end > view.ply_rows) break;
    for (; ply < end; ++ply) edge += view.edges[ply];
  }
  if (ply != view.ply_rows || edge != view.edge_rows || ply_begin_.size() != view.games)
    throw InputError("The columns of these game records contradict each other in length.");
  ply_begin_.push_back(ply);
  edge_begin_.push_back(edge);
}

size_t RowDecoder::fill(size_t count, const int64_t* games, const int32_t* plies,
                        const RowArrays& out) const {
  const GameInfo& info = game_->info();
  const auto width = static_cast<size_t>(info.observation_size);
  const size_t values = info.num_seats > 2 ? static_cast<size_t>(info.num_seats) : 1;
  const auto columns = static_cast<size_t>(info.num_actions);
  size_t first = 0;  // entry of `legal` and `policy` at which the row begins
  out.offsets[0] = 0;
  Cursor at;
  Stage stage;
  uint16_t actions[Tree::kMaxEdges];
  for (size_t row = 0; row < count; ++row) {
    const int64_t game = games[row];
    if (game < 0 || static_cast<size_t>(game) >= view_.games)
      throw InputError("There is no game " + std::to_string(game) + " in these records.");
    const auto g = static_cast<size_t>(game);
    if (plies[row] < 0 || plies[row] >= view_.plies[g])
      throw InputError("Game " + std::to_string(game) + " has no ply " +
                       std::to_string(plies[row]) + ".");
    const size_t p = ply_begin_[g] + static_cast<size_t>(plies[row]);
    advance(at, game, plies[row]);
    const std::byte* state = at.state.bytes;
    require(game_->kind(state) == NodeKind::decision, game);
    const int seat = game_->seat(state);
    const bool open = open_ && row % 2 == 1;
    if (out.holder != nullptr) find_holders(state, seat, open, row, out);
    if (open)
      game_->observe_open(state, seat, out.observations + row * width);
    else
      game_->observe(state, seat, out.observations + row * width);
    const int legal = game_->search_actions(state, actions);
    if (first + static_cast<size_t>(legal) > out.capacity)
      throw InputError("The arrays for training rows have no room for all legal actions.");
    const bool searched = view_.edges[p] > 0;
    require(!searched || view_.edges[p] == legal, game);
    // A search on a small budget (playout cap) has a value worth learning, but no policy.
    const bool teaches = searched && (view_.flags[p] & kCapped) == 0;
    float* policy = out.policy + first;
    if (teaches) {
      policy_target(view_, rule_, p, at.edge, legal, policy);
      if (target_temperature_ != 1.0F) temper(policy, legal, target_temperature_);
    } else {
      std::fill_n(policy, legal, 1.0F / static_cast<float>(legal));
    }
    for (int i = 0; i < legal; ++i)
      out.legal[first + static_cast<size_t>(i)] = static_cast<int32_t>(row * columns + actions[i]);
    first += static_cast<size_t>(legal);
    out.offsets[row + 1] = static_cast<int32_t>(first);
    if (stage.game != game || at.ply < stage.begin || at.ply >= stage.end) {
      if (info.sampled_chance)
        find_stage(stage, at);
      else
        recorded_results(stage, game);
    }
    const int players = game_->players(state);
    out.players[row] = players;
    float* value = out.value + row * values;
    float* margin = out.margin + row * values;
    for (int i = 0, one = seat; i < static_cast<int>(values); ++i) {
      value[i] = i < players ? stage.returns[one] : 0.0F;
      margin[i] = i < players ? stage.margins[one] : 0.0F;
      one = one + 1 == players ? 0 : one + 1;
    }
    out.root_value[row] = searched ? from_half(view_.root_value[p]) : value[0];
    out.searched[row] = teaches ? 1 : 0;
  }
  return first;
}

void RowDecoder::require(bool sound, int64_t game) const {
  if (!sound)
    throw InputError("Game " + std::to_string(game) + " of these records contradicts the rules.");
}

void RowDecoder::chance(std::byte* state, int outcome, int64_t game) const {
  if (outcome < 0) return;
  require(game_->kind(state) == NodeKind::chance && game_->is_outcome(state, outcome), game);
  game_->apply_outcome(state, outcome);
}

// Plays the action of a ply, a row of the columns.
void RowDecoder::step(std::byte* state, int64_t game, size_t ply) const {
  require(game_->is_legal(state, view_.action[ply]), game);
  game_->apply(state, view_.action[ply]);
}

void RowDecoder::advance(Cursor& at, int64_t game, int32_t ply) const {
  const auto g = static_cast<size_t>(game);
  if (at.game != game || at.ply > ply) {
    at.game = game;
    at.ply = 0;
    at.edge = edge_begin_[g];
    game_->initial(at.state.bytes);
    chance(at.state.bytes, view_.opening[g], game);
  }
  for (; at.ply < ply; ++at.ply) {
    const size_t p = ply_begin_[g] + static_cast<size_t>(at.ply);
    step(at.state.bytes, game, p);
    chance(at.state.bytes, view_.outcome[p], game);
    at.edge += view_.edges[p];
  }
}

void RowDecoder::find_holders(const std::byte* state, int seat, bool open, size_t row,
                              const RowArrays& out) const {
  const auto things = static_cast<size_t>(game_->info().hidden_things);
  uint8_t* holder = out.holder + row * things;
  uint8_t* possible = out.possible + row * things;
  uint8_t* held = out.held + row * kHolders;
  if (open) {
    std::fill_n(holder, things, kNotHidden);
    std::fill_n(possible, things, uint8_t{0});
    std::fill_n(held, kHolders, uint8_t{0});
    return;
  }
  game_->holders(state, seat, holder);
  game_->possible_holders(state, seat, possible, held);
}

void RowDecoder::find_stage(Stage& stage, const Cursor& from) const {
  const auto g = static_cast<size_t>(from.game);
  StateBytes after = from.state;
  stage.game = from.game;
  stage.begin = from.ply;
  for (stage.end = from.ply; game_->kind(after.bytes) == NodeKind::decision; ++stage.end) {
    require(stage.end < view_.plies[g], from.game);
    step(after.bytes, from.game, ply_begin_[g] + static_cast<size_t>(stage.end));
  }
  game_->stage_returns(after.bytes, stage.returns);
  game_->stage_margins(after.bytes, stage.margins);
}

void RowDecoder::recorded_results(Stage& stage, int64_t game) const {
  const GameInfo& info = game_->info();
  const auto seats = static_cast<size_t>(info.num_seats);
  const auto g = static_cast<size_t>(game);
  stage.game = game;
  stage.begin = 0;
  stage.end = view_.plies[g];
  const float* scores = view_.scores + g * seats;
  for (size_t own = 0; own < seats; ++own) {
    float best_other = -1e30F;
    for (size_t s = 0; s < seats; ++s)
      if (s != own) best_other = std::max(best_other, scores[s]);
    stage.returns[own] = view_.returns[g * seats + own];
    stage.margins[own] = std::tanh((scores[own] - best_other) / info.margin_scale);
  }
}

TrainingRows RowDecoder::rows(size_t count, const int64_t* games, const int32_t* plies) const {
  const GameInfo& info = game_->info();
  const size_t room = count * static_cast<size_t>(info.max_legal);
  TrainingRows out;
  out.observations.resize(count * static_cast<size_t>(info.observation_size));
  out.legal.resize(room);
  out.offsets.resize(count + 1);
  out.policy.resize(room);
  const size_t values = count * static_cast<size_t>(info.num_seats > 2 ? info.num_seats : 1);
  out.value.resize(values);
  out.margin.resize(values);
  out.players.resize(count);
  out.root_value.resize(count);
  out.searched.resize(count);
  RowArrays arrays;
  arrays.capacity = room;
  arrays.observations = out.observations.data();
  arrays.legal = out.legal.data();
  arrays.offsets = out.offsets.data();
  arrays.policy = out.policy.data();
  arrays.value = out.value.data();
  arrays.margin = out.margin.data();
  arrays.players = out.players.data();
  arrays.root_value = out.root_value.data();
  arrays.searched = out.searched.data();
  const size_t entries = fill(count, games, plies, arrays);
  out.legal.resize(entries);
  out.policy.resize(entries);
  return out;
}

}  // namespace ludus
