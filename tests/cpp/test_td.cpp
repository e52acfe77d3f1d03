// The learner: the same bits whatever the threads, slices and interruptions; errors of a game
// against the formula written forwards; searched games; repairs; what goes wrong.
#include <cmath>
#include <cstring>
#include <limits>
#include <thread>

#include "base/errors.h"
#include "check.h"
#include "patterns/learner.h"
#include "patterns/search_chooser.h"

using namespace ludus;
using namespace ludus::patterns;
using othello::Board;

namespace {

// Small, so that thousands of games take no time and entries are visited often.
std::shared_ptr<const PatternSet> small_set() {
  return std::make_shared<const PatternSet>(PatternSet::parse(
      "corner: a1 b1 a2 b2\nedge: a1 b1 c1 d1 e1 f1\ncentre: d4 e4 d5 e5\nodd: b1 c2 d2"));
}

LearnerSettings small(int batch) {
  LearnerSettings settings;
  settings.batch = batch;
  settings.seed = 3;
  settings.sample_every = 100;
  return settings;
}

bool same(TdLearner& a, TdLearner& b) {
  const auto x = a.weights().entries();
  const auto y = b.weights().entries();
  const auto u = a.weights().updates();
  const auto v = b.weights().updates();
  const auto s = a.tables()->all();
  const auto t = b.tables()->all();
  return a.games() == b.games() && std::memcmp(x.data(), y.data(), x.size_bytes()) == 0 &&
         std::memcmp(u.data(), v.data(), u.size_bytes()) == 0 &&
         std::memcmp(s.data(), t.data(), s.size_bytes()) == 0;
}

// Two plies, and now and then a leaf that is exact or seen by the mover.
class TwoPlies : public Chooser {
 public:
  explicit TwoPlies(std::shared_ptr<const PatternTables> tables, int fail_at = -1)
      : tables_(std::move(tables)), fail_at_(fail_at) {}
  void begin() override { asked_ = 0; }
  Choice choose(const Board& board, const Indices& indices) override {
    CHECK_EQ(tables_->rules().from(board).mover[0], indices.mover[0]);
    if (asked_++ == fail_at_) throw InputError("The search was told to fail.");
    Choice best;
    best.value = -1000.0F;
    for (uint64_t left = othello::legal_moves(board); left != 0; left &= left - 1) {
      const int square = othello::first_bit(left);
      const Choice answer =
          reply(othello::after_move(board, square, othello::flips(board.own, board.opp, square)));
      if (answer.value <= best.value) continue;
      best = answer;
      best.square = square;
    }
    return best;
  }

 private:
  Choice reply(const Board& board) const {
    const uint64_t moves = othello::legal_moves(board);
    Choice worst;
    worst.leaf = board;
    worst.value = -static_cast<float>(tables_->evaluate(board)) / kDisc;
    if (othello::is_over(board)) {
      worst.evaluated = false;
      worst.value = static_cast<float>(-othello::final_score(board));
    }
    if (moves == 0) return worst;
    worst.value = 1000.0F;
    worst.mirrored = false;
    for (uint64_t left = moves; left != 0; left &= left - 1) {
      const int square = othello::first_bit(left);
      const Board after =
          othello::after_move(board, square, othello::flips(board.own, board.opp, square));
      const float value = static_cast<float>(tables_->evaluate(after)) / kDisc;
      if (value >= worst.value) continue;
      worst.value = value;
      worst.leaf = after;
    }
    return worst;
  }

  std::shared_ptr<const PatternTables> tables_;
  int fail_at_;
  int asked_ = 0;
};

ChooserMaker two_plies(int fail_at = -1) {
  return [fail_at](const std::shared_ptr<const PatternTables>& tables) {
    return std::make_unique<TwoPlies>(tables, fail_at);
  };
}

void same_bits_for(const ChooserMaker& search, uint64_t games, int batch) {
  const auto set = small_set();
  TrainSettings settings;
  settings.play = {0.2F, 6};
  TdLearner one(set, small(batch), search);
  const TrainFigures whole = one.train(games, 1e9, settings);
  CHECK_EQ(whole.games, games);
  CHECK(whole.black_wins + whole.white_wins <= games && whole.black_wins > games / 6);
  CHECK(whole.moves > 55 * games && whole.moves <= 60 * games && whole.td.steps > 40 * games);
  CHECK(whole.td.error / static_cast<double>(whole.td.steps) < 32.0 && whole.td.error > 0.0);
  CHECK(whole.td.highest > 0.0F && whole.td.lowest < 0.0F);
  CHECK_EQ(whole.samples.size(), (games + 99) / 100);

  // Two threads and very short slices, some of them ended by another thread.
  TdLearner two(set, small(batch), search);
  settings.threads = 2;
  TrainFigures sum;
  for (int slice = 0; two.games() < games; ++slice) {
    std::thread other([&] {
      if (slice % 3 == 0) two.stop();
    });
    const TrainFigures part = two.train(games, slice % 2 == 0 ? 1e-4 : 2e-3, settings);
    other.join();
    sum.games += part.games;
    sum.score += part.score;
    sum.moves += part.moves;
    sum.fresh += part.fresh;
    for (const SampledGame& game : part.samples) sum.samples.push_back(game);
  }
  CHECK(same(one, two));
  CHECK_EQ(sum.score, whole.score);
  CHECK_EQ(sum.moves, whole.moves);
  CHECK_EQ(sum.fresh, whole.fresh);
  CHECK_EQ(sum.samples.size(), whole.samples.size());
  for (size_t i = 0; i < sum.samples.size(); ++i)
    CHECK(sum.samples[i].actions == whole.samples[i].actions);

  // Killed in the middle of a batch: restored from what a commit has, in a new process.
  TdLearner three(set, small(batch), search);
  three.train(games / 2, 1e9, settings);
  const auto half = three.games();
  std::vector<TdEntry> entries(three.weights().entries().begin(), three.weights().entries().end());
  std::vector<uint32_t> updates(three.weights().updates().begin(), three.weights().updates().end());
  three.train(games, 1e-4, settings);
  TdLearner four(set, small(batch), search);
  std::copy(entries.begin(), entries.end(), four.weights().entries().begin());
  std::copy(updates.begin(), updates.end(), four.weights().updates().begin());
  four.restore(half);
  settings.threads = 3;
  four.train(games, 1e9, settings);
  CHECK(same(one, four));
}

// Sampled games are legal games with the score they say.
void samples_are_games() {
  TdLearner learner(small_set(), small(100));
  TrainSettings settings;
  settings.play = {0.5F, 20};
  const TrainFigures figures = learner.train(3000, 1e9, settings);
  CHECK_EQ(figures.samples.size(), 30U);
  int passes = 0;
  for (const SampledGame& game : figures.samples) {
    Board board = othello::kStart;
    bool black = true;
    for (const uint8_t action : game.actions) {
      CHECK(!othello::is_over(board));
      const uint64_t moves = othello::legal_moves(board);
      if (action == othello::kPass) {
        CHECK_EQ(moves, 0U);
        board = othello::after_pass(board);
        ++passes;
      } else {
        CHECK((moves >> action & 1) == 1);
        board = othello::after_move(board, action, othello::flips(board.own, board.opp, action));
      }
      black = !black;
    }
    CHECK(othello::is_over(board));
    CHECK_EQ(black ? othello::final_score(board) : -othello::final_score(board), game.score);
  }
  CHECK(passes > 0);
}

// G_t = sum over the steps after it, each weighed by lambda and the lambdas between, until a cut.
void errors_by_hand() {
  GameBatch batch(1);
  batch.game(0) = {2, 7, 10};
  const uint8_t seats[] = {0, 1, 0, 0, 1, 0, 1};  // white passes once
  const float best[] = {0, 0, 5, 6, -7, 8, -9};
  for (int move = 2; move < 7; ++move) {
    Step& step = batch.step(0, move);
    step = {};
    step.seat = seats[move];
    step.best = best[move];
    step.value = step.best - 1.0F;
    step.greedy = move != 5;
    step.learns = move != 6;
  }
  TdSettings settings;
  settings.lambda = 0.25F;
  settings.cut = false;
  // In black's view: values 5, 6, 7, 8, 9 and then 10.
  const auto returns = [&](int from, bool cut) {
    const float black[] = {6, 7, 8, 9};
    float total = 0.0F;
    float weight = 1.0F;
    for (int next = from + 1; next < 7; ++next) {
      if (cut && next == 5) return total + weight * black[next - 3];
      total += weight * 0.75F * black[next - 3];
      weight *= 0.25F;
    }
    return total + weight * 10.0F;
  };
  for (const bool cut : {false, true}) {
    settings.cut = cut;
    CHECK_EQ(find_errors(batch, 0, settings).steps, 4U);
    for (int move = 2; move < 6; ++move) {
      const Step& step = batch.step(0, move);
      const float expected = step.seat == 0 ? returns(move, cut) : -returns(move, cut);
      CHECK(std::abs(step.error - (expected - step.value)) < 1e-5F);
    }
  }
  settings.clip = 0.5F;
  find_errors(batch, 0, settings);
  CHECK_EQ(batch.step(0, 2).error, 0.5F);
}

void repairs() {
  TdLearner learner(small_set(), small(10));
  TrainSettings settings;
  learner.train(10, 1e9, settings);
  // The corner pattern is nearly always empty at the first stage.
  learner.weights().entries()[0].second = std::numeric_limits<float>::quiet_NaN();
  const TrainFigures figures = learner.train(20, 1e9, settings);
  CHECK_EQ(figures.repairs.size(), 1U);
  const TdRepair& repair = figures.repairs[0];
  CHECK(repair.pattern == 0 && repair.stage == 0 && repair.contents == 0);
  CHECK(std::isnan(repair.weight));
  CHECK_EQ(learner.tables()->weight(0, 0, 0), 32768);
  learner.weights().entries()[0].weight = std::numeric_limits<float>::infinity();
  learner.weights().entries()[1].weight = -500.0F;
  learner.restore(20);
  const std::vector<TdRepair> found = learner.weights().repairs();
  CHECK_EQ(found.size(), 2U);
  CHECK(std::isinf(found[0].weight) && found[1].weight == -500.0F && found[1].contents == 1);
  CHECK_EQ(learner.tables()->weight(0, 0, 0), 32768);
  CHECK_EQ(learner.tables()->weight(0, 0, 1), 32768 - 127 * 256);
}

void failures() {
  const auto set = small_set();
  TrainSettings settings;
  settings.threads = 2;
  settings.play = {0.2F, 6};
  TdLearner learner(set, small(20), two_plies(20));
  for (int again = 0; again < 3; ++again)
    CHECK_THROWS(learner.train(40, 1e9, settings), InputError);
  CHECK_EQ(learner.games(), 0U);
  for (const TdEntry& entry : learner.weights().entries()) CHECK_EQ(entry.steps, 0U);
  const auto refuses = [&](auto change) {
    LearnerSettings wrong = small(10);
    TrainSettings other;
    change(wrong, other);
    CHECK_THROWS(TdLearner(set, wrong).train(10, 1e9, other), InputError);
  };
  refuses([](auto& s, auto&) { s.batch = 0; });
  refuses([](auto& s, auto&) { s.sample_every = -1; });
  refuses([](auto& s, auto&) { s.td.lambda = 1.5F; });
  refuses([](auto& s, auto&) { s.td.clip = 0.0F; });
  refuses([](auto& s, auto&) { s.td.beta1 = 1.0F; });
  refuses([](auto& s, auto&) { s.td.beta2 = std::nanf(""); });
  refuses([](auto& s, auto&) { s.td.epsilon = 0.0F; });
  refuses([](auto&, auto& t) { t.rate = 0.0F; });
  refuses([](auto&, auto& t) { t.threads = 0; });
  refuses([](auto&, auto& t) { t.play.epsilon = -0.1F; });
  refuses([](auto&, auto& t) { t.play.opening = 61; });
  TdLearner other(set, small(20));
  CHECK_THROWS(other.restore(30), InputError);
}

// For the thread sanitizer: live tables are read while they are learned.
void readers_while_learning() {
  TdLearner learner(small_set(), small(64));
  std::atomic<bool> done = false;
  std::thread reader([&] {
    const std::vector<Board> boards(100, othello::kStart);
    std::vector<int32_t> scores(boards.size());
    while (!done) {
      learner.tables()->evaluate(boards, scores);
      for (const int32_t score : scores) CHECK_EQ(score, scores[0]);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
  TrainSettings settings;
  settings.threads = 2;
  learner.train(2000, 1e9, settings);
  done = true;
  reader.join();
}

}  // namespace

int main() {
  errors_by_hand();
  same_bits_for(nullptr, 1200, 100);
  same_bits_for(nullptr, 70, 7);
  same_bits_for(two_plies(), 120, 20);
  SearchLimits limits;
  limits.depth = 3;
  limits.endgame = 8;
  same_bits_for(searching(limits, 1 << 16), 60, 20);
  samples_are_games();
  repairs();
  failures();
  readers_while_learning();
  return 0;
}
