// One simulation: down by the rule to a leaf, its answer, up again.
#include <algorithm>
#include <cmath>

#include "search/lanes.h"
#include "search/tree.h"

namespace ludus {

namespace {
constexpr double kGoldenRatio = 0.6180339887498949;
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
  while (started_ < budget_) {
    if (level_ends() && started_ != finished_) return Step::wait;
    ++started_;
    NodeId id = root_;
    uint64_t depth = 0;
    for (;;) {
      Node& node = at(id);
      if (node.status != Status::open) {
        if (node.status == Status::terminal) {
          ++counters_.terminals;
          counters_.depth += depth;
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

      // The position after the edge is made where the next node would stand.
      std::byte* after = position(count_ + 1);
      copy_position(after, state(id));
      game_.apply(after, edge_rows.actions[edge]);
      NodeKind kind = game_.kind(after);
      int outcome = 0;
      if (kind == NodeKind::chance) {
        const double offset = static_cast<double>(mix64(search_key_ ^ (id - 1)) >> 11) * 0x1p-53;
        const double quantile = offset + static_cast<double>(before) * kGoldenRatio;
        outcome = game_.outcome_at(after, quantile - std::floor(quantile));
      }
      // An edge without a simulation has no children to look for.
      const size_t slot =
          before == 0.0F ? empty_slot(id, edge, outcome) : slot_of(id, edge, outcome);
      const NodeId child = table_[slot];
      if (child != kNoNode) {
        id = child;
        continue;
      }
      if (kind == NodeKind::chance) {
        game_.apply_outcome(after, outcome);
        kind = game_.kind(after);
      }
      id = add_node(kind, id, edge, outcome);
      table_[slot] = static_cast<uint16_t>(id);
      if (kind != NodeKind::terminal) {
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
  for (NodeId id = leaf; id != root_;) {
    const Node& child = at(id);
    const Edges edge_rows = edges(at(child.parent));
    const int edge = child.parent_edge;
    edge_rows.visits[edge] -= 1.0F;
    edge_rows.sums[edge] += loss_;
    if (edge_rows.visits[edge] == 0.0F) *edge_rows.prior_visited -= edge_rows.priors[edge];
    id = child.parent;
  }
}

void Tree::expand(NodeId leaf, const float* logits, const float* values, bool finite) {
  Node& node = at(leaf);
  const int count = node.num_edges;
  if (leaf == root_) {
    const Edges edge_rows = edges(node);
    const bool sound = softmax(logits, count, edge_rows.priors);
    pad_priors(edge_rows.priors, count);
    answer_root(values, sound);
    return;
  }
  ++counters_.expansions;
  if (finite || all_finite(logits, static_cast<size_t>(count))) {
    node.block = take_block(logit_words(static_cast<size_t>(count)));
    copy_row(blocks_.floats(node.block), logits, count);
    node.status = Status::judged;
  } else {
    ++counters_.fallbacks;
    node.status = Status::level;
  }
  backup(leaf, values);
}

void Tree::expand_uniform(NodeId leaf) {
  const float values[kMaxSeats] = {};
  if (leaf == root_) {
    answer_root(values, true);  // open() made its priors alike
    return;
  }
  ++counters_.expansions;
  at(leaf).status = Status::level;
  backup(leaf, values);
}

void Tree::answer_root(const float* values, bool sound) {
  Node& node = at(root_);
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
  ++finished_;
  ++counters_.simulations;
  if (finished_ == budget_) {
    counters_.nodes += count_;
    counters_.bytes +=
        (nodes_.used() + blocks_.used()) * sizeof(uint64_t) + (table_mask_ + 1) * sizeof(uint16_t);
  }
}

}  // namespace ludus
