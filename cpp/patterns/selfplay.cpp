#include "patterns/selfplay.h"

#include "base/errors.h"
#include "patterns/endings.h"

namespace ludus::patterns {
namespace {

using othello::Board;

float discs(int score) { return static_cast<float>(score) / static_cast<float>(kDisc); }

// One ply of search: the best move, and the value of another that is asked for.
struct Greedy {
  int square = 0;
  uint64_t turned = 0;
  int value = INT32_MIN;  // 1/256 discs for the mover
  int asked = 0;
};

// The score of a move for the mover: what the rules know of the position after it, else by the
// tables.
int score_of(const PatternTables& tables, const GameInPlay& game, int square, uint64_t turned) {
  const Board after = othello::after_move(game.board(), square, turned);
  int score;
  if (known(after, score)) return -kDisc * score;
  IndexVector view;
  tables.rules().view_after(game.indices(), square, turned, view);
  return -tables.evaluate(view, stage_of(5 + game.played()));
}

Greedy look(const PatternTables& tables, const GameInPlay& game, int asked) {
  Greedy best;
  for (uint64_t left = game.moves(); left != 0; left &= left - 1) {
    const int square = othello::first_bit(left);
    const uint64_t turned = othello::flips(game.board().own, game.board().opp, square);
    const int value = score_of(tables, game, square, turned);
    if (square == asked) best.asked = value;
    if (value > best.value) {
      best.square = square;
      best.turned = turned;
      best.value = value;
    }
  }
  return best;
}

// The last random move of an opening is the first step: its position learns from what follows. The
// ones before it are not looked at.
void play_opening(const PatternTables& tables, GameInPlay& game, Step& step, IndexVector& leaf,
                  PlayedGame& record) {
  const int square = game.explore();
  const uint64_t turned = othello::flips(game.board().own, game.board().opp, square);
  if (!game.opening()) step.value = discs(score_of(tables, game, square, turned));
  step.best = step.value;
  step.greedy = false;
  game.play(square, turned, step, leaf, record);
}

// `random`: the move that is played instead of the best one, or -1.
void play_with(const PatternTables& tables, GameInPlay& game, int random, Step& step,
               IndexVector& leaf, PlayedGame& record) {
  const Greedy best = look(tables, game, random);
  step.best = discs(best.value);
  step.greedy = random < 0 || random == best.square;
  step.value = step.greedy ? step.best : discs(best.asked);
  const int square = step.greedy ? best.square : random;
  const uint64_t turned =
      step.greedy ? best.turned : othello::flips(game.board().own, game.board().opp, square);
  game.play(square, turned, step, leaf, record);
}

void play_greedy_move(const PatternTables& tables, GameInPlay& game, Step& step, IndexVector& leaf,
                      PlayedGame& record) {
  const int random = game.explore();
  play_with(tables, game, random, step, leaf, record);
}

}  // namespace

void SearchSums::operator+=(const SearchSums& other) {
  searches += other.searches;
  depth += other.depth;
  exact += other.exact;
  nodes += other.nodes;
  probes += other.probes;
  hits += other.hits;
}

void check(const PlaySettings& settings) {
  if (!(settings.epsilon >= 0.0F && settings.epsilon <= 1.0F))
    throw InputError("Setting 'epsilon' is " + std::to_string(settings.epsilon) +
                     "; it must be from 0 to 1.");
  if (settings.opening < 0 || settings.opening > kMaxMoves)
    throw InputError("Setting 'opening' is " + std::to_string(settings.opening) +
                     "; it must be from 0 to " + std::to_string(kMaxMoves) + " moves.");
}

GameInPlay::GameInPlay(const PatternTables& tables, const PlaySettings& settings, uint64_t seed,
                       uint64_t number, PlayedGame& record)
    : rules_(&tables.rules()),
      indices_(rules_->from(board_)),
      stream_(seed, Purpose::action, number),
      threshold_(static_cast<uint64_t>(static_cast<double>(settings.epsilon) * 0x1p32)),
      opening_(static_cast<int>(stream_.below(static_cast<uint32_t>(settings.opening) + 1))) {
  record = {static_cast<uint8_t>(opening_ > 0 ? opening_ - 1 : 0), 0, 0};
}

bool GameInPlay::to_move(PlayedGame& record) {
  moves_ = othello::legal_moves(board_);
  passed_ = moves_ == 0;
  if (!passed_) return true;
  board_ = othello::after_pass(board_);
  moves_ = othello::legal_moves(board_);
  seat_ ^= 1U;
  if (moves_ != 0) {
    indices_ = IndexRules::after_pass(indices_);
    return true;
  }
  const int score = othello::final_score(board_);
  record.score = static_cast<int8_t>(seat_ == 0 ? score : -score);
  // An opening that ended the game has no step to learn from.
  if (record.first > record.moves) record.first = record.moves;
  return false;
}

int GameInPlay::any_move() {
  uint64_t bits = moves_;
  for (uint32_t skip = stream_.below(static_cast<uint32_t>(othello::count_bits(bits))); skip > 0;
       --skip)
    bits &= bits - 1;
  return othello::first_bit(bits);
}

int GameInPlay::explore() {
  if (opening_ > 0) {
    --opening_;
    return any_move();
  }
  return stream_.next_u32() < threshold_ ? any_move() : -1;
}

void GameInPlay::play(int square, uint64_t turned, Step& step, IndexVector& leaf,
                      PlayedGame& record) {
  rules_->play(indices_, square, turned, indices_);
  board_ = othello::after_move(board_, square, turned);
  step.square = static_cast<uint8_t>(square);
  step.seat = seat_;
  step.stage = static_cast<uint8_t>(stage_of(5 + played_));
  int score;
  step.learns = !known(board_, score);
  step.mirrored = true;
  leaf = indices_.mover;
  seat_ ^= 1U;
  record.moves = static_cast<uint8_t>(++played_);
}

void play_greedily(const PatternTables& tables, const PlaySettings& settings, uint64_t seed,
                   uint64_t first, size_t count, GameBatch& batch, size_t at) {
  std::vector<GameInPlay> games;
  games.reserve(count);
  for (size_t i = 0; i < count; ++i)
    games.emplace_back(tables, settings, seed, first + i, batch.game(at + i));
  std::vector<size_t> going(count);
  for (size_t i = 0; i < count; ++i) going[i] = i;
  for (int move = 0; !going.empty(); ++move) {
    size_t left = 0;
    for (const size_t i : going) {
      PlayedGame& record = batch.game(at + i);
      if (!games[i].to_move(record)) continue;
      going[left++] = i;
      const auto play = games[i].opening() ? play_opening : play_greedy_move;
      play(tables, games[i], batch.step(at + i, move), batch.leaf(at + i, move), record);
    }
    going.resize(left);
  }
}

SearchedGame::SearchedGame(const PatternTables& tables, const PlaySettings& settings, uint64_t seed,
                           uint64_t number, GameBatch& batch, size_t at)
    : tables_(&tables),
      batch_(&batch),
      at_(at),
      game_(tables, settings, seed, number, batch.game(at)) {}

bool SearchedGame::advance(Chooser& chooser) {
  PlayedGame& record = batch_->game(at_);
  if (!game_.to_move(record)) return false;
  Step& step = batch_->step(at_, game_.played());
  IndexVector& leaf = batch_->leaf(at_, game_.played());
  if (game_.opening()) {
    play_opening(*tables_, game_, step, leaf, record);
    return true;
  }
  const Choice choice = chooser.choose(game_.board(), game_.indices());
  const int random = game_.explore();
  step.best = choice.value;
  step.greedy = random < 0 || random == choice.square;
  const int square = step.greedy ? choice.square : random;
  const uint64_t turned = othello::flips(game_.board().own, game_.board().opp, square);
  const bool leaf_learns = step.greedy && choice.evaluated;
  step.value = leaf_learns ? choice.value : discs(score_of(*tables_, game_, square, turned));
  game_.play(square, turned, step, leaf, record);
  if (leaf_learns) {
    step.learns = true;
    step.mirrored = choice.mirrored;
    step.stage = static_cast<uint8_t>(stage_of(othello::kSquares - othello::empties(choice.leaf)));
    tables_->rules().view(choice.leaf, leaf);
  }
  return true;
}

void replay(const PatternTables& tables, std::span<const uint8_t> actions, GameBatch& batch) {
  const auto refuse = [](size_t ply, const std::string& reason) {
    throw InputError("Ply " + std::to_string(ply) + " of the game " + reason + ".");
  };
  PlayedGame& record = batch.game(0);
  GameInPlay game(tables, {0.0F, 0}, 0, 0, record);
  bool going = game.to_move(record);
  bool owed = false;  // a pass, that to_move has made already
  for (size_t ply = 0; ply < actions.size(); ++ply) {
    const int action = actions[ply];
    if (!going) refuse(ply, "comes after its end");
    if (action == othello::kPass) {
      if (!owed) refuse(ply, "is a pass where a disc can be put");
      owed = false;
      continue;
    }
    if (owed) refuse(ply, "must be a pass");
    if (action > othello::kPass || (game.moves() >> action & 1) == 0)
      refuse(ply, "is " + std::to_string(action) + ", which is illegal there");
    play_with(tables, game, action, batch.step(0, game.played()), batch.leaf(0, game.played()),
              record);
    going = game.to_move(record);
    owed = going && game.passed();
  }
  if (going)
    throw InputError("The game is not over after its " + std::to_string(actions.size()) +
                     " plies.");
}

}  // namespace ludus::patterns
