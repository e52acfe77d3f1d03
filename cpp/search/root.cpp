// What is special about the root: noise, Gumbel variables and halving, the target, the move.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "search/tree.h"

namespace ludus {

void halving_schedule(int considered, int budget, std::vector<uint16_t>& out) {
  out.clear();
  if (considered <= 1) {
    for (int i = 0; i < budget; ++i) out.push_back(static_cast<uint16_t>(i));
    return;
  }
  const int rounds = static_cast<int>(std::ceil(std::log2(static_cast<double>(considered))));
  int left = considered;
  int visits = 0;
  while (static_cast<int>(out.size()) < budget) {
    const int each = std::max(1, budget / (rounds * left));
    for (int round = 0; round < each; ++round, ++visits)
      for (int i = 0; i < left && static_cast<int>(out.size()) < budget; ++i)
        out.push_back(static_cast<uint16_t>(visits));
    left = std::max(2, left / 2);
  }
}

void ImprovedPolicy::logits(int count, const float* visits, const float* q, const float* prior,
                            const float* log_prior, float node_value, float variance,
                            float* out) const {
  float total = 0.0F;
  float most = 0.0F;
  float prior_sum = 0.0F;
  float weighted = 0.0F;
  for (int i = 0; i < count; ++i) {
    total += visits[i];
    most = std::max(most, visits[i]);
    if (visits[i] > 0.0F) {
      prior_sum += prior[i];
      weighted += prior[i] * q[i];
    }
  }
  // Mixed value (paper, appendix D): the node's own value with the visited actions' Q.
  const float mixed = total > 0.0F && prior_sum > 0.0F
                          ? (node_value + total * weighted / prior_sum) / (1.0F + total)
                          : node_value;
  // Q and values live in [-1, 1]; the paper's scale is for [0, 1].
  const float weight = 0.5F * (c_visit + most) * c_scale;
  const float spread = q_spread * q_spread;
  for (int i = 0; i < count; ++i) {
    out[i] = log_prior[i];
    if (visits[i] <= 0.0F) continue;  // completed by the mixed value: no advantage
    const float shrink = has_chance ? spread / (spread + variance / visits[i]) : 1.0F;
    out[i] += weight * shrink * (q[i] - mixed);
  }
}

// Once the root has priors: noise or Gumbel variables for this decision.
void Tree::prepare_root() {
  const Node& node = at(root_);
  const auto edges = static_cast<size_t>(node.num_edges);
  std::copy_n(priors(root_), padded(edges), noised_.begin());
  std::fill(squares_.begin(), squares_.end(), 0.0F);
  root_ready_ = true;
  if (node.stats != 0) {
    // A kept tree knows its edges' sums but not their squares: take what no variance would give.
    const float* visits = floats(node.stats);
    const float* sums = visits + padded(edges);
    for (size_t i = 0; i < edges; ++i)
      if (visits[i] > 0.0F) squares_[i] = sums[i] * sums[i] / visits[i];
  }
  if (settings_->rule == Rule::gumbel) {
    const float heat = settings_->temperature_at(static_cast<int>(ply_));
    Stream stream(seed_, Purpose::search, game_id_, ply_, kGumbelEvent);
    for (size_t i = 0; i < edges; ++i) {
      gumbel_[i] = heat > 0.0F ? heat * static_cast<float>(stream.gumbel()) : 0.0F;
      log_prior_[i] = std::log(std::max(priors(root_)[i], 1e-12F));
    }
    level_ = -1;
  } else if (settings_->noise_fraction > 0.0F && !capped_) {
    Stream stream(seed_, Purpose::search, game_id_, ply_, kNoiseEvent);
    double sum = 0.0;
    for (size_t i = 0; i < edges; ++i) {
      gumbel_[i] = static_cast<float>(stream.gamma(settings_->noise_alpha));
      sum += static_cast<double>(gumbel_[i]);
    }
    const auto scale = static_cast<float>(static_cast<double>(settings_->noise_fraction) / sum);
    const float keep = 1.0F - settings_->noise_fraction;
    for (size_t i = 0; i < edges; ++i) noised_[i] = keep * noised_[i] + scale * gumbel_[i];
  }
}

float Tree::q_variance() const {
  const Node& node = at(root_);
  if (node.stats == 0) return 0.0F;
  const float* visits = floats(node.stats);
  const float* sums = visits + padded(node.num_edges);
  float squares = 0.0F;
  float freedom = 0.0F;
  for (int i = 0; i < node.num_edges; ++i) {
    if (visits[i] <= 1.0F) continue;
    squares += squares_[static_cast<size_t>(i)] - sums[i] * sums[i] / visits[i];
    freedom += visits[i] - 1.0F;
  }
  return freedom > 0.0F ? std::max(squares, 0.0F) / freedom : 0.0F;
}

void Tree::improved_logits(float* out) const {
  const Node& node = at(root_);
  const auto edges = static_cast<size_t>(node.num_edges);
  float q[kMaxEdges];
  float zero[kMaxEdges];
  const float* visits = zero;
  float own = node.value_sum;
  std::fill_n(zero, edges, 0.0F);
  std::fill_n(q, edges, 0.0F);
  if (node.stats != 0) {
    visits = floats(node.stats);
    const float* sums = visits + padded(edges);
    for (size_t i = 0; i < edges; ++i) {
      q[i] = visits[i] > 0.0F ? sums[i] / visits[i] : 0.0F;
      own -= sums[i];
    }
  }
  const ImprovedPolicy rule{settings_->c_visit, settings_->c_scale, settings_->q_spread,
                            info_.has_chance};
  rule.logits(node.num_edges, visits, q, priors(root_), log_prior_.data(), own, q_variance(), out);
}

// Whether the next simulation begins a level of the halving. It must not while others are in
// flight: the comparison would see their virtual losses.
bool Tree::level_ends() const {
  return settings_->rule == Rule::gumbel && started_ < budget_ &&
         schedule_[static_cast<size_t>(started_)] != level_;
}

// The root's edge for the next simulation. The halving compares actions when a level begins, that
// is when the visits it asks for change; within a level each action is visited once, best first.
int Tree::root_edge() {
  if (settings_->rule != Rule::gumbel) return best_edge(root_, noised_.data());
  const Node& node = at(root_);
  const float* visits = floats(node.stats);
  const int asked = schedule_[static_cast<size_t>(started_ - 1)];
  if (asked != level_) {
    level_ = asked;
    improved_logits(score_.data());
    for (size_t i = 0; i < node.num_edges; ++i) score_[i] += gumbel_[i];
  }
  int best = -1;
  for (int i = 0; i < node.num_edges; ++i) {
    const bool waits = visits[i] == static_cast<float>(asked);
    if (waits && (best < 0 || score_[static_cast<size_t>(i)] > score_[static_cast<size_t>(best)]))
      best = i;
  }
  return best;  // a level has never more simulations than edges with the visits it asks for
}

int Tree::root_visits(int edge) const {
  const Node& node = at(root_);
  return node.stats == 0 ? 0 : static_cast<int>(floats(node.stats)[edge]);
}

float Tree::root_q(int edge) const {
  const Node& node = at(root_);
  if (node.stats == 0) return 0.0F;
  const float* visits = floats(node.stats);
  return visits[edge] > 0.0F
             ? visits[padded(node.num_edges) + static_cast<size_t>(edge)] / visits[edge]
             : 0.0F;
}

float Tree::root_prior(int edge) const { return priors(root_)[edge]; }
float Tree::root_noised(int edge) const { return noised_[static_cast<size_t>(edge)]; }

float Tree::root_value() const {
  const Node& node = at(root_);
  return node.value_sum / static_cast<float>(std::max(node.visits, 1U));
}

void Tree::policy(float* out) const {
  const Node& node = at(root_);
  if (settings_->rule == Rule::gumbel) {
    float logits[kMaxEdges];
    float shares[kMaxEdges];  // softmax wants room for whole vectors
    improved_logits(logits);
    softmax(logits, node.num_edges, shares);
    std::copy_n(shares, node.num_edges, out);
    return;
  }
  float total = 0.0F;
  for (int i = 0; i < node.num_edges; ++i) total += static_cast<float>(root_visits(i));
  for (int i = 0; i < node.num_edges; ++i)
    out[i] = total > 0.0F ? static_cast<float>(root_visits(i)) / total : root_prior(i);
}

int Tree::choose() const {
  const Node& node = at(root_);
  const int edges = node.num_edges;
  if (settings_->rule == Rule::gumbel) {
    float score[kMaxEdges];
    improved_logits(score);
    int best = 0;
    for (int i = 0; i < edges; ++i) {
      score[i] += gumbel_[static_cast<size_t>(i)];
      const int more = root_visits(i) - root_visits(best);
      if (more > 0 || (more == 0 && score[i] > score[best])) best = i;
    }
    return best;
  }
  int most = 0;
  for (int i = 1; i < edges; ++i) {
    // Without a simulation (a budget of 0) the prior decides.
    const int more = root_visits(i) - root_visits(most);
    if (more > 0 || (more == 0 && root_visits(i) == 0 && root_noised(i) > root_noised(most)))
      most = i;
  }
  const float heat = settings_->temperature_at(static_cast<int>(ply_));
  if (heat <= 0.0F || root_visits(most) == 0) return most;
  // Weights relative to the most visited edge stay in [0, 1] however small the temperature.
  double sum = 0.0;
  const double top = root_visits(most);
  auto weight = [&](int i) {
    const double share = root_visits(i) / top;
    return heat == 1.0F ? share : std::pow(share, 1.0 / static_cast<double>(heat));
  };
  for (int i = 0; i < edges; ++i) sum += weight(i);
  double rest = Stream(seed_, Purpose::action, game_id_, ply_).uniform() * sum;
  for (int i = 0; i < edges; ++i) {
    rest -= weight(i);
    if (rest < 0.0 && root_visits(i) > 0) return i;
  }
  return most;
}

bool Tree::reroot(int edge, int outcome) {
  const NodeId kept = find_child(root_, edge, outcome);
  if (kept == kNoNode || at(kept).num_edges == 0 || at(kept).waiting) {
    root_ = kNoNode;
    return false;
  }
  // Parents come before children, so one pass copies the subtree; a copied node's `stats` then
  // holds its new place, and `waiting` marks it.
  spare_.resize(arena_.size());
  size_t used = 1;
  size_t count = 0;
  for (const NodeId old : nodes_) {
    Node& node = at(old);
    const bool wanted =
        old == kept || (node.parent != kNoNode && old > kept && at(node.parent).waiting == 2);
    if (!wanted) continue;
    const size_t words = node.num_edges == 0 ? terminal_words() : node_words(node.num_edges);
    const auto place = static_cast<NodeId>(used);
    std::memcpy(&spare_[place], &arena_[old], words * sizeof(uint64_t));
    used += words;
    auto& copy = *reinterpret_cast<Node*>(&spare_[place]);
    copy.parent = old == kept ? kNoNode : at(node.parent).stats;
    copy.waiting = 0;
    if (node.stats != 0) {
      const size_t edges = padded(node.num_edges);
      std::memcpy(&spare_[used], &arena_[node.stats], edges * sizeof(uint64_t));
      copy.stats = static_cast<uint32_t>(used);
      used += edges;
    }
    node.stats = place;
    node.waiting = 2;
    nodes_[count++] = place;
  }
  nodes_.resize(count);
  arena_.swap(spare_);
  used_ = used;
  root_ = nodes_.front();
  return true;
}

}  // namespace ludus
