// Blob: exact play of the last cards with open hands, and its mean over worlds.
#include "oracles/blob_endgame.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <mutex>

#include "bindings/arrays.h"
#include "bindings/blob_states.h"
#include "bindings/interrupts.h"
#include "bindings/state.h"

namespace ludus {

namespace {

using blob::Endgame;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

struct PyEndgame {
  explicit PyEndgame(const PyGame& rules) : game(rules.game) {
    require(game->info().name == "blob",
            "This solver is for Blob, not for " + game->info().name + ".");
  }
  std::shared_ptr<const Game> game;
  Endgame solver;
  std::mutex calls;
  std::atomic<bool> stop{false};

  // Asks each position in turn; answers have `width` columns.
  template <class Ask>
  NumpyArray<double> each(const std::vector<blob::State>& states, size_t width, Ask ask) {
    std::vector<double> out(states.size() * width, kNone);
    interruptible(stop, [&] {
      const std::lock_guard alone(calls);
      stop = false;
      for (size_t i = 0; i < states.size() && !stop; ++i) ask(i, out.data() + i * width);
    });
    return to_numpy(std::move(out), {states.size(), width});
  }
};

NumpyArray<double> values(PyEndgame& self, const Array2<uint8_t>& states) {
  const auto positions = blob_positions(*self.game, states);
  return self.each(positions, blob::kMaxPlayers, [&](size_t i, double* out) {
    const blob::SeatValues found = self.solver.values(positions[i]);
    std::copy(found.begin(), found.end(), out);
  });
}

NumpyArray<double> action_values(PyEndgame& self, const Array2<uint8_t>& states) {
  const auto positions = blob_positions(*self.game, states);
  return self.each(positions, blob::kActions, [&](size_t i, double* out) {
    for (const Endgame::Choice& choice : self.solver.choices(positions[i]))
      out[choice.card] = choice.values[positions[i].seat];
  });
}

NumpyArray<double> world_values(PyEndgame& self, const Array2<uint8_t>& states,
                                const Array1<uint64_t>& keys, int worlds) {
  require(keys.shape(0) == states.shape(0), "There must be one key for each position.");
  const auto positions = blob_positions(*self.game, states);
  const std::vector<uint64_t> own_keys(keys.data(), keys.data() + keys.shape(0));
  return self.each(positions, blob::kActions, [&](size_t i, double* out) {
    for (const Endgame::Mean& mean :
         self.solver.over_worlds(positions[i], worlds, own_keys[i], &self.stop))
      out[mean.card] = mean.points;
  });
}

// 1 where it answers, u8[n].
NumpyArray<uint8_t> solves(PyEndgame& self, const Array2<uint8_t>& states) {
  const auto positions = blob_positions(*self.game, states);
  std::vector<uint8_t> out(positions.size());
  std::transform(positions.begin(), positions.end(), out.begin(), Endgame::solves);
  return to_numpy(std::move(out));
}

}  // namespace

void bind_blob_endgame(nb::module_& m) {
  nb::class_<PyEndgame>(m, "BlobEndgame")
      .def(nb::init<const PyGame&>(), nb::arg("game"))
      .def("values", &values, nb::arg("states"))
      .def("action_values", &action_values, nb::arg("states"))
      .def("world_values", &world_values, nb::arg("states"), nb::arg("keys"), nb::arg("worlds"))
      .def("solves", &solves, nb::arg("states"))
      .def_prop_ro_static("most_cards", [](nb::handle) { return blob::kMostSolved; })
      .def_prop_ro("nodes", [](PyEndgame& self) {
        const std::lock_guard alone(self.calls);
        return self.solver.nodes();
      });
}

}  // namespace ludus
