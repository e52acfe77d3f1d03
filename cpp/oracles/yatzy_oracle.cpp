#include "oracles/yatzy_oracle.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <limits>
#include <string>
#include <thread>

#include "base/errors.h"
#include "base/random.h"
#include "oracles/yatzy_table.h"

namespace ludus::yatzy {

class YatzyOracle::Solver {
 public:
  virtual ~Solver() = default;
  virtual double potential(int free, int upper) const = 0;
  virtual void action_values(const State* states, size_t count, Policy policy,
                             double* out) const = 0;
  virtual void choose(const State* states, size_t count, Policy policy, int32_t* out) const = 0;
  virtual double tolerance() const = 0;
  virtual void simulate(uint64_t first, size_t count, uint64_t seed, Policy policy, int threads,
                        SolitaireGames& games) const = 0;
  virtual size_t bytes() const = 0;
};

namespace {

constexpr int kMaxThreads = 64;

double earned(int upper) { return upper >= kUpperGoal ? kBonus : 0.0; }

void require_board(int free, int upper) {
  if (free < 0 || free > kAllFree)
    throw InputError("The mask of free categories is " + std::to_string(free) +
                     "; it must lie in 0..32767.");
  if (upper < 0 || upper > kUpperGoal)
    throw InputError("The upper total is " + std::to_string(upper) + "; it must lie in 0..63.");
  if (!YatzyOracle::reachable(free, upper))
    throw InputError("The upper total " + std::to_string(upper) +
                     " cannot be reached with the free categories of mask " + std::to_string(free) +
                     ".");
}

void require_decision(const State& state) {
  make_game()->validate(&state);
  if (state.phase != Phase::decision)
    throw InputError("The oracle answers decisions only, and these dice have not been rolled.");
  if (state.free[state.seat] == 0) throw InputError("The seat to move has no free category left.");
  require_board(state.free[state.seat], state.upper[state.seat]);
}

// The turns of up to sixteen boards.
template <class T>
class Turns {
 public:
  Turns(const ValueTable<T>& table, Policy policy, T tolerance)
      : table_(table), policy_(policy), tolerance_(tolerance) {}

  // Solves the turns of the seats to move, with up to that many rerolls.
  void load(const State* states, size_t count, int rerolls) {
    marks_.categories = 0;
    for (auto& face : marks_.upper) face.fill(Pack<T>::of(kNever<T>));
    marks_.lower.fill(Pack<T>::of(kNever<T>));
    for (size_t lane = 0; lane < count; ++lane) {
      const int free = states[lane].free[states[lane].seat];
      const int upper = states[lane].upper[states[lane].seat];
      for (int c = 0; c < kCategories; ++c) {
        if ((free & category_bit(c)) == 0) continue;
        marks_.categories |= 1U << c;
        const int left = free & ~category_bit(c);
        if (c >= kUpperCategories) {
          marks_.lower[static_cast<size_t>(c - kUpperCategories)].set(lane, rest(left, upper));
          continue;
        }
        for (int k = 0; k <= kDice; ++k)
          marks_.upper[static_cast<size_t>(c)][static_cast<size_t>(k)].set(
              lane, rest(left, std::min(upper + k * (c + 1), kUpperGoal)));
      }
    }
    turn_.solve_decisions(marks_, rerolls);
  }

  // Potential of a legal action, relative to the lane's base.
  T value(const State& state, int action, size_t lane) const {
    if (action < kMarkBase)
      return turn_.keep_value(state.rerolls, tables.keep[state.dice][static_cast<size_t>(action)],
                              lane);
    const auto c = static_cast<size_t>(action - kMarkBase);
    const T points = tables.score[state.dice][c];
    if (c >= kUpperCategories)
      return (marks_.lower[c - kUpperCategories].get(lane) - turn_.base(lane)) + points;
    const size_t k = tables.counts[static_cast<size_t>(kFullKept + state.dice)][c];
    return (marks_.upper[c][k].get(lane) - turn_.base(lane)) + points;
  }
  T base(size_t lane) const { return turn_.base(lane); }

  // The lowest canonical action within the tolerance of the best.
  int best(const State& state, size_t lane) const {
    std::array<T, 31 + kCategories> values;
    std::array<int, 31 + kCategories> actions;
    size_t count = 0;
    const size_t keeps = state.rerolls > 0 ? tables.num_keeps[state.dice] : 0;
    for (; count < keeps; ++count) actions[count] = tables.keeps[state.dice][count];
    for (int c = 0; c < kCategories; ++c)
      if (state.free[state.seat] & category_bit(c)) actions[count++] = kMarkBase + c;
    T best = 4 * kNever<T>;
    for (size_t i = 0; i < count; ++i) {
      values[i] = value(state, actions[i], lane);
      best = std::max(best, values[i]);
    }
    size_t i = 0;
    while (values[i] < best - tolerance_) ++i;
    return actions[i];
  }

 private:
  T rest(int free, int upper) const {
    return policy_ == Policy::oracle ? table_.potential(free, upper)
                                     : static_cast<T>(earned(upper));
  }

  const ValueTable<T>& table_;
  Policy policy_;
  T tolerance_;
  Marks<T> marks_;
  Turn<T> turn_;
};

template <class T>
class SolverOf final : public YatzyOracle::Solver {
 public:
  explicit SolverOf(int threads) : table_(threads) {}

  double potential(int free, int upper) const override { return table_.potential(free, upper); }
  double tolerance() const override { return sizeof(T) == sizeof(float) ? 1e-4 : 1e-9; }
  size_t bytes() const override { return table_.bytes(); }

  void action_values(const State* states, size_t count, Policy policy, double* out) const override {
    std::fill_n(out, count * kActions, std::numeric_limits<double>::quiet_NaN());
    for_blocks(states, count, policy, [&](const Turns<T>& turns, size_t i, size_t lane) {
      const State& state = states[i];
      const double offset = static_cast<double>(turns.base(lane)) - earned(state.upper[state.seat]);
      for (int action = 0; action < kActions; ++action)
        if (is_legal(state, action))
          out[i * kActions + static_cast<size_t>(action)] =
              offset + static_cast<double>(turns.value(state, action, lane));
    });
  }

  void choose(const State* states, size_t count, Policy policy, int32_t* out) const override {
    for_blocks(states, count, policy, [&](const Turns<T>& turns, size_t i, size_t lane) {
      out[i] = turns.best(states[i], lane);
    });
  }

  void simulate(uint64_t first, size_t count, uint64_t seed, Policy policy, int threads,
                SolitaireGames& games) const override {
    games.total.resize(count);
    games.bonus.resize(count);
    games.yatzy.resize(count);
    std::atomic<size_t> next{0};
    const auto work = [&] {
      const auto turns = make_turns(policy);
      for (size_t begin; (begin = next.fetch_add(kLanes)) < count;)
        play_block(*turns, first, begin, std::min(count - begin, size_t{kLanes}), seed, games);
    };
    std::vector<std::jthread> others;
    for (int i = 1; i < threads; ++i) others.emplace_back(work);
    work();
  }

 private:
  std::unique_ptr<Turns<T>> make_turns(Policy policy) const {
    return std::make_unique<Turns<T>>(table_, policy, static_cast<T>(tolerance()));
  }

  template <class F>
  void for_blocks(const State* states, size_t count, Policy policy, F&& f) const {
    const auto turns = make_turns(policy);
    for (size_t begin = 0; begin < count; begin += kLanes) {
      const size_t lanes = std::min(count - begin, size_t{kLanes});
      int rerolls = 0;
      for (size_t i = begin; i < begin + lanes; ++i) {
        require_decision(states[i]);
        rerolls = std::max<int>(rerolls, states[i].rerolls);
      }
      turns->load(states + begin, lanes, rerolls);
      for (size_t lane = 0; lane < lanes; ++lane) f(*turns, begin + lane, lane);
    }
  }

  static void play_block(Turns<T>& turns, uint64_t first, size_t begin, size_t lanes, uint64_t seed,
                         SolitaireGames& games) {
    const auto game = make_game();
    std::array<State, kLanes> states;
    std::array<uint64_t, kLanes> seeds;
    for (size_t lane = 0; lane < lanes; ++lane) {
      states[lane] = initial_state();
      seeds[lane] = derive_seed(seed, Purpose::episode, first + begin + lane);
    }
    for (int round = 0; round < kCategories; ++round) {
      turns.load(states.data(), lanes, 2);
      for (size_t lane = 0; lane < lanes; ++lane) {
        State& state = states[lane];
        int action = 0;
        while (action < kMarkBase) {
          apply_outcome(state, game->draw(&state, seeds[lane]));
          action = turns.best(state, lane);
          if (action == kMarkBase + kCategories - 1 &&
              tables.score[state.dice][kCategories - 1] > 0)
            games.yatzy[begin + lane] = 1;
          apply(state, action);
        }
        // The other seat does not play.
        state.seat = 0;
        state.phase = Phase::chance;
      }
    }
    for (size_t lane = 0; lane < lanes; ++lane) {
      games.total[begin + lane] = states[lane].total[0];
      games.bonus[begin + lane] = states[lane].upper[0] >= kUpperGoal;
    }
  }

  ValueTable<T> table_;
};

int require_threads(int threads) {
  if (threads < 1 || threads > kMaxThreads)
    throw InputError("The number of threads is " + std::to_string(threads) +
                     "; it must lie in 1.." + std::to_string(kMaxThreads) + ".");
  return threads;
}

}  // namespace

State solitaire_decision(std::vector<int> dice, int rerolls, int free, int upper) {
  if (dice.size() != kDice)
    throw InputError("There are " + std::to_string(dice.size()) + " dice; Yatzy has five.");
  std::array<uint8_t, 6> counts{};
  for (const int face : dice) {
    if (face < 1 || face > 6)
      throw InputError("A die shows " + std::to_string(face) + "; it must lie in 1..6.");
    ++counts[static_cast<size_t>(face - 1)];
  }
  if (rerolls < 0 || rerolls > 2)
    throw InputError("There are " + std::to_string(rerolls) +
                     " rerolls left; it must be 0, 1 or 2.");
  require_board(free, upper);
  State state = initial_state();
  state.free[0] = static_cast<uint16_t>(free);
  state.upper[0] = static_cast<uint8_t>(upper);
  state.rerolls = static_cast<uint8_t>(rerolls);
  const auto found = std::find(tables.counts.begin() + kFullKept, tables.counts.end(), counts);
  apply_outcome(state, static_cast<int>(found - tables.counts.begin()) - kFullKept);
  return state;
}

YatzyOracle::YatzyOracle(int threads, bool wide) {
  require_threads(threads);
  const auto start = std::chrono::steady_clock::now();
  if (wide)
    solver_ = std::make_unique<const SolverOf<double>>(threads);
  else
    solver_ = std::make_unique<const SolverOf<float>>(threads);
  build_seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

YatzyOracle::~YatzyOracle() = default;

bool YatzyOracle::reachable(int free, int upper) {
  return free >= 0 && free <= kAllFree && upper >= 0 && upper <= kUpperGoal &&
         TableLayout::get().place(free, upper) != TableLayout::kNowhere;
}

double YatzyOracle::value(int free, int upper) const {
  require_board(free, upper);
  return solver_->potential(free, upper) - earned(upper);
}

double YatzyOracle::expected() const { return value(kAllFree, 0); }

void YatzyOracle::action_values(const State* states, size_t count, Policy policy,
                                double* out) const {
  solver_->action_values(states, count, policy, out);
}

void YatzyOracle::choose(const State* states, size_t count, Policy policy, int32_t* out) const {
  solver_->choose(states, count, policy, out);
}

double YatzyOracle::tolerance() const { return solver_->tolerance(); }

SolitaireGames YatzyOracle::simulate(uint64_t first, size_t count, uint64_t seed, Policy policy,
                                     int threads) const {
  SolitaireGames games;
  solver_->simulate(first, count, seed, policy, require_threads(threads), games);
  return games;
}

size_t YatzyOracle::table_bytes() const { return solver_->bytes(); }
size_t YatzyOracle::classes() { return TableLayout::get().classes(); }

}  // namespace ludus::yatzy
