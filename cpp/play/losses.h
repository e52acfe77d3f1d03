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
  const float* value = nullptr;      // [count, values]
  const float* margin = nullptr;     // [count, values]
  const int32_t* players = nullptr;  // [count]; null with one value a row
  const float* root_value = nullptr;
  const uint8_t* searched = nullptr;
};

// Columns of a row of output: `actions` policy logits, `values` values, as many margins (if there
// are any), padding. One value is the mover's; of more, the first `players` of a row are those of
// the seats in play, mover first, and the others teach nothing.
struct LossShape {
  size_t columns = 0;
  size_t actions = 0;
  bool margin = false;
  size_t values = 1;
};

struct LossWeights {
  float value = 1.0F;
  float margin = 0.0F;
  float value_mix = 0.0F;  // share of root_value in the mover's value target
};

// Means over the rows that have the target: `policy_rows` of them a policy, all a value, which is
// the mean over its seats.
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
// not finite go through to the terms. Throws InputError for offsets, actions or players out of
// range.
LossTerms alphazero_loss(const LossShape& shape, const LossRows& rows, const LossWeights& weights,
                         bool entropies, size_t entries, const float* fused, float* gradient);

}  // namespace ludus
