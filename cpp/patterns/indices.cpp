#include "patterns/indices.h"

namespace ludus::patterns {

IndexRules::IndexRules(const PatternSet& set) {
  uint16_t lanes[othello::kSquares][kMaxInstances] = {};
  for (const Pattern& pattern : set.patterns()) {
    int lane = pattern.first_instance;
    for (const auto& squares : pattern.placements) {
      uint16_t power = 1;
      for (const int square : squares) {
        lanes[square][lane] = power;
        power = static_cast<uint16_t>(power * 3);
      }
      ++lane;
    }
  }
  static_assert(sizeof(lanes) == sizeof(squares_));
  std::memcpy(static_cast<void*>(squares_), lanes, sizeof(squares_));
}

}  // namespace ludus::patterns
