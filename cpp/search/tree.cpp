#include "search/tree.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/errors.h"

namespace ludus {

namespace {

constexpr double kGoldenRatio = 0.6180339887498949;
constexpr float kNever = -1e30F;  // prior of padding: its score loses against every edge

uint64_t child_hash(NodeId parent, int edge, int outcome) {
  const uint64_t key = (static_cast<uint64_t>(parent) << 32) ^ (static_cast<uint64_t>(edge) << 16) ^
                       static_cast<uint64_t>(outcome);
  const uint64_t mixed = key * 0x9E3779B97F4A7C15ULL;
  return mixed ^ (mixed >> 29);
}

}  // namespace

void TreeCounters::add(const TreeCounters& other) {
  simulations += other.simulations;
  expansions += other.expansions;
  terminals += other.terminals;
  collisions += other.collisions;
  fallbacks += other.fallbacks;
  depth += other.depth;
  nodes += other.nodes;
  bytes += other.bytes;
  growths += other.growths;
}

Tree::Tree(const Game& game)
    : game_(game),
      info_(game.info()),
      state_words_(static_cast<uint32_t>((info_.state_size + 7) / 8)) {
  const auto legal = static_cast<size_t>(info_.max_legal);
  if (legal > kMaxEdges) throw InputError("A position may have at most 1024 search actions.");
  worst_step_ = node_words(legal) + padded(legal) + kMaxSeats;
  noised_.resize(padded(legal));
  squares_.resize(padded(legal));
  gumbel_.resize(padded(legal));
  log_prior_.resize(padded(legal));
  score_.resize(padded(legal));
}

void Tree::start(const void* state, const SearchSettings& settings, Effort effort, uint64_t seed,
                 uint64_t game_id, uint32_t ply, bool keep) {
  settings_ = &settings;
  const int budget = budget_ = effort.simulations;
  capped_ = effort.capped;
  loss_ = settings.max_inflight > 1 ? settings.virtual_loss : 0.0F;
  seed_ = seed;
  game_id_ = game_id;
  ply_ = ply;
  search_key_ = mix64(derive_seed(seed, Purpose::search, game_id) ^ ply);
  started_ = finished_ = 0;
  leaf_ = kNoNode;
  const auto size = static_cast<size_t>(info_.state_size);
  if (!keep || root_ == kNoNode || std::memcmp(this->state(root_), state, size) != 0) {
    used_ = 1;
    nodes_.clear();
    nodes_.reserve(static_cast<size_t>(budget) + 2);
    reset_table(static_cast<size_t>(budget) + 2);
    reserve(worst_step_);
    root_ = new_node(state, NodeKind::decision, kNoNode, 0, 0);
    root_ready_ = false;
  } else {
    nodes_.reserve(nodes_.size() + static_cast<size_t>(budget) + 2);
    reset_table(nodes_.capacity());
    for (const NodeId node : nodes_) insert(node);
    prepare_root();
  }
  if (settings.rule == Rule::gumbel)
    halving_schedule(std::min(settings.considered, num_actions(root_)), budget, schedule_);
}

void Tree::reserve(size_t words) {
  if (used_ + words <= arena_.size()) return;
  // A guess that most decisions never outgrow: half the worst case for each simulation.
  const size_t guess = used_ + words + static_cast<size_t>(budget_) * worst_step_ / 2;
  arena_.resize(std::max(guess, arena_.size() + arena_.size() / 2));
  ++counters_.growths;
}

void Tree::reset_table(size_t nodes) {
  size_t size = 16;
  while (size < 2 * nodes) size *= 2;
  if (table_.size() < size) {
    table_.resize(size);
    ++counters_.growths;
  }
  std::fill_n(table_.begin(), size, kNoNode);
  table_mask_ = size - 1;
}

NodeId Tree::find_child(NodeId parent, int edge, int outcome) const {
  for (size_t slot = child_hash(parent, edge, outcome);; ++slot) {
    const NodeId child = table_[slot & table_mask_];
    if (child == kNoNode) return kNoNode;
    const Node& node = at(child);
    if (node.parent == parent && node.parent_edge == edge && node.outcome == outcome) return child;
  }
}

void Tree::insert(NodeId child) {
  const Node& node = at(child);
  if (node.parent == kNoNode) return;
  size_t slot = child_hash(node.parent, node.parent_edge, node.outcome);
  while (table_[slot & table_mask_] != kNoNode) ++slot;
  table_[slot & table_mask_] = child;
}

NodeId Tree::new_node(const void* state, NodeKind kind, NodeId parent, int edge, int outcome) {
  const auto id = static_cast<NodeId>(used_);
  Node& node = at(id);
  node = Node{};
  node.parent = parent;
  node.parent_edge = static_cast<uint16_t>(edge);
  node.outcome = static_cast<uint16_t>(outcome);
  node.serial = static_cast<uint32_t>(nodes_.size());
  copy_position(&arena_[id + kHeaderWords], state);
  if (kind == NodeKind::terminal) {
    float* values = priors(id);
    std::fill_n(values, kMaxSeats, 0.0F);
    game_.returns(state, values);
    if (settings_->margin_weight > 0.0F) {
      float margins[kMaxSeats];
      game_.margins(state, margins);
      for (int seat = 0; seat < info_.num_seats; ++seat)
        values[seat] += settings_->margin_weight * (margins[seat] - values[seat]);
    }
    used_ += terminal_words();
  } else {
    auto* actions = reinterpret_cast<uint16_t*>(&arena_[actions_word(id)]);
    const int count = game_.search_actions(state, actions);
    node.num_edges = static_cast<uint16_t>(count);
    node.seat = static_cast<uint8_t>(game_.seat(state));
    node.waiting = 1;
    used_ += node_words(static_cast<size_t>(count));
  }
  nodes_.push_back(id);
  insert(id);
  return id;
}

const std::byte* Tree::state(NodeId node) const {
  return reinterpret_cast<const std::byte*>(&arena_[node + kHeaderWords]);
}

const uint16_t* Tree::actions(NodeId node) const {
  return reinterpret_cast<const uint16_t*>(&arena_[actions_word(node)]);
}

// Visits (float, so that they share lanes with the sums) and value sums of the edges.
void Tree::add_stats(NodeId id) {
  Node& node = at(id);
  const size_t edges = padded(node.num_edges);
  node.stats = static_cast<uint32_t>(used_);
  std::fill_n(&arena_[used_], edges, uint64_t{0});
  used_ += edges;
}

// PUCT: argmax of Q + c * P * sqrt(N) / (1 + n), the lowest edge among equals.
int Tree::best_edge(NodeId id, const float* prior) const {
  const Node& node = at(id);
  const auto edges = static_cast<int>(padded(node.num_edges));
  const float* visits = floats(node.stats);
  const float* sums = visits + edges;
  const auto total = static_cast<float>(node.visits);
  const float mean = node.value_sum / total;
  const float urgency =
      mean - settings_->fpu_reduction * std::sqrt(std::max(node.prior_visited, 0.0F));
  const float explore = settings_->c_puct * std::sqrt(total);
  FloatLanes best;
  IntLanes best_index;
  IntLanes index;
  for (int lane = 0; lane < kLanes; ++lane) {
    best[lane] = 2 * kNever;
    best_index[lane] = 0;
    index[lane] = lane;
  }
  for (int i = 0; i < edges; i += kLanes) {
    const auto n = load_lanes(visits + i);
    const auto w = load_lanes(sums + i);
    const auto p = load_lanes(prior + i);
    const IntLanes seen = n > 0.0F;
    const FloatLanes q = seen ? w / (seen ? n : n + 1.0F) : urgency - n;
    FloatLanes score = q + explore * p / (n + 1.0F);
    // Padding has a hugely negative prior; sqrt and c_puct may be 0, the prior itself never is.
    score = p < 0.5F * kNever ? p : score;
    const IntLanes better = score > best;
    best = better ? score : best;
    best_index = better ? index : best_index;
    index += kLanes;
  }
  int winner = best_index[0];
  float top = best[0];
  for (int lane = 1; lane < kLanes; ++lane)
    if (best[lane] > top || (best[lane] == top && best_index[lane] < winner)) {
      top = best[lane];
      winner = best_index[lane];
    }
  return winner;
}

Tree::Step Tree::select() {
  while (started_ < budget_ || !root_ready_) {
    if (!root_ready_) {
      if (leaf_ == root_) return Step::wait;  // the root's own evaluation is under way
      leaf_ = root_;
      return Step::leaf;
    }
    if (level_ends() && started_ != finished_) return Step::wait;
    reserve(worst_step_);
    ++started_;
    NodeId id = root_;
    uint64_t depth = 0;
    StateBytes position;
    for (;;) {
      Node& node = at(id);
      if (node.num_edges == 0) {  // terminal
        ++counters_.terminals;
        counters_.depth += depth;
        backup(id, priors(id));
        break;
      }
      if (node.waiting) {
        give_back(id);
        ++counters_.collisions;
        return Step::wait;
      }
      if (node.stats == 0) add_stats(id);
      const int edge = id == root_ ? root_edge() : best_edge(id, priors(id));
      float* visits = floats(node.stats);
      float* sums = visits + padded(node.num_edges);
      const float before = visits[edge];
      visits[edge] = before + 1.0F;
      sums[edge] -= loss_;
      if (before == 0.0F) node.prior_visited += priors(id)[edge];
      ++depth;

      copy_position(position.bytes, state(id));
      game_.apply(position.bytes, actions(id)[edge]);
      int outcome = 0;
      if (info_.has_chance && game_.kind(position.bytes) == NodeKind::chance) {
        const double offset = static_cast<double>(mix64(search_key_ ^ node.serial) >> 11) * 0x1p-53;
        const double quantile = offset + static_cast<double>(before) * kGoldenRatio;
        outcome = game_.outcome_at(position.bytes, quantile - std::floor(quantile));
      }
      // An edge without a simulation has no children to look for.
      NodeId child = before == 0.0F ? kNoNode : find_child(id, edge, outcome);
      if (child == kNoNode) {
        if (game_.kind(position.bytes) == NodeKind::chance)
          game_.apply_outcome(position.bytes, outcome);
        const NodeKind kind = game_.kind(position.bytes);
        child = new_node(position.bytes, kind, id, edge, outcome);
        if (kind != NodeKind::terminal) {
          counters_.depth += depth;
          leaf_ = child;
          return Step::leaf;
        }
      }
      id = child;
    }
  }
  return finished_ == budget_ ? Step::finished : Step::wait;
}

// Undoes the selection that ended at a waiting leaf.
void Tree::give_back(NodeId leaf) {
  --started_;
  for (NodeId id = leaf; id != root_;) {
    const Node& child = at(id);
    Node& parent = at(child.parent);
    float* visits = floats(parent.stats);
    float* sums = visits + padded(parent.num_edges);
    const int edge = child.parent_edge;
    visits[edge] -= 1.0F;
    sums[edge] += loss_;
    if (visits[edge] == 0.0F) parent.prior_visited -= priors(child.parent)[edge];
    id = child.parent;
  }
}

void Tree::expand(NodeId leaf, const float* logits, const float* values) {
  Node& node = at(leaf);
  float* prior = priors(leaf);
  const int edges = node.num_edges;
  const bool sound = softmax(logits, edges, prior);
  if (!sound) ++counters_.fallbacks;
  for (size_t i = static_cast<size_t>(edges); i < padded(node.num_edges); ++i) prior[i] = kNever;
  node.waiting = 0;
  ++counters_.expansions;
  if (leaf == root_) {
    node.visits = 1;
    node.value_sum = values[node.seat];
    root_fell_back_ = !sound;
    leaf_ = kNoNode;
    prepare_root();
  } else {
    backup(leaf, values);
  }
}

void Tree::backup(NodeId leaf, const float* values) {
  NodeId id = leaf;
  for (;;) {
    Node& node = at(id);
    ++node.visits;
    node.value_sum += values[node.seat];
    if (id == root_) break;
    const Node& parent = at(node.parent);
    float* sums = floats(parent.stats) + padded(parent.num_edges);
    const float value = values[parent.seat];
    sums[node.parent_edge] += loss_ + value;
    if (node.parent == root_) squares_[node.parent_edge] += value * value;
    id = node.parent;
  }
  ++finished_;
  ++counters_.simulations;
  if (finished_ == budget_) {
    counters_.nodes += nodes_.size();
    counters_.bytes += used_ * sizeof(uint64_t) + (table_mask_ + 1) * sizeof(NodeId) +
                       nodes_.size() * sizeof(NodeId);
  }
}

}  // namespace ludus
