// Self-play on frozen tables: what fills a batch of games.
//
// A game's random numbers come from a stream of its own, keyed by the seed and the number of the
// game, so a game is the same whoever plays it and beside whichever others.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "base/random.h"
#include "patterns/games.h"
#include "patterns/tables.h"

namespace ludus::patterns {

struct PlaySettings {
  float epsilon = 0.15F;  // probability that a move is a random one
  int opening = 0;        // up to so many random moves at the start, each number as likely
  bool operator==(const PlaySettings&) const = default;
};

// Throws InputError that names the setting.
void check(const PlaySettings& settings);

// What a search answers: its move, and the leaf whose value it took for it.
struct Choice {
  int square = 0;
  float value = 0.0F;     // of the best line, in discs for the mover
  othello::Board leaf;    // the end of that line, as seen by whoever is to move there
  bool mirrored = true;   // that is the other side
  bool evaluated = true;  // value is the tables' score of the leaf; false: an exact result, say
};

// What searches have done.
struct SearchSums {
  uint64_t searches = 0;
  uint64_t depth = 0;  // of finished searches, summed
  uint64_t exact = 0;  // searches that proved their score
  uint64_t nodes = 0;
  uint64_t probes = 0;  // of the transposition table
  uint64_t hits = 0;
  void operator+=(const SearchSums& other);
};

// Chooses moves by search. One thread uses it at a time, for one game after the other.
class Chooser {
 public:
  virtual ~Chooser() = default;
  // A new game: whatever may depend on earlier games is forgotten.
  virtual void begin() = 0;
  // Only asked where there is a move.
  virtual Choice choose(const othello::Board& board, const Indices& indices) = 0;
  // Since the last call.
  virtual SearchSums take_sums() { return {}; }
};
using ChooserMaker =
    std::function<std::unique_ptr<Chooser>(const std::shared_ptr<const PatternTables>&)>;

// A game while it is played.
class GameInPlay {
 public:
  GameInPlay(const PatternTables& tables, const PlaySettings& settings, uint64_t seed,
             uint64_t number, PlayedGame& record);

  // Passes for whoever cannot move; false once the game is over, and record.score is known then.
  bool to_move(PlayedGame& record);
  const othello::Board& board() const { return board_; }
  const Indices& indices() const { return indices_; }
  uint64_t moves() const { return moves_; }  // of the side to move
  int played() const { return played_; }     // discs that were put
  bool passed() const { return passed_; }    // the other side has just passed

  // The game is still in its random opening.
  bool opening() const { return opening_ > 0; }
  // The random move that is due now, or -1. Draws from the stream: to be asked once a move.
  int explore();
  // Plays a move. `step` has best, value and greedy already and gets the rest, with the position
  // after the move as its leaf.
  void play(int square, uint64_t turned, Step& step, IndexVector& leaf, PlayedGame& record);

 private:
  int any_move();

  const IndexRules* rules_;
  othello::Board board_ = othello::kStart;
  Indices indices_;
  Stream stream_;
  uint64_t threshold_;  // of a 32-bit number, below which a move is random
  uint64_t moves_ = 0;
  int opening_;
  int played_ = 0;
  uint8_t seat_ = 0;
  bool passed_ = false;
};

// Plays games `first` to `first + count - 1` with one ply of search, in step with each other, so
// that the tables of a stage stay in the cache; they become games `at` and following of the batch.
void play_greedily(const PatternTables& tables, const PlaySettings& settings, uint64_t seed,
                   uint64_t first, size_t count, GameBatch& batch, size_t at);

// A game whose moves a search chooses. It can be left and taken up again between two moves. What is
// learned is the leaf of the search; where a random move was played, or the search has no leaf that
// its value comes from, the position after the move.
class SearchedGame {
 public:
  SearchedGame(const PatternTables& tables, const PlaySettings& settings, uint64_t seed,
               uint64_t number, GameBatch& batch, size_t at);
  // One move; false once the game is over.
  bool advance(Chooser& chooser);
  size_t at() const { return at_; }

 private:
  const PatternTables* tables_;
  GameBatch* batch_;
  size_t at_;
  GameInPlay game_;
};

// A game that was played, as batch game 0, its values and best moves by these tables and one ply of
// search. Actions are squares, 64 for a pass, from the first position to the end. Throws InputError
// that names the ply of an illegal action, or says that the game is not over.
void replay(const PatternTables& tables, std::span<const uint8_t> actions, GameBatch& batch);

}  // namespace ludus::patterns
