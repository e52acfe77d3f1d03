#include "play/losses.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "base/errors.h"
#include "base/softmax.h"

namespace ludus {

namespace {

// Adds the squared error of tanh(x) to `sum`; returns its derivative by x over `count` rows.
float squared(float x, float target, float weight, float count, double& sum) {
  const float y = std::tanh(x);
  const float error = y - target;
  sum += static_cast<double>(error) * error;
  return weight * 2.0F * error * (1.0F - y * y) / count;
}

class PolicyRow {
 public:
  explicit PolicyRow(size_t longest) : logits_(padded(longest)), shares_(padded(longest)) {}

  // The row's cross-entropy goes into the terms, its derivative to the columns of its actions.
  void add(size_t size, const int32_t* columns, const float* target, const float* fused,
           float scale, bool entropies, float* gradient, LossTerms& terms) {
    const int count = static_cast<int>(size);
    for (size_t i = 0; i < size; ++i) logits_[i] = fused[columns[i]];
    if (!softmax(logits_.data(), count, shares_.data())) {
      terms.policy = std::numeric_limits<double>::quiet_NaN();
      return;
    }
    // log(sum of exp), from the likeliest action, whose share is far from 0.
    const auto top = static_cast<size_t>(
        std::max_element(shares_.begin(), shares_.begin() + count) - shares_.begin());
    const float log_sum = logits_[top] - std::log(shares_[top]);
    float mass = 0.0F;
    float loss = 0.0F;
    for (size_t i = 0; i < size; ++i) {
      mass += target[i];
      loss += target[i] * (log_sum - logits_[i]);
    }
    for (size_t i = 0; i < size; ++i)
      gradient[columns[i]] = scale * (mass * shares_[i] - target[i]);
    terms.policy += loss;
    if (!entropies) return;
    for (size_t i = 0; i < size; ++i) {
      terms.entropy += shares_[i] * (log_sum - logits_[i]);
      if (target[i] > 0.0F) terms.target_entropy -= target[i] * std::log(target[i]);
    }
  }

 private:
  std::vector<float> logits_;
  std::vector<float> shares_;
};

}  // namespace

LossTerms alphazero_loss(const LossShape& shape, const LossRows& rows, const LossWeights& weights,
                         bool entropies, size_t entries, const float* fused, float* gradient) {
  const size_t seats = shape.values;
  if (shape.actions + (shape.margin ? 2 : 1) * seats > shape.columns)
    throw InputError("The network's output has too few columns for its heads.");
  LossTerms terms;
  size_t longest = 0;
  for (size_t row = 0; row < rows.count; ++row) {
    const int32_t begin = rows.offsets[row];
    const int32_t end = rows.offsets[row + 1];
    if (begin < 0 || end <= begin || static_cast<size_t>(end) > entries)
      throw InputError("The offsets of these training rows do not fit their legal actions.");
    longest = std::max(longest, static_cast<size_t>(end - begin));
    terms.policy_rows += rows.searched[row] != 0 ? 1 : 0;
  }
  PolicyRow policy(longest);
  std::vector<int32_t> columns(longest);
  const auto count = static_cast<float>(rows.count);
  const float scale = 1.0F / static_cast<float>(std::max<size_t>(terms.policy_rows, 1));
  for (size_t row = 0; row < rows.count; ++row) {
    const float* in = fused + row * shape.columns;
    float* out = gradient + row * shape.columns;
    std::fill_n(out, shape.columns, 0.0F);
    if (rows.searched[row] != 0) {
      const auto begin = static_cast<size_t>(rows.offsets[row]);
      const size_t size = static_cast<size_t>(rows.offsets[row + 1]) - begin;
      const auto first = static_cast<int64_t>(row * shape.actions);
      for (size_t i = 0; i < size; ++i) {
        const int64_t action = rows.legal[begin + i] - first;
        if (action < 0 || action >= static_cast<int64_t>(shape.actions))
          throw InputError("A training row has a legal action that is not its own.");
        columns[i] = static_cast<int32_t>(action);
      }
      policy.add(size, columns.data(), rows.policy + begin, in, scale, entropies, out, terms);
    }
    size_t players = 1;
    if (rows.players != nullptr) {
      if (rows.players[row] < 1 || static_cast<size_t>(rows.players[row]) > seats)
        throw InputError("A training row has " + std::to_string(rows.players[row]) +
                         " players where there are " + std::to_string(seats) + " seats.");
      players = static_cast<size_t>(rows.players[row]);
    }
    const auto parts = static_cast<float>(players);
    const float* won = rows.value + row * seats;
    const float* by = shape.margin ? rows.margin + row * seats : nullptr;
    const float mix = weights.value_mix;
    // Not for a mix of 0: a search's value may be missing where only results are learned.
    const float own = mix > 0.0F ? won[0] + mix * (rows.root_value[row] - won[0]) : won[0];
    double value_sum = 0.0;
    double margin_sum = 0.0;
    for (size_t seat = 0; seat < players; ++seat) {
      const size_t value = shape.actions + seat;
      out[value] =
          squared(in[value], seat == 0 ? own : won[seat], weights.value, count * parts, value_sum);
      if (!shape.margin) continue;
      const size_t margin = value + seats;
      const float found = squared(in[margin], by[seat], weights.margin, count * parts, margin_sum);
      if (weights.margin > 0.0F) out[margin] = found;
    }
    terms.value += value_sum / static_cast<double>(parts);
    terms.margin += margin_sum / static_cast<double>(parts);
  }
  const double taught = scale;
  terms.policy *= taught;
  terms.entropy *= taught;
  terms.target_entropy *= taught;
  terms.value /= std::max(1.0F, count);
  terms.margin /= std::max(1.0F, count);
  return terms;
}

}  // namespace ludus
