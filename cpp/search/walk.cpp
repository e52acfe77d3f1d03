// One simulation: down by the rule to a leaf, its answer, up again.
#include <algorithm>
#include <cmath>

#include "search/lanes.h"
#include "search/tree.h"

namespace ludus {

namespace {
constexpr double kGoldenRatio = 0.6180339887498949;

// The hash of a public history with one action more.
uint64_t longer(uint64_t history, int action) {
  return mix64(history ^ (static_cast<uint64_t>(action) + 1));
}
}  // namespace

// PUCT: argmax of Q + c * P * sqrt(N) / (1 + n), the lowest edge among equals.
int Tree::best_edge(const Node& node, const Edges& edges, const float* prior) const {
  const auto count = static_cast<int>(padded(node.num_edges));
  const auto total = static_cast<float>(node.visits);
  const float mean = node.value_sum / total;
  const float urgency =
      mean - settings_->fpu_reduction * std::sqrt(std::max(*edges.prior_visited, 0.0F));
  const float explore = settings_->c_puct * std::sqrt(total);
  BestLanes best;
  for (int i = 0; i < count; i += kLanes) {
    const auto n = load_lanes(edges.visits + i);
    const auto w = load_lanes(edges.sums + i);
    const auto p = load_lanes(prior + i);
    const IntLanes seen = n > 0.0F;
    const FloatLanes q = seen ? w / (seen ? n : n + 1.0F) : urgency - n;
    const FloatLanes score = q + explore * p / (n + 1.0F);
    // Padding has a hugely negative prior; sqrt and c_puct may be 0, the prior itself never is.
    best.take(p < BestLanes::kNever ? p : score, i);
  }
  return best.index();
}

Tree::Step Tree::select() {
  if (!root_ready_) {
    if (leaf_ == root_) return Step::wait;  // the root's own evaluation is under way
    leaf_ = root_;
    return Step::leaf;
  }
  switch (below_) {
    case Below::game:
      return walk<Below::game>();
    case Below::ensemble:
      return walk<Below::ensemble>();
    default:
      return walk<Below::shared>();
  }
}

// Plays on while there is only one search action: no choice, so nothing to search or to evaluate.
// Calls played(action) for each.
template <class F>
NodeKind Tree::play_on(std::byte* state, F&& played) const {
  uint16_t actions[kMaxEdges];
  NodeKind kind = NodeKind::decision;
  while (kind == NodeKind::decision && game_.search_actions(state, actions) == 1) {
    game_.apply(state, actions[0]);
    played(actions[0]);
    kind = game_.kind(state);
  }
  return kind;
}

// A node's children are told apart by a number beside its edge: the outcome of the chance event
// behind it, below a root with worlds the world (and the outcome times their number); where nodes
// are shared, the first world that looks the same to the child's mover.
template <Tree::Below below>
Tree::Step Tree::walk() {
  constexpr bool kShared = below == Below::shared;
  const bool listed = info_.has_chance && !info_.sampled_chance;
  const bool one_child = this->one_child();
  StateBytes walking;  // where nodes are shared: the position of this simulation's own world
  while (started_ < budget_) {
    if (level_ends() && started_ != finished_) return Step::wait;
    ++started_;
    NodeId id = root_;
    uint64_t depth = 0;
    int world_number = 0;
    if (kShared) path_[0] = 0;
    for (;;) {
      Node& node = at(id);
      if (node.status != Status::open) {
        if (node.status == Status::terminal) {
          ++counters_.terminals;
          counters_.depth += depth;
          if (kShared)
            backup(id, blocks_.floats(node.block), path_.data());
          else
            backup(id, blocks_.floats(node.block));
          break;
        }
        if (node.status == Status::waiting) {
          give_back(id);
          ++counters_.collisions;
          return Step::wait;
        }
        open(id);
      }
      const Edges edge_rows = edges(node);
      const int edge =
          id == root_ ? root_edge(edge_rows) : best_edge(node, edge_rows, edge_rows.priors);
      const float before = edge_rows.visits[edge];
      edge_rows.visits[edge] = before + 1.0F;
      edge_rows.sums[edge] -= loss_;
      if (before == 0.0F) *edge_rows.prior_visited += edge_rows.priors[edge];
      ++depth;

      const bool from_world = below != Below::game && id == root_;
      if (from_world) world_number = static_cast<int>(before) % num_worlds_;
      int which = from_world ? world_number : 0;
      // The position after the edge is made where the next node would stand.
      std::byte* after = position(count_ + 1);
      NodeKind kind = NodeKind::decision;
      size_t slot = 0;
      bool direct = false;  // the child stands with its edge, not in the table
      uint64_t past = 0;
      if constexpr (kShared) {
        path_[++path_[0]] = static_cast<uint64_t>(id) << 16 | static_cast<uint64_t>(edge);
        if (from_world) copy_position(walking.bytes, world(world_number));
        game_.apply(walking.bytes, edge_rows.actions[edge]);
        kind = game_.kind(walking.bytes);
        past = longer(history(id), edge_rows.actions[edge]);
        if (kind == NodeKind::decision && settings_->skip_forced)
          kind = play_on(walking.bytes, [&](int action) { past = longer(past, action); });
        which = kind == NodeKind::decision ? class_of(game_.seat(walking.bytes), world_number)
                                           : world_number;
        slot = shared_slot(past, which);
        if (table_[slot] == kNoNode) copy_position(after, walking.bytes);
      } else {
        if (below == Below::ensemble && one_child && before > 0.0F) {
          // Nothing but the world can make a difference: the child is known without its position.
          const NodeId child =
              from_world ? table_[slot_of(id, edge, which)] : edge_rows.children[edge];
          if (child != kNoNode) {
            id = child;
            continue;
          }
        }
        copy_position(after, from_world ? world(world_number) : state(id));
        game_.apply(after, edge_rows.actions[edge]);
        kind = game_.kind(after);
        if (below == Below::ensemble && kind == NodeKind::decision && settings_->skip_forced)
          kind = play_on(after, [](int) {});
        int outcome = 0;
        if (kind == NodeKind::chance && listed) {
          const double offset = static_cast<double>(mix64(search_key_ ^ (id - 1)) >> 11) * 0x1p-53;
          const int turn = from_world ? static_cast<int>(before) / num_worlds_ : 0;
          const double quantile =
              offset +
              static_cast<double>(from_world ? static_cast<float>(turn) : before) * kGoldenRatio;
          outcome = game_.outcome_at(after, quantile - std::floor(quantile));
          which += from_world ? outcome * num_worlds_ : outcome;
        }
        direct = below == Below::ensemble && one_child && !from_world;
        // An edge without a simulation has no children to look for.
        if (!direct) slot = before == 0.0F ? empty_slot(id, edge, which) : slot_of(id, edge, which);
        if (kind == NodeKind::chance && listed && table_[slot] == kNoNode) {
          game_.apply_outcome(after, outcome);
          kind = game_.kind(after);
        }
      }
      const NodeId child = direct ? kNoNode : NodeId{table_[slot]};
      if (child != kNoNode) {
        id = child;
        continue;
      }
      const NodeId parent = id;
      id = add_node(kind, parent, edge, which);  // may move the blocks
      (direct ? edges(at(parent)).children[edge] : table_[slot]) = static_cast<uint16_t>(id);
      if (kShared) history(id) = past;
      if (kind == NodeKind::decision) {
        if (kShared) keep_path(id);
        counters_.depth += depth;
        leaf_ = id;
        return Step::leaf;
      }
    }
  }
  return finished_ == budget_ ? Step::finished : Step::wait;
}

// Undoes the selection that ended at a waiting leaf.
void Tree::give_back(NodeId leaf) {
  --started_;
  auto undo = [&](const Node& node, int edge) {
    const Edges edge_rows = edges(node);
    edge_rows.visits[edge] -= 1.0F;
    edge_rows.sums[edge] += loss_;
    if (edge_rows.visits[edge] == 0.0F) *edge_rows.prior_visited -= edge_rows.priors[edge];
  };
  if (below_ == Below::shared) {
    for (uint64_t i = path_[0]; i > 0; --i)
      undo(at(static_cast<NodeId>(path_[i] >> 16)), static_cast<int>(path_[i] & 65535));
    return;
  }
  for (NodeId id = leaf; id != root_; id = at(id).parent)
    undo(at(at(id).parent), at(id).parent_edge);
}

void Tree::expand(NodeId leaf, const float* logits, const float* values, bool finite,
                  const float* belief) {
  Node& node = at(leaf);
  const int count = node.num_edges;
  if (leaf == root_) {
    const Edges edge_rows = edges(node);
    const bool sound = softmax(logits, count, edge_rows.priors);
    pad_priors(edge_rows.priors, count);
    answer_root(values, sound, belief);
    return;
  }
  ++counters_.expansions;
  const uint32_t path = node.block;  // of a shared node
  if (finite || all_finite(logits, static_cast<size_t>(count))) {
    node.block = take_block(logit_words(static_cast<size_t>(count)));
    copy_row(blocks_.floats(node.block), logits, count);
    node.status = Status::judged;
  } else {
    ++counters_.fallbacks;
    node.status = Status::level;
  }
  if (below_ == Below::shared)
    backup(leaf, values, blocks_.word(path));
  else
    backup(leaf, values);
}

void Tree::expand_uniform(NodeId leaf) {
  const float values[kMaxSeats] = {};
  if (leaf == root_) {
    answer_root(values, true, nullptr);  // open() made its priors alike
    return;
  }
  ++counters_.expansions;
  Node& node = at(leaf);
  node.status = Status::level;
  if (below_ == Below::shared)
    backup(leaf, values, blocks_.word(node.block));
  else
    backup(leaf, values);
}

void Tree::answer_root(const float* values, bool sound, const float* belief) {
  Node& node = at(root_);
  if (candidates_ > 0) {
    Stream stream(seed_, Purpose::search, game_id_, ply_, kBeliefEvent);
    choose_worlds(belief, stream);
  }
  node.status = Status::open;
  node.visits = 1;
  node.value_sum = values[node.seat];
  root_fell_back_ = !sound;
  counters_.fallbacks += !sound;
  ++counters_.expansions;
  leaf_ = kNoNode;
  prepare_root();
}

void Tree::backup(NodeId leaf, const float* values) {
  NodeId id = leaf;
  for (;;) {
    Node& node = at(id);
    ++node.visits;
    node.value_sum += values[node.seat];
    if (id == root_) break;
    const Node& parent = at(node.parent);
    const float value = values[parent.seat];
    edges(parent).sums[node.parent_edge] += loss_ + value;
    if (node.parent == root_) root_row(kSquares)[node.parent_edge] += value * value;
    id = node.parent;
  }
  end_simulation();
}

// The same by the way that the simulation took.
void Tree::backup(NodeId leaf, const float* values, const uint64_t* path) {
  Node& end = at(leaf);
  ++end.visits;
  end.value_sum += values[end.seat];
  for (uint64_t i = path[0]; i > 0; --i) {
    const auto id = static_cast<NodeId>(path[i] >> 16);
    const auto edge = static_cast<size_t>(path[i] & 65535);
    Node& node = at(id);
    const float value = values[node.seat];
    ++node.visits;
    node.value_sum += value;
    edges(node).sums[edge] += loss_ + value;
    if (id == root_) root_row(kSquares)[edge] += value * value;
  }
  end_simulation();
}

void Tree::end_simulation() {
  ++finished_;
  ++counters_.simulations;
  if (finished_ == budget_) {
    counters_.nodes += count_;
    counters_.bytes +=
        (nodes_.used() + blocks_.used()) * sizeof(uint64_t) + (table_mask_ + 1) * sizeof(uint16_t);
  }
}

}  // namespace ludus
