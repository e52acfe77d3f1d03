#include <algorithm>
#include <cstddef>
#include <optional>

#include "base/errors.h"
#include "games/blob.h"
#include "games/game.h"
#include "games/othello.h"
#include "games/yatzy.h"

namespace ludus {

namespace {
// One line a game; `make` takes the options behind the colon, "" for none.
struct Entry {
  const char* name;
  std::shared_ptr<const Game> (*make)(const std::string& options);
};
using Maker = std::shared_ptr<const Game> (*)();
template <Maker make>
std::shared_ptr<const Game> plain(const std::string& options) {
  if (!options.empty())
    throw InputError("The game " + make()->info().name + " has no options, so '" + options +
                     "' means nothing.");
  return make();
}
constexpr Entry kGames[] = {
    {"blob", blob::make_game},
    {"othello", plain<othello::make_game>},
    {"yatzy", plain<yatzy::make_game>},
};
}  // namespace

std::vector<std::string> game_names() {
  std::vector<std::string> names;
  for (const Entry& entry : kGames) names.emplace_back(entry.name);
  return names;
}

std::shared_ptr<const Game> find_game(const std::string& spec) {
  const size_t colon = spec.find(':');
  const std::string name = spec.substr(0, colon);
  const std::string options = colon == std::string::npos ? "" : spec.substr(colon + 1);
  std::string known;
  for (const Entry& entry : kGames) {
    if (name == entry.name) return entry.make(options);
    known += known.empty() ? entry.name : std::string(", ") + entry.name;
  }
  throw InputError("There is no game '" + name + "'; the games are: " + known + ".");
}

namespace {
// `path`: the positions from the start of the count to `state`, all that is wanted by then.
uint64_t count_leaves(const Game& game, const void* state, int depth,
                      std::vector<const void*>& path) {
  if (depth == 0) return 1;
  const NodeKind kind = game.kind(state);
  if (kind == NodeKind::terminal) return game.info().ended_are_leaves ? 1 : 0;
  const auto size = static_cast<size_t>(game.info().state_size);
  uint64_t total = 0;
  StateBytes child;
  auto visit = [&](auto step) {
    std::copy_n(static_cast<const std::byte*>(state), size, child.bytes);
    step();
    path.push_back(child.bytes);
    if (game.crowded()) game.keep_only(path);
    total += count_leaves(game, child.bytes, depth - 1, path);
    path.pop_back();
  };
  if (kind == NodeKind::chance) {
    if (game.info().sampled_chance)
      throw InputError("The chance outcomes of " + game.info().name +
                       " are too many to be counted: start behind the chance event, and stay "
                       "above the next.");
    std::vector<int32_t> ids(static_cast<size_t>(game.info().max_outcomes));
    std::vector<double> probabilities(ids.size());
    const int count = game.outcomes(state, ids.data(), probabilities.data());
    if (depth == 1) return static_cast<uint64_t>(count);
    for (int i = 0; i < count; ++i)
      visit([&] { game.apply_outcome(child.bytes, ids[static_cast<size_t>(i)]); });
    return total;
  }
  std::vector<int32_t> actions(static_cast<size_t>(game.info().num_actions));
  const int count = game.legal(state, actions.data());
  if (depth == 1) return static_cast<uint64_t>(count);
  for (int i = 0; i < count; ++i)
    visit([&] { game.apply(child.bytes, actions[static_cast<size_t>(i)]); });
  return total;
}
}  // namespace

uint64_t perft(const Game& game, const void* state, int depth, bool bulk) {
  if (bulk)
    if (const std::optional<uint64_t> leaves = game.count_leaves(state, depth)) return *leaves;
  std::vector<const void*> path = {state};
  return count_leaves(game, state, depth, path);
}

}  // namespace ludus
