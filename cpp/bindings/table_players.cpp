// Players made of pattern tables.
#include <cstring>
#include <mutex>
#include <shared_mutex>

#include "bindings/arrays.h"
#include "games/othello.h"
#include "patterns/one_ply.h"

namespace ludus {

namespace {

NumpyArray<int32_t> one_ply(const patterns::PatternTables& tables, const Array2<uint8_t>& states,
                            const Array1<uint64_t>& keys) {
  require(states.shape(1) == sizeof(othello::State),
          "A packed othello position has " + std::to_string(sizeof(othello::State)) +
              " bytes, not " + std::to_string(states.shape(1)) + ".");
  require(keys.shape(0) == states.shape(0), "There must be one key for each position.");
  std::vector<int32_t> actions(states.shape(0));
  {
    nb::gil_scoped_release release;
    const std::shared_lock lock(tables.gate());
    for (size_t i = 0; i < actions.size(); ++i) {
      othello::State state;  // a copy, since a NumPy row need not be aligned
      std::memcpy(&state, states.data() + i * sizeof(state), sizeof(state));
      state.seat &= 1U;
      actions[i] = patterns::one_ply_move(tables, othello::board_of(state), keys.data()[i]);
    }
  }
  return to_numpy(std::move(actions));
}

}  // namespace

void bind_table_players(nb::module_& m) {
  m.def("one_ply_choose", &one_ply, nb::arg("tables"), nb::arg("states"), nb::arg("keys"));
}

}  // namespace ludus
