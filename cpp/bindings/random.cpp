#include "base/random.h"

#include <nanobind/stl/string.h>

#include <string>
#include <utility>

#include "bindings/arrays.h"

namespace ludus {

namespace {

Purpose purpose_named(const std::string& name) {
  const std::pair<const char*, Purpose> names[] = {
      {"chance", Purpose::chance},   {"search", Purpose::search},   {"action", Purpose::action},
      {"player", Purpose::player},   {"episode", Purpose::episode}, {"training", Purpose::training},
      {"weights", Purpose::weights},
  };
  for (const auto& [known, purpose] : names)
    if (name == known) return purpose;
  throw InputError("There is no purpose '" + name + "' of random numbers.");
}

}  // namespace

void bind_random(nb::module_& m) {
  nb::class_<Stream>(m, "Stream")
      .def(
          "__init__",
          [](Stream* self, uint64_t seed, const std::string& purpose, uint64_t game, uint32_t ply,
             uint32_t event) { new (self) Stream(seed, purpose_named(purpose), game, ply, event); },
          nb::arg("seed"), nb::arg("purpose"), nb::arg("game") = 0, nb::arg("ply") = 0,
          nb::arg("event") = 0)
      .def("next_u32", &Stream::next_u32)
      .def("next_u64", &Stream::next_u64)
      .def("uniform", &Stream::uniform)
      .def(
          "below",
          [](Stream& self, uint32_t bound) {
            require(bound > 0, "below() wants a bound above 0.");
            return self.below(bound);
          },
          nb::arg("bound"))
      .def("normal", &Stream::normal)
      .def("gumbel", &Stream::gumbel)
      .def(
          "gamma",
          [](Stream& self, double shape) {
            require(shape > 0.0, "gamma() wants a shape above 0.");
            return self.gamma(shape);
          },
          nb::arg("shape"));
  m.def(
      "derive_seed",
      [](uint64_t seed, const std::string& purpose, uint64_t index) {
        return derive_seed(seed, purpose_named(purpose), index);
      },
      nb::arg("seed"), nb::arg("purpose"), nb::arg("index"));
}

}  // namespace ludus
