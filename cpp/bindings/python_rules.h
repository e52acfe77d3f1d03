// Rules that their user wrote in Python (`ludus.games.Game`): asked, and every answer looked at
// before anything relies on it.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <string>
#include <vector>

#include "games/game.h"

namespace ludus {

namespace nb = nanobind;

// All that Python says about a position when it is new.
struct Sight {
  nb::object state;
  NodeKind kind = NodeKind::terminal;
  uint8_t seat = 0;
  std::vector<uint16_t> steps;    // legal actions, or outcomes of a chance event, ascending
  std::vector<double> cumulated;  // chance: probability of each outcome and those before it
  std::vector<float> returns;     // at the end, by seat
};

class PythonRules {
 public:
  // `facts`: the facts of GameInfo by name, and `files`, the sources that the user's part of a
  // traceback lies in. Throws InputError for facts that the core could not live with.
  PythonRules(nb::object game, const nb::dict& facts);

  const GameInfo& info() const { return info_; }
  nb::object game() const { return game_; }

  // All of them call Python, so other threads may run meanwhile. They throw GameFault when the
  // user's code raised or answered what no game may; an interrupt goes through as it is.
  Sight initial() const;
  Sight apply(const nb::object& state, int action) const;
  Sight apply_outcome(const nb::object& state, int outcome) const;
  void observe(const nb::object& state, int seat, float* out) const;
  void scores(const nb::object& state, float* by_seat) const;

  [[noreturn]] void fault(const char* method, nb::handle returned, const std::string& right) const;
  [[noreturn]] void fault(const std::string& what) const;

 private:
  template <class... Args>
  nb::object ask(const char* method, const nb::object& bound, Args&&... args) const;
  [[noreturn]] void raised(const char* method, nb::python_error& error) const;
  Sight look(nb::object state, const char* made_by) const;
  int integer(const char* method, nb::handle answer, nb::handle item, int low, int high,
              const std::string& right) const;
  nb::object sequence(const char* method, const nb::object& answer, const std::string& right) const;
  void look_at_decision(Sight& sight) const;
  void look_at_chance(Sight& sight) const;
  void numbers(const char* method, const nb::object& answer, float most, float* by_seat) const;
  bool copy_buffer(const nb::object& array, float* out) const;

  nb::object game_;
  GameInfo info_;
  nb::object files_;
  nb::object initial_, turn_, legal_, apply_, returns_, scores_, observe_, outcomes_,
      apply_outcome_, chance_seat_;
  nb::object as_array_, float32_;
};

}  // namespace ludus
