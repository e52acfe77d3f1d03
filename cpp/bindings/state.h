// A position as Python holds it.
#pragma once

#include <memory>

#include "games/game.h"

namespace ludus {

struct PyGame {
  std::shared_ptr<const Game> game;
};

struct PyState {
  std::shared_ptr<const Game> game;
  StateBytes state{};
  std::shared_ptr<const void> hold;  // of the position, where the game keeps it in a pool

  // Once the position is another one.
  void moved() { hold = game->hold(state.bytes); }
};

}  // namespace ludus
