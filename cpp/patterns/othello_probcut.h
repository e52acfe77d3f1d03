// How far a shallow search is from a deep one: the model behind multi-ProbCut.
//
// The score of a search to depth `deep` less that of one to depth `shallow` is roughly normal with
// mean 0 where both depths are even or both odd. If the shallow one is beyond a bound by enough
// standard deviations, the deep one is taken to be beyond it too (Buro: "ProbCut: an effective
// selective extension of the alpha-beta algorithm", ICCA Journal 18(2), 1995).
#pragma once

#include <array>
#include <cstdint>

namespace ludus::patterns {

// Of the standard deviation of that difference, in 1/256 disc:
//   ln sigma = c0 + c1 ln(deep - shallow) + c2 ln(shallow + 1) + c3 x + c4 x^2 + c5 x ln(shallow +
//   1)
// with x = empty squares / 60. Fitted by tools/fit_probcut.py.
using ProbCutFit = std::array<double, 6>;

// Of tables after some minutes of training; the figures behind them are in docs/othello-search.md.
inline constexpr ProbCutFit kProbCutFit = {7.3589, 0.334, -0.1865, -2.6478, 1.0771, -0.1439};

class ProbCut {
 public:
  static constexpr int kLeast = 3;  // no search less deep than this is cut

  explicit ProbCut(const ProbCutFit& fit = kProbCutFit);

  // Depth of the search that speaks for one to `deep`: about half, and even with even.
  static constexpr int shallow_of(int deep) {
    const int half = deep / 2;
    return (deep - half) % 2 == 0 ? half : half - 1;
  }
  // By how much it has to be beyond a bound, in 1/256 disc, at certainty 0 to 6.
  int margin(int certainty, int empty, int deep) const {
    return static_cast<int>(kDeviations[certainty] * deviation_[empty][deep]);
  }
  // By how much the static score may fall short for the shallow search to be worth its time.
  int hope(int empty, int deep) const { return hope_[empty][deep]; }

 private:
  static constexpr float kDeviations[7] = {0.7F, 1.0F, 1.3F, 1.6F, 2.0F, 2.6F, 3.3F};

  float deviation_[61][61];
  int hope_[61][61];
};

}  // namespace ludus::patterns
