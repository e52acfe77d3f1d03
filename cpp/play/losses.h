// The AlphaZero loss over a network's fused output, and its gradient.
//
// The policy's part works on the legal actions alone, whose number is small beside that of all
// actions, and the gradient is written where the output's columns are: so the loss costs a small
// share of the network's products, which a chain of dense operations does not.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ludus {

// Borrowed; meaning as in TrainingRows.
struct LossRows {
  size_t count = 0;
  const int32_t* legal = nullptr;
  const int32_t* offsets = nullptr;
  const float* policy = nullptr;
  const float* value = nullptr;
  const float* margin = nullptr;
  const float* root_value = nullptr;
  const uint8_t* searched = nullptr;
};

// Columns of a row of output: `actions` policy logits, value, margin (if there is one), padding.
struct LossShape {
  size_t columns = 0;
  size_t actions = 0;
  bool margin = false;
};

struct LossWeights {
  float value = 1.0F;
  float margin = 0.0F;
  float value_mix = 0.0F;  // share of root_value in the value target
};

// Means over the rows that have the target: `policy_rows` of them a policy, all a value.
struct LossTerms {
  double policy = 0.0;          // cross-entropy, nats
  double value = 0.0;           // squared error
  double margin = 0.0;          // squared error, 0 without a margin head
  double entropy = 0.0;         // of the network's policy; 0 unless asked for
  double target_entropy = 0.0;  // of the targets; 0 unless asked for
  size_t policy_rows = 0;
};

// `fused` and `gradient` are [count, columns]; the gradient is that of
// policy + weights.value * value + weights.margin * margin, every column written. Numbers that are
// not finite go through to the terms. Throws InputError for offsets or actions out of range.
LossTerms alphazero_loss(const LossShape& shape, const LossRows& rows, const LossWeights& weights,
                         bool entropies, size_t entries, const float* fused, float* gradient);

}  // namespace ludus
