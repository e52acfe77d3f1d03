// Positions of Blob from Python.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "bindings/arrays.h"
#include "games/blob.h"

namespace ludus {

// Copies, since a NumPy row need not be aligned. Throws InputError for other games' rules and for
// bytes that are no position under these.
inline std::vector<blob::State> blob_positions(const Game& game, const Array2<uint8_t>& states) {
  require(game.info().name == "blob", "This is for Blob, not for " + game.info().name + ".");
  require(states.shape(1) == sizeof(blob::State),
          "A packed blob position has " + std::to_string(sizeof(blob::State)) + " bytes, not " +
              std::to_string(states.shape(1)) + ".");
  std::vector<blob::State> out(states.shape(0));
  for (size_t i = 0; i < out.size(); ++i) {
    std::memcpy(&out[i], states.data() + i * sizeof(blob::State), sizeof(blob::State));
    game.validate(&out[i]);
  }
  return out;
}

}  // namespace ludus
