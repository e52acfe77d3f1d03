// What is special about the root: noise, Gumbel variables and halving, the target, the move.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "search/lanes.h"
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
    const float share = visits[i] > 0.0F ? prior[i] : 0.0F;
    prior_sum += share;
    weighted += share * q[i];
  }
  // Mixed value (paper, appendix D): the node's own value with the visited actions' Q.
  const float mixed = total > 0.0F && prior_sum > 0.0F
                          ? (node_value + total * weighted / prior_sum) / (1.0F + total)
                          : node_value;
  // Q and values live in [-1, 1]; the paper's scale is for [0, 1].
  const float weight = 0.5F * (c_visit + most) * c_scale;
  const float spread = q_spread * q_spread;
  for (int i = 0; i < count; ++i) {
    // Without branches, so that edges share vectors.
    const float n = visits[i] > 0.0F ? visits[i] : 1.0F;
    const float shrink = has_chance ? spread / (spread + variance / n) : 1.0F;
    const float advantage = weight * shrink * (q[i] - mixed);
    // An edge without a simulation is completed by the mixed value: no advantage.
    out[i] = log_prior[i] + (visits[i] > 0.0F ? advantage : 0.0F);
  }
}

// Once the root has priors: noise or Gumbel variables for this decision.
void Tree::prepare_root() {
  const Node& node = at(root_);
  const auto count = static_cast<size_t>(node.num_edges);
  const Edges edge = edges(node);
  float* squares = root_row(kSquares);
  // A kept tree knows its edges' sums but not their squares: take what no variance would give.
  for (size_t i = 0; i < count; ++i)
    squares[i] = edge.visits[i] > 0.0F ? edge.sums[i] * edge.sums[i] / edge.visits[i] : 0.0F;
  root_ready_ = true;
  noised_ = false;
  float* gumbel = root_row(kGumbel);
  if (settings_->rule == Rule::gumbel) {
    const float heat = settings_->temperature_at(static_cast<int>(ply_));
    Stream stream(seed_, Purpose::search, game_id_, ply_, kGumbelEvent);
    float* log_prior = root_row(kLogPrior);
    for (size_t i = 0; i < count; ++i) {
      gumbel[i] = heat > 0.0F ? heat * static_cast<float>(stream.gumbel()) : 0.0F;
      log_prior[i] = std::log(std::max(edge.priors[i], 1e-12F));
    }
    level_ = -1;
  } else if (settings_->noise_fraction > 0.0F && !capped_) {
    Stream stream(seed_, Purpose::search, game_id_, ply_, kNoiseEvent);
    double sum = 0.0;
    for (size_t i = 0; i < count; ++i) {
      gumbel[i] = static_cast<float>(stream.gamma(settings_->noise_alpha));
      sum += static_cast<double>(gumbel[i]);
    }
    const auto scale = static_cast<float>(static_cast<double>(settings_->noise_fraction) / sum);
    const float keep = 1.0F - settings_->noise_fraction;
    float* noised = root_row(kNoised);
    for (size_t i = 0; i < count; ++i) noised[i] = keep * edge.priors[i] + scale * gumbel[i];
    pad_priors(noised, static_cast<int>(count));
    noised_ = true;
  }
}

float Tree::q_variance() const {
  const Node& node = at(root_);
  const Edges edge = edges(node);
  float within[kMaxEdges];
  const float* square = root_row(kSquares);
  for (int i = 0; i < node.num_edges; ++i) {
    const float n = edge.visits[i] > 1.0F ? edge.visits[i] : 2.0F;
    within[i] = square[i] - edge.sums[i] * edge.sums[i] / n;
  }
  float squares = 0.0F;
  float freedom = 0.0F;
  for (int i = 0; i < node.num_edges; ++i) {
    const float n = edge.visits[i];
    squares += n > 1.0F ? within[i] : 0.0F;
    freedom += n > 1.0F ? n - 1.0F : 0.0F;
  }
  return freedom > 0.0F ? std::max(squares, 0.0F) / freedom : 0.0F;
}

void Tree::improved_logits(float* out) const {
  const Node& node = at(root_);
  const auto count = static_cast<size_t>(node.num_edges);
  const Edges edge = edges(node);
  float q[kMaxEdges];
  float own = node.value_sum;
  for (size_t i = 0; i < count; ++i) {
    const float n = edge.visits[i] > 0.0F ? edge.visits[i] : 1.0F;
    q[i] = edge.visits[i] > 0.0F ? edge.sums[i] / n : 0.0F;
    own -= edge.sums[i];
  }
  const ImprovedPolicy rule{settings_->c_visit, settings_->c_scale, settings_->q_spread,
                            info_.has_chance || info_.has_hidden};
  rule.logits(node.num_edges, edge.visits, q, edge.priors, root_row(kLogPrior), own, q_variance(),
              out);
}

// Whether the next simulation begins a level of the halving. It must not while others are in
// flight: the comparison would see their virtual losses.
bool Tree::level_ends() const {
  return settings_->rule == Rule::gumbel && started_ < budget_ &&
         schedule_[static_cast<size_t>(started_)] != level_;
}

// The root's edge for the next simulation. The halving compares actions when a level begins, that
// is when the visits it asks for change; within a level each action is visited once, best first.
int Tree::root_edge(const Edges& edge) {
  const Node& node = at(root_);
  if (settings_->rule != Rule::gumbel)
    return best_edge(node, edge, noised_ ? root_row(kNoised) : edge.priors);
  const int asked = schedule_[static_cast<size_t>(started_ - 1)];
  const size_t width = padded(node.num_edges);
  float* score = root_row(kScore);
  if (asked != level_) {
    level_ = asked;
    improved_logits(score);
    const float* gumbel = root_row(kGumbel);
    for (size_t i = 0; i < node.num_edges; ++i) score[i] += gumbel[i];
    pad_priors(score, node.num_edges);
  }
  // A level has never more simulations than edges with the visits that it asks for.
  BestLanes best;
  for (size_t i = 0; i < width; i += kLanes) {
    const IntLanes waits = load_lanes(edge.visits + i) == static_cast<float>(asked);
    best.take(waits ? load_lanes(score + i) : FloatLanes{} + BestLanes::kPadding,
              static_cast<int>(i));
  }
  return best.index();
}

int Tree::root_visits(int edge) const { return static_cast<int>(edges(at(root_)).visits[edge]); }

float Tree::root_q(int edge) const {
  const Edges all = edges(at(root_));
  return all.visits[edge] > 0.0F ? all.sums[edge] / all.visits[edge] : 0.0F;
}

float Tree::root_prior(int edge) const { return edges(at(root_)).priors[edge]; }
float Tree::root_noised(int edge) const {
  return noised_ ? root_row(kNoised)[edge] : root_prior(edge);
}

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
      score[i] += root_row(kGumbel)[i];
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

}  // namespace ludus
