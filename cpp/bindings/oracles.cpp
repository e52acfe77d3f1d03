// Exact solvers.
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cstring>
#include <tuple>

#include "bindings/arrays.h"
#include "oracles/yatzy_oracle.h"

namespace ludus {

namespace {

using yatzy::Policy;
using yatzy::YatzyOracle;

Policy policy_named(const std::string& name) {
  if (name == "oracle") return Policy::oracle;
  if (name == "greedy") return Policy::greedy;
  throw InputError("There is no policy '" + name + "'; the policies are: oracle, greedy.");
}

// Copies, since a NumPy row need not be aligned like a state.
std::vector<yatzy::State> states_of(const Array2<uint8_t>& packed) {
  require(packed.shape(1) == sizeof(yatzy::State),
          "A packed yatzy position has " + std::to_string(sizeof(yatzy::State)) + " bytes, not " +
              std::to_string(packed.shape(1)) + ".");
  std::vector<yatzy::State> states(packed.shape(0));
  if (!states.empty())
    std::memcpy(states.data(), packed.data(), states.size() * sizeof(yatzy::State));
  return states;
}

NumpyArray<double> action_values(const YatzyOracle& oracle, const Array2<uint8_t>& packed,
                                 const std::string& policy) {
  const auto states = states_of(packed);
  const Policy which = policy_named(policy);
  std::vector<double> values(states.size() * yatzy::kActions);
  {
    nb::gil_scoped_release release;
    oracle.action_values(states.data(), states.size(), which, values.data());
  }
  return to_numpy(std::move(values), {states.size(), size_t{yatzy::kActions}});
}

NumpyArray<int32_t> choose(const YatzyOracle& oracle, const Array2<uint8_t>& packed,
                           const std::string& policy) {
  const auto states = states_of(packed);
  const Policy which = policy_named(policy);
  std::vector<int32_t> actions(states.size());
  {
    nb::gil_scoped_release release;
    oracle.choose(states.data(), states.size(), which, actions.data());
  }
  return to_numpy(std::move(actions));
}

std::tuple<NumpyArray<int32_t>, NumpyArray<double>> advise(const YatzyOracle& oracle,
                                                           const std::vector<int>& dice,
                                                           int rerolls, int free, int upper) {
  const yatzy::State state = yatzy::solitaire_decision(dice, rerolls, free, upper);
  std::vector<double> all(yatzy::kActions);
  oracle.action_values(&state, 1, Policy::oracle, all.data());
  std::vector<int32_t> actions;
  std::vector<double> values;
  for (int action = 0; action < yatzy::kActions; ++action)
    if (yatzy::is_legal(state, action)) {
      actions.push_back(action);
      values.push_back(all[static_cast<size_t>(action)]);
    }
  return {to_numpy(std::move(actions)), to_numpy(std::move(values))};
}

std::tuple<NumpyArray<int16_t>, NumpyArray<uint8_t>, NumpyArray<uint8_t>> simulate(
    const YatzyOracle& oracle, size_t games, uint64_t seed, const std::string& policy, int threads,
    uint64_t first) {
  const Policy which = policy_named(policy);
  yatzy::SolitaireGames result;
  {
    nb::gil_scoped_release release;
    result = oracle.simulate(first, games, seed, which, threads);
  }
  return {to_numpy(std::move(result.total)), to_numpy(std::move(result.bonus)),
          to_numpy(std::move(result.yatzy))};
}

}  // namespace

void bind_oracles(nb::module_& m) {
  nb::class_<YatzyOracle>(m, "YatzyOracle")
      .def(nb::init<int, bool>(), nb::arg("threads") = 2, nb::arg("wide") = false,
           nb::call_guard<nb::gil_scoped_release>())
      .def("expected", &YatzyOracle::expected)
      .def("value", &YatzyOracle::value, nb::arg("free"), nb::arg("upper"))
      .def_static("reachable", &YatzyOracle::reachable, nb::arg("free"), nb::arg("upper"))
      .def("action_values", &action_values, nb::arg("states"), nb::arg("policy") = "oracle")
      .def("choose", &choose, nb::arg("states"), nb::arg("policy") = "oracle")
      .def("advise", &advise, nb::arg("dice"), nb::arg("rerolls"), nb::arg("free"),
           nb::arg("upper"))
      .def("simulate", &simulate, nb::arg("games"), nb::arg("seed"), nb::arg("policy") = "oracle",
           nb::arg("threads") = 2, nb::arg("first") = 0)
      .def_prop_ro("tolerance", &YatzyOracle::tolerance)
      .def_prop_ro("build_seconds", &YatzyOracle::build_seconds)
      .def_prop_ro("table_bytes", &YatzyOracle::table_bytes)
      .def_prop_ro_static("classes", [](nb::handle) { return YatzyOracle::classes(); });
}

}  // namespace ludus
