// The exact oracle without Python: for sanitizers, and for machines that have only a compiler.
#include <cassert>
#include <cmath>
#include <cstdio>
#include <vector>

#include "base/errors.h"
#include "oracles/yatzy_oracle.h"

using namespace ludus;
using namespace ludus::yatzy;

namespace {

template <class F>
bool refused(F&& call) {
  try {
    call();
  } catch (const InputError&) {
    return true;
  }
  return false;
}

}  // namespace

int main() {
  const YatzyOracle oracle(2);
  assert(std::abs(oracle.expected() - 248.439989) < 1e-3);
  assert(std::abs(oracle.value(512, 45) - 30.3813887878) < 1e-3);
  assert(oracle.value(0, 63) == 0.0);
  assert(YatzyOracle::classes() == 958976);
  assert(oracle.table_bytes() <= 10'000'000);
  assert(refused([&] { oracle.value(32767, 1); }));
  assert(refused([&] { oracle.value(32768, 0); }));
  assert(refused([] { solitaire_decision({1, 2, 3, 4, 7}, 1, 1, 0); }));

  // The table does not depend on the number of threads.
  const YatzyOracle alone(1);
  for (int free = 0; free <= kAllFree; free += 97)
    for (int upper = 0; upper <= kUpperGoal; ++upper)
      if (YatzyOracle::reachable(free, upper))
        assert(oracle.value(free, upper) == alone.value(free, upper));

  // A large straight is marked at once; seventeen states take a second, partly filled pack.
  const std::vector<State> states(17, solitaire_decision({6, 3, 4, 5, 2}, 2, kAllFree, 0));
  std::vector<int32_t> actions(states.size());
  oracle.choose(states.data(), states.size(), Policy::oracle, actions.data());
  for (const int32_t action : actions) assert(action == kMarkBase + 11);
  std::vector<double> values(states.size() * kActions);
  oracle.action_values(states.data(), states.size(), Policy::oracle, values.data());
  assert(std::abs(values[16 * kActions + kMarkBase + 11] - 254.9718663876) < 1e-3);
  assert(std::isnan(values[31]));

  // Games do not depend on the number of threads either.
  const SolitaireGames two = oracle.simulate(0, 500, 1, Policy::oracle, 2);
  const SolitaireGames one = oracle.simulate(0, 500, 1, Policy::oracle, 1);
  assert(two.total == one.total && two.bonus == one.bonus && two.yatzy == one.yatzy);
  double mean = 0.0;
  for (const int16_t total : two.total) mean += total / 500.0;
  assert(std::abs(mean - 248.44) < 5 * 38.5 / std::sqrt(500.0));
  std::puts("yatzy oracle: ok");
  return 0;
}
