// Random streams: known answers of the generator, and the shape of the distributions.
#include <cmath>
#include <set>

#include "base/random.h"
#include "check.h"

using namespace ludus;

namespace {

// Random123 (Salmon et al.), tests/kat_vectors, philox4x32 with 10 rounds.
void known_answers() {
  const PhiloxBlock zeros = philox4x32({0, 0, 0, 0}, {0, 0});
  CHECK((zeros == PhiloxBlock{0x6627E8D5U, 0xE169C58DU, 0xBC57AC4CU, 0x9B00DBD8U}));
  const uint32_t ones = 0xFFFFFFFFU;
  const PhiloxBlock full = philox4x32({ones, ones, ones, ones}, {ones, ones});
  CHECK((full == PhiloxBlock{0x408F276DU, 0x41C83B0EU, 0xA20BC7C6U, 0x6D5451FDU}));
  const PhiloxBlock pi =
      philox4x32({0x243F6A88U, 0x85A308D3U, 0x13198A2EU, 0x03707344U}, {0xA4093822U, 0x299F31D0U});
  CHECK((pi == PhiloxBlock{0xD16CFE09U, 0x94FDCCEBU, 0x5001E420U, 0x24126EA1U}));
  // SplitMix64 from state 0 (the reference implementation's first output).
  CHECK(mix64(0) == 0xE220A8397B1DCDAFULL);
}

void streams_are_keyed() {
  Stream first(1, Purpose::chance, 2, 3, 4);
  Stream again(1, Purpose::chance, 2, 3, 4);
  for (int i = 0; i < 100; ++i) CHECK(first.next_u64() == again.next_u64());
  std::set<uint64_t> seen;
  int streams = 0;
  for (uint64_t seed : {0, 1})
    for (Purpose purpose : {Purpose::chance, Purpose::search})
      for (uint64_t game : {0, 1})
        for (uint32_t ply : {0, 1})
          for (uint32_t event : {0, 1}) {
            seen.insert(Stream(seed, purpose, game, ply, event).next_u64());
            ++streams;
          }
  CHECK_EQ(seen.size(), static_cast<size_t>(streams));
  CHECK(derive_seed(1, Purpose::episode, 0) != derive_seed(1, Purpose::episode, 1));
  CHECK(derive_seed(1, Purpose::episode, 0) != derive_seed(1, Purpose::training, 0));
}

void distributions() {
  constexpr int kDraws = 200000;
  Stream stream(7, Purpose::player);
  int counts[6] = {};
  double sum = 0.0;
  double squares = 0.0;
  double gumbel = 0.0;
  double small = 0.0;
  double large = 0.0;
  double uniform = 0.0;
  for (int i = 0; i < kDraws; ++i) {
    ++counts[stream.below(6)];
    const double x = stream.normal();
    sum += x;
    squares += x * x;
    gumbel += stream.gumbel();
    small += stream.gamma(0.3);
    large += stream.gamma(4.5);
    const double u = stream.uniform();
    CHECK(u >= 0.0 && u < 1.0);
    const double p = stream.positive_uniform();
    CHECK(p > 0.0 && p < 1.0);
    uniform += u;
  }
  // Five standard errors of each mean.
  const double root = std::sqrt(static_cast<double>(kDraws));
  for (const int count : counts)
    CHECK(std::abs(count - kDraws / 6.0) < 5.0 * std::sqrt(kDraws * 5.0 / 36.0));
  CHECK(std::abs(sum / kDraws) < 5.0 / root);
  CHECK(std::abs(squares / kDraws - 1.0) < 5.0 * std::sqrt(2.0) / root);
  CHECK(std::abs(gumbel / kDraws - 0.5772156649) < 5.0 * 1.2825 / root);
  CHECK(std::abs(small / kDraws - 0.3) < 5.0 * std::sqrt(0.3) / root);
  CHECK(std::abs(large / kDraws - 4.5) < 5.0 * std::sqrt(4.5) / root);
  CHECK(std::abs(uniform / kDraws - 0.5) < 5.0 * 0.2887 / root);
}

}  // namespace

int main() {
  known_answers();
  streams_are_keyed();
  distributions();
  return 0;
}
