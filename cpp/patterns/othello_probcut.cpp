#include "patterns/othello_probcut.h"

#include <cmath>

namespace ludus::patterns {
namespace {

double deviation(const ProbCutFit& fit, int empty, int shallow, int deep) {
  const double x = empty / 60.0;
  const double y = std::log(shallow + 1.0);
  return std::exp(fit[0] + fit[1] * std::log(static_cast<double>(deep - shallow)) + fit[2] * y +
                  fit[3] * x + fit[4] * x * x + fit[5] * x * y);
}

}  // namespace

ProbCut::ProbCut(const ProbCutFit& fit) {
  for (int empty = 0; empty <= 60; ++empty)
    for (int deep = 0; deep <= 60; ++deep) {
      const bool cuts = deep >= kLeast;
      deviation_[empty][deep] =
          cuts ? static_cast<float>(deviation(fit, empty, shallow_of(deep), deep)) : 0.0F;
      hope_[empty][deep] = cuts ? static_cast<int>(0.5 * deviation(fit, empty, 0, deep)) : 0;
    }
}

}  // namespace ludus::patterns
