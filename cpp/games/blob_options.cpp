// The options of Blob, from text.
#include <cmath>
#include <limits>
#include <optional>
#include <sstream>

#include "base/errors.h"
#include "games/blob.h"

namespace ludus::blob {

namespace {

[[noreturn]] void refuse(const std::string& key, const std::string& value,
                         const std::string& wanted) {
  throw InputError("Option " + key + "=" + value + " of blob must be " + wanted + ".");
}

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, at);) parts.push_back(part);
  return parts;
}

// A whole number of at most three digits, or a weight with a fraction.
std::optional<int> whole(const std::string& text) {
  if (text.empty() || text.size() > 3) return std::nullopt;
  int value = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '9') return std::nullopt;
    value = 10 * value + (digit - '0');
  }
  return value;
}

template <size_t N>
void read_weights(const std::string& key, const std::string& value, int low, int high,
                  std::array<double, N>& weights) {
  const std::string wanted = "a number from " + std::to_string(low) + " to " +
                             std::to_string(high) + ", a range such as " + std::to_string(low) +
                             "-" + std::to_string(high) + ", or numbers with weights such as " +
                             std::to_string(low) + ":15/" + std::to_string(low + 1) + ":85";
  auto number = [&](const std::string& text) {
    const std::optional<int> found = whole(text);
    if (!found || *found < low || *found > high) refuse(key, value, wanted);
    return static_cast<size_t>(*found);
  };
  weights.fill(0.0);
  const size_t dash = value.find('-');
  if (dash != std::string::npos) {
    const size_t first = number(value.substr(0, dash));
    const size_t last = number(value.substr(dash + 1));
    if (first > last) refuse(key, value, wanted);
    for (size_t i = first; i <= last; ++i) weights[i] = 1.0;
    return;
  }
  double total = 0.0;
  for (const std::string& part : split(value, '/')) {
    const size_t colon = part.find(':');
    const size_t which = number(part.substr(0, colon));
    const std::optional<int> weight =
        colon == std::string::npos ? std::optional<int>(1) : whole(part.substr(colon + 1));
    if (!weight || weights[which] > 0.0) refuse(key, value, wanted);
    total += weights[which] = *weight;
  }
  if (total <= 0.0) refuse(key, value, wanted);
}

void read_trumps(const std::string& value, std::vector<int>& trumps) {
  static const std::string kLetters = "shcdn";
  trumps.clear();
  for (const char letter : value) {
    const size_t found = kLetters.find(letter);
    if (found == std::string::npos) break;
    trumps.push_back(static_cast<int>(found));
  }
  if (trumps.empty() || trumps.size() != value.size() || trumps.size() > 20)
    refuse("trumps", value,
           "1 to 20 of the letters s, h, c, d and n (spades, hearts, clubs, diamonds, none)");
}

}  // namespace

Options Options::parse(const std::string& text) {
  Options options;
  options.players[4] = 15.0;
  options.players[5] = 70.0;
  options.players[6] = 15.0;
  for (size_t cards = 1; cards <= 7; ++cards) options.cards[cards] = 1.0;
  options.trumps = {0, 1, 2, 3, kNoTrump};
  bool cards_given = false;
  bool highest_given = false;
  for (const std::string& part : split(text, ',')) {
    const size_t equals = part.find('=');
    const std::string key = part.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : part.substr(equals + 1);
    if (key == "players") {
      read_weights(key, value, kMinPlayers, kMaxPlayers, options.players);
    } else if (key == "cards") {
      read_weights(key, value, 1, kMaxCards, options.cards);
      cards_given = true;
    } else if (key == "highest") {
      const std::optional<int> highest = whole(value);
      if (!highest || *highest < 1 || *highest > kMaxCards)
        refuse(key, value, "a number from 1 to 13");
      options.highest = *highest;
      highest_given = true;
    } else if (key == "trumps") {
      read_trumps(value, options.trumps);
    } else if (key == "play") {
      if (value != "rounds" && value != "games") refuse(key, value, "rounds or games");
      options.games = value == "games";
    } else if (key == "dealer") {
      if (value != "bound" && value != "free") refuse(key, value, "bound or free");
      options.dealer_bound = value == "bound";
    } else {
      throw InputError("Blob has no option '" + part +
                       "'; it has players, cards, highest, trumps, play and dealer, such as "
                       "blob:players=5,cards=1-7.");
    }
  }
  if (options.games && cards_given)
    throw InputError("Option cards of blob is for play=rounds; games have highest.");
  if (!options.games && highest_given)
    throw InputError("Option highest of blob is for play=games; rounds have cards.");
  for (int players = kMinPlayers; players <= kMaxPlayers; ++players) {
    if (options.players[static_cast<size_t>(players)] <= 0.0) continue;
    const int most = most_cards(players);
    if (options.games && highest_given && options.highest > most)
      throw InputError("Option highest=" + std::to_string(options.highest) +
                       " of blob: " + std::to_string(players) + " players can have at most " +
                       std::to_string(most) + " cards.");
    bool any = options.games;
    for (int cards = 1; cards <= most; ++cards)
      any = any || options.cards[static_cast<size_t>(cards)] > 0.0;
    if (!any)
      throw InputError("Option cards of blob leaves nothing for " + std::to_string(players) +
                       " players, who can have at most " + std::to_string(most) + " cards.");
  }
  return options;
}

}  // namespace ludus::blob
