#include "base/random.h"

#include <cmath>

namespace ludus {

double Stream::normal() {
  for (;;) {
    const double x = 2.0 * uniform() - 1.0;
    const double y = 2.0 * uniform() - 1.0;
    const double square = x * x + y * y;
    if (square > 0.0 && square < 1.0) return x * std::sqrt(-2.0 * std::log(square) / square);
  }
}

double Stream::gumbel() { return -std::log(-std::log(positive_uniform())); }

double Stream::gamma(double k) {
  // Shapes under 1 are boosted: Gamma(k) = Gamma(k + 1) * U^(1/k) (section 6 of the paper).
  if (k < 1.0) {
    const double boosted = gamma(k + 1.0);
    return boosted * std::pow(positive_uniform(), 1.0 / k);
  }
  const double d = k - 1.0 / 3.0;
  const double c = 1.0 / std::sqrt(9.0 * d);
  for (;;) {
    const double x = normal();
    const double root = 1.0 + c * x;
    if (root <= 0.0) continue;
    const double v = root * root * root;
    if (std::log(positive_uniform()) < 0.5 * x * x + d - d * v + d * std::log(v)) return d * v;
  }
}

}  // namespace ludus
