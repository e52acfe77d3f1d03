// The answer to a leaf batch, read from a network's fused output in place.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ludus {

// What a network said, from the view of the seat to move in each row.
struct FusedOutput {
  const float* fused = nullptr;  // [rows, columns]: logits, values, margins (before tanh), unused
  size_t rows = 0;
  size_t columns = 0;
  size_t num_actions = 0;
  size_t value_columns = 0;    // 1, or one a seat (mover first) with more than two seats
  float margin_weight = 0.0F;  // w in (1 - w) * value + w * margin; 0: no margin column is read
};

// The arrays of a leaf batch that the answer needs, and those that take it.
struct LeafAnswer {
  const int32_t* seats = nullptr;    // [rows], seat to move
  const int32_t* legal = nullptr;    // [capacity], row * num_actions + action
  const int32_t* offsets = nullptr;  // [rows + 1] into legal and logits
  size_t capacity = 0;
  size_t num_seats = 0;
  float* logits = nullptr;  // [capacity], out: of the entries of `legal`
  float* values = nullptr;  // [rows, num_seats], out: in seat order, in [-1, 1]; 0: not in play
  const int32_t* players = nullptr;  // [rows], seats in play, the first ones; 0, or null: all
};

// Gathers the logits of the legal actions, and turns value and margin into values of all seats:
// with more than two, column k of a row belongs to seat (mover + k) mod players.
// Allocates nothing; the bits of a row depend on that row alone.
//
// Returns whether the whole fused output is finite (a value that is not becomes 0). Throws
// InputError for offsets that do not ascend within the capacity, an entry that does not belong to
// its row, or a seat or players that the game lacks; never reads outside the arrays.
bool answer(const FusedOutput& output, const LeafAnswer& batch);

}  // namespace ludus
