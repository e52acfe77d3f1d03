// The module `ludus._core`: thin, no logic. The docstrings that people read are in Python.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include "base/errors.h"

#ifndef LUDUS_VERSION
#error "LUDUS_VERSION comes from the build"
#endif

namespace nb = nanobind;

namespace ludus {
void bind_games(nb::module_& m);
void bind_random(nb::module_& m);
void bind_slots(nb::module_& m);
void bind_rows(nb::module_& m);
void bind_answer(nb::module_& m);
void bind_losses(nb::module_& m);
void bind_oracles(nb::module_& m);
void bind_othello(nb::module_& m);
void bind_patterns(nb::module_& m);
void bind_table_players(nb::module_& m);
void bind_othello_search(nb::module_& m);
void bind_blob_players(nb::module_& m);
void bind_blob_endgame(nb::module_& m);
}  // namespace ludus

NB_MODULE(_core, m) {
  m.doc() = "The compiled core of Ludus: games, search, slots, oracles.";
  m.attr("__version__") = LUDUS_VERSION;
  // The core's exceptions become those of `ludus.errors`.
  nb::register_exception_translator([](const std::exception_ptr& p, void*) {
    const auto raise = [](const char* name, const char* what) {
      const nb::object type = nb::module_::import_("ludus.errors").attr(name);
      PyErr_SetString(type.ptr(), what);
    };
    try {
      std::rethrow_exception(p);
    } catch (const ludus::InputError& error) {
      raise("GameError", error.what());
    } catch (const ludus::NumericsError& error) {
      raise("NumericsError", error.what());
    }
  });
  ludus::bind_games(m);
  ludus::bind_random(m);
  ludus::bind_slots(m);
  ludus::bind_rows(m);
  ludus::bind_answer(m);
  ludus::bind_losses(m);
  ludus::bind_oracles(m);
  ludus::bind_othello(m);
  ludus::bind_patterns(m);
  ludus::bind_table_players(m);
  ludus::bind_othello_search(m);
  ludus::bind_blob_players(m);
  ludus::bind_blob_endgame(m);
}
