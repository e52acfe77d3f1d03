#include "patterns/pattern_set.h"

#include <algorithm>
#include <array>
#include <map>
#include <sstream>

#include "base/errors.h"
#include "base/random.h"

namespace ludus::patterns {
namespace {

// The eight symmetries of the board: three bits say transpose, mirror files, mirror ranks.
int moved(int square, int symmetry) {
  int file = square % 8;
  int rank = square / 8;
  if ((symmetry & 4) != 0) std::swap(file, rank);
  if ((symmetry & 1) != 0) file = 7 - file;
  if ((symmetry & 2) != 0) rank = 7 - rank;
  return 8 * rank + file;
}

uint64_t covered(const std::vector<int>& squares) {
  uint64_t bits = 0;
  for (const int square : squares) bits |= 1ULL << square;
  return bits;
}

[[noreturn]] void refuse(const std::string& name, const std::string& reason) {
  throw InputError("Pattern '" + name + "' " + reason + ".");
}

void check(const PatternSpec& spec) {
  if (spec.squares.empty()) refuse(spec.name, "has no squares");
  if (spec.squares.size() > kMaxCells)
    refuse(spec.name, "has " + std::to_string(spec.squares.size()) + " squares; at most " +
                          std::to_string(kMaxCells) + " are possible");
  uint64_t seen = 0;
  for (const int square : spec.squares) {
    if (square < 0 || square > 63)
      refuse(spec.name, "has square " + std::to_string(square) +
                            ", which is not on the board (0 = a1 to 63 = h8)");
    if ((seen >> square & 1) != 0) refuse(spec.name, "has " + square_name(square) + " twice");
    seen |= 1ULL << square;
  }
}

// The contents that a symmetry of the pattern makes of each: permutations of the digits.
std::vector<std::vector<int>> own_symmetries(const std::vector<int>& squares) {
  std::vector<std::vector<int>> found;
  for (int symmetry = 0; symmetry < 8; ++symmetry) {
    std::vector<int> to;
    for (const int square : squares) {
      const auto at = std::find(squares.begin(), squares.end(), moved(square, symmetry));
      if (at == squares.end()) break;
      to.push_back(static_cast<int>(at - squares.begin()));
    }
    // A pattern on a diagonal is left in place by two symmetries that permute alike.
    if (to.size() == squares.size() && std::find(found.begin(), found.end(), to) == found.end())
      found.push_back(std::move(to));
  }
  return found;
}

void fold(Pattern& pattern) {
  const auto& squares = pattern.placements[0];
  const size_t digits = squares.size();
  std::array<uint32_t, kMaxCells> power{};
  uint32_t all = 1;
  for (size_t i = 0; i < digits; ++i, all *= 3) power[i] = all;
  pattern.contents = all;
  const auto symmetries = own_symmetries(squares);
  pattern.order = static_cast<int>(symmetries.size());
  pattern.slot.assign(all, 0);
  for (uint32_t contents = 0; contents < all; ++contents) {
    std::array<uint16_t, 8> images{};
    uint32_t least = contents;
    for (size_t s = 0; s < symmetries.size(); ++s) {
      uint32_t image = 0;
      for (size_t i = 0; i < digits; ++i)
        image += contents / power[i] % 3 * power[static_cast<size_t>(symmetries[s][i])];
      images[s] = static_cast<uint16_t>(image);
      least = std::min(least, image);
    }
    if (least == contents) {  // the first of its kind opens a slot
      pattern.slot[contents] = static_cast<uint16_t>(pattern.slots++);
      pattern.members.insert(pattern.members.end(), images.begin(), images.begin() + pattern.order);
    } else {
      pattern.slot[contents] = pattern.slot[least];
    }
  }
}

int square_of(const std::string& word) {
  if (word.size() != 2 || word[0] < 'a' || word[0] > 'h' || word[1] < '1' || word[1] > '8')
    return -1;
  return 8 * (word[1] - '1') + (word[0] - 'a');
}

constexpr const char* kStandard =
    "edge + 2X:           a1 b1 c1 d1 e1 f1 g1 h1 b2 g2\n"
    "row 2 + corners:     a2 b2 c2 d2 e2 f2 g2 h2 a1 h1\n"
    "corner triangle:     a1 b1 c1 d1 a2 b2 c2 a3 b3 a4\n"
    "narrow triangle:     a1 b1 c1 d1 e1 a2 b2 a3 a4 a5\n"
    "corners + block:     a1 c1 d1 e1 f1 h1 c2 d2 e2 f2\n"
    "corner cross:        a1 b2 c3 d4 b1 c2 d3 a2 b3 c4\n"
    "main diagonal + 2C:  a1 b2 c3 d4 e5 f6 g7 h8 a2 b1\n"
    "corner 3x3:          a1 b1 c1 a2 b2 c2 a3 b3 c3\n"
    "diagonal 7 + corners: a1 b1 c2 d3 e4 f5 g6 h7 h8\n"
    "row 3:               a3 b3 c3 d3 e3 f3 g3 h3\n"
    "row 4:               a4 b4 c4 d4 e4 f4 g4 h4\n"
    "diagonal 6 + 2:      b1 c1 d2 e3 f4 g5 h6 h7\n"
    "centre 2x4:          c3 d3 e3 f3 c4 d4 e4 f4\n"
    "diagonal 5 + 2:      c1 d1 e2 f3 g4 h5 h6\n";

}  // namespace

std::string square_name(int square) {
  return {static_cast<char>('a' + square % 8), static_cast<char>('1' + square / 8)};
}

PatternSet::PatternSet(const std::vector<PatternSpec>& specs) {
  if (specs.empty()) throw InputError("A pattern set needs at least one pattern.");
  uint64_t digest = specs.size();
  std::map<uint64_t, std::string> taken;
  for (const PatternSpec& spec : specs) {
    check(spec);
    Pattern pattern;
    pattern.name = spec.name;
    std::vector<uint64_t> seen;
    for (int symmetry = 0; symmetry < 8; ++symmetry) {
      std::vector<int> squares;
      for (const int square : spec.squares) squares.push_back(moved(square, symmetry));
      const uint64_t cover = covered(squares);
      if (std::find(seen.begin(), seen.end(), cover) != seen.end()) continue;
      const auto [other, fresh] = taken.emplace(cover, spec.name);
      if (!fresh) refuse(spec.name, "covers the same squares as pattern '" + other->second + "'");
      seen.push_back(cover);
      pattern.placements.push_back(std::move(squares));
    }
    instances_ += static_cast<int>(pattern.placements.size());
    if (instances_ > kMaxInstances)
      refuse(spec.name, "brings the set to " + std::to_string(instances_) +
                            " placements on the board; at most " + std::to_string(kMaxInstances) +
                            " are possible");
    fold(pattern);
    pattern.first_entry = entries_;
    entries_ += pattern.contents;
    pattern.first_slot = slots_;
    slots_ += pattern.slots;
    digest = mix64(digest ^ spec.squares.size());
    for (const int square : spec.squares) digest = mix64(digest ^ static_cast<uint64_t>(square));
    patterns_.push_back(std::move(pattern));
  }
  int next = 0;
  for (const bool four : {true, false}) {
    for (Pattern& pattern : patterns_) {
      if ((pattern.placements.size() >= 4) != four) continue;
      pattern.first_instance = next;
      next += static_cast<int>(pattern.placements.size());
    }
    if (four) fours_ = next;
  }
  static const char* const hex = "0123456789abcdef";
  for (int shift = 60; shift >= 0; shift -= 4) digest_ += hex[digest >> shift & 15];
}

std::shared_ptr<const PatternSet> PatternSet::standard() {
  static const auto set = std::make_shared<const PatternSet>(parse(kStandard));
  return set;
}

PatternSet PatternSet::parse(const std::string& text) {
  std::vector<PatternSpec> specs;
  std::istringstream lines(text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    line = line.substr(0, line.find('#'));
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string where = "Line " + std::to_string(number) + " of the pattern set";
    const size_t colon = line.find(':');
    const size_t start = line.find_first_not_of(" \t");
    if (colon == std::string::npos || colon == start)
      throw InputError(where + " is not of the form 'name: a1 b1 c1'.");
    const size_t end = line.find_last_not_of(" \t", colon - 1);
    PatternSpec spec{line.substr(start, end - start + 1), {}};
    std::istringstream words(line.substr(colon + 1));
    for (std::string word; words >> word;) {
      const int square = square_of(word);
      if (square < 0)
        throw InputError(where + ": pattern '" + spec.name + "' has '" + word +
                         "', which is no square; squares are a1 to h8.");
      spec.squares.push_back(square);
    }
    specs.push_back(std::move(spec));
  }
  return PatternSet(specs);
}

}  // namespace ludus::patterns
