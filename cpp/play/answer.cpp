#include "play/answer.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "base/errors.h"
#include "base/softmax.h"
#include "base/tanh.h"

namespace ludus {

namespace {

void gather_logits(const FusedOutput& out, const LeafAnswer& batch) {
  const auto actions = static_cast<uint32_t>(out.num_actions);
  for (size_t row = 0; row < out.rows; ++row) {
    const int32_t begin = batch.offsets[row];
    const int32_t end = batch.offsets[row + 1];
    if (begin < 0 || end < begin || static_cast<size_t>(end) > batch.capacity)
      throw InputError("Offsets of a leaf batch must ascend from 0 to at most " +
                       std::to_string(batch.capacity) + "; row " + std::to_string(row) + " has " +
                       std::to_string(begin) + " to " + std::to_string(end) + ".");
    const float* __restrict from = out.fused + row * out.columns;
    const int32_t* __restrict legal = batch.legal + begin;
    float* __restrict logits = batch.logits + begin;
    const auto first = static_cast<uint32_t>(row * out.num_actions);
    uint32_t highest = 0;
    for (int32_t i = 0; i < end - begin; ++i) {
      const uint32_t action = static_cast<uint32_t>(legal[i]) - first;
      highest = std::max(highest, action);
      logits[i] = from[std::min(action, actions - 1)];  // never outside, whatever `legal` holds
    }
    if (highest >= actions)
      throw InputError("An entry of `legal` of row " + std::to_string(row) +
                       " of a leaf batch belongs to another row.");
  }
}

// Column `column` of rows [row, row + 8), 0 where the number is not finite or there is no row.
FloatLanes load_column(const FusedOutput& out, size_t row, size_t column) {
  FloatLanes x{};
  const size_t count = std::min(out.rows - row, static_cast<size_t>(kLanes));
  const float* from = out.fused + row * out.columns + column;
  for (size_t lane = 0; lane < count; ++lane) x[lane] = from[lane * out.columns];
  return (x - x) != 0.0F ? FloatLanes{} : x;
}

size_t players_of(const LeafAnswer& batch, size_t row) {
  const int32_t players = batch.players == nullptr ? 0 : batch.players[row];
  if (players < 0 || static_cast<size_t>(players) > batch.num_seats)
    throw InputError("Row " + std::to_string(row) + " of a leaf batch has " +
                     std::to_string(players) + " players of " + std::to_string(batch.num_seats) +
                     " seats.");
  return players == 0 ? batch.num_seats : static_cast<size_t>(players);
}

void write_values(const FusedOutput& out, const LeafAnswer& batch) {
  const float weight = out.margin_weight;
  const size_t seats = batch.num_seats;
  for (size_t row = 0; row < out.rows; row += kLanes) {
    const size_t count = std::min(out.rows - row, static_cast<size_t>(kLanes));
    size_t players[kLanes];
    for (size_t lane = 0; lane < count; ++lane) {
      players[lane] = players_of(batch, row + lane);
      const int32_t seat = batch.seats[row + lane];
      if (seat < 0 || static_cast<size_t>(seat) >= players[lane])
        throw InputError("Row " + std::to_string(row + lane) + " of a leaf batch has seat " +
                         std::to_string(seat) + " of " + std::to_string(players[lane]) + ".");
      if (players[lane] < seats) std::fill_n(batch.values + (row + lane) * seats, seats, 0.0F);
    }
    for (size_t ahead = 0; ahead < out.value_columns; ++ahead) {
      const size_t column = out.num_actions + ahead;
      FloatLanes value = tanh_lanes(load_column(out, row, column));
      if (weight > 0.0F)
        value = value * (1.0F - weight) +
                tanh_lanes(load_column(out, row, column + out.value_columns)) * weight;
      for (size_t lane = 0; lane < count; ++lane) {
        if (ahead >= players[lane]) continue;
        float* to = batch.values + (row + lane) * seats;
        const size_t seat = static_cast<size_t>(batch.seats[row + lane]) + ahead;
        to[seat < players[lane] ? seat : seat - players[lane]] = value[lane];
        // Two seats share one value: what one wins, the other loses.
        if (seats == 2) to[1 - seat] = -value[lane];
      }
    }
  }
}

}  // namespace

bool answer(const FusedOutput& output, const LeafAnswer& batch) {
  gather_logits(output, batch);
  write_values(output, batch);
  return all_finite(output.fused, output.rows * output.columns);
}

}  // namespace ludus
