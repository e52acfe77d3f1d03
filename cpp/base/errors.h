// Exceptions of the core; the bindings translate them into the tree of `ludus.errors`.
#pragma once

#include <stdexcept>
#include <string>

namespace ludus {

// Bad input: an illegal action, a malformed state, a wrong setting. One sentence.
class InputError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A game that its user wrote raised, or answered what no game may: that game ends, the others go on.
class GameFault : public InputError {
 public:
  using InputError::InputError;
};

// A number that is not finite where one must be.
class NumericsError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace ludus
