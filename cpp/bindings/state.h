// A position as Python holds it.
#pragma once

#include <cstring>
#include <memory>

#include "games/game.h"

namespace ludus {

struct PyGame {
  std::shared_ptr<const Game> game;
};

struct PyState {
  std::shared_ptr<const Game> game;
  StateBytes state{};
};

}  // namespace ludus
