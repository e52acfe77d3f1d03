#include "bindings/python_rules.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/errors.h"

namespace ludus {

namespace {

constexpr size_t kMostShown = 120;  // characters of what Python returned

std::string text_of(const nb::object& object) { return nb::cast<std::string>(nb::str(object)); }

std::string shown(nb::handle object) {
  std::string text;
  try {
    text = nb::cast<std::string>(nb::repr(object));
  } catch (nb::python_error&) {
    text = "an object that cannot be shown";
  }
  for (char& c : text)
    if (c == '\n') c = ' ';
  if (text.size() > kMostShown) {
    size_t end = kMostShown;  // not within a character
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
    text = text.substr(0, end) + " ...";
  }
  return text;
}

template <class T>
T fact(const nb::dict& facts, const char* name) {
  T value;
  if (!facts.contains(name) || !nb::try_cast<T>(facts[name], value))
    throw InputError(std::string("The facts of a game in Python lack '") + name +
                     "', or it has the wrong type.");
  return value;
}

std::string plural(int count, const char* what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

}  // namespace

PythonRules::PythonRules(nb::object game, const nb::dict& facts) : game_(std::move(game)) {
  info_.name = fact<std::string>(facts, "name");
  info_.num_seats = fact<int>(facts, "num_seats");
  info_.num_actions = fact<int>(facts, "num_actions");
  info_.max_legal = fact<int>(facts, "max_legal");
  info_.max_plies = fact<int>(facts, "max_plies");
  info_.max_outcomes = fact<int>(facts, "max_outcomes");
  info_.observation_shape = fact<std::vector<int>>(facts, "observation_shape");
  info_.rules_id = fact<std::string>(facts, "rules_id");
  info_.encoder_id = fact<std::string>(facts, "encoder_id");
  info_.action_space_id = fact<std::string>(facts, "action_space_id");
  info_.has_hidden = fact<bool>(facts, "hidden");
  info_.margin_scale = fact<float>(facts, "margin_scale");
  info_.has_chance = info_.max_outcomes > 0;
  info_.interpreted = true;
  info_.decision_kinds = {"move"};
  info_.state_size = 8;
  int64_t size = 1;
  for (const int extent : info_.observation_shape)
    size = extent < 1 || size > (1 << 24) ? 0 : size * extent;
  // ludus.games says each of these in a sentence of its own; here they guard the memory.
  const bool sound = info_.num_seats >= 1 && info_.num_seats <= kMaxSeats &&
                     info_.num_actions >= 1 && info_.num_actions <= 65535 && info_.max_legal >= 1 &&
                     info_.max_legal <= 1024 && info_.max_plies >= 1 && info_.max_outcomes >= 0 &&
                     info_.max_outcomes <= 32767 && size >= 1 && size <= (1 << 24) &&
                     info_.margin_scale > 0.0F;
  if (!sound) throw InputError("The facts of the game " + info_.name + " are out of range.");
  info_.observation_size = static_cast<int>(size);
  files_ = nb::borrow(facts["files"]);
  initial_ = game_.attr("initial");
  turn_ = game_.attr("turn");
  legal_ = game_.attr("legal");
  apply_ = game_.attr("apply");
  returns_ = game_.attr("returns");
  scores_ = game_.attr("scores");
  observe_ = game_.attr("observe");
  outcomes_ = game_.attr("outcomes");
  apply_outcome_ = game_.attr("apply_outcome");
  chance_seat_ = game_.attr("chance_seat");
  const nb::module_ numpy = nb::module_::import_("numpy");
  as_array_ = numpy.attr("ascontiguousarray");
  float32_ = numpy.attr("float32");
}

// ---- what goes wrong ---------------------------------------------------------------------------

void PythonRules::fault(const std::string& what) const {
  throw GameFault(info_.name + ": " + what + ".");
}

void PythonRules::fault(const char* method, nb::handle returned, const std::string& right) const {
  fault(std::string(method) + "() returned " + shown(returned) + "; it must be " + right);
}

// The innermost line of the user's own files, and what was raised there.
void PythonRules::raised(const char* method, nb::python_error& error) const {
  if (!error.matches(PyExc_Exception) || error.matches(PyExc_MemoryError))
    throw nb::python_error(error);  // an interrupt, or no fault of the game
  std::string where;
  std::string deepest;
  nb::object trace = error.traceback();
  while (trace.is_valid() && !trace.is_none()) {
    const nb::object file = trace.attr("tb_frame").attr("f_code").attr("co_filename");
    deepest = text_of(file) + ":" + text_of(trace.attr("tb_lineno"));
    if (PySequence_Contains(files_.ptr(), file.ptr()) == 1) where = deepest;
    trace = trace.attr("tb_next");
  }
  if (where.empty()) where = deepest.empty() ? info_.name : deepest;
  std::string text;
  try {
    text = text_of(nb::borrow(error.value()));
  } catch (nb::python_error&) {
    text = "a message that cannot be shown";
  }
  const std::string type = text_of(error.type().attr("__name__"));
  throw GameFault(where + ": " + type + (text.empty() ? "" : ": " + text) + " (in " + info_.name +
                  "." + method + "()).");
}

template <class... Args>
nb::object PythonRules::ask(const char* method, const nb::object& bound, Args&&... args) const {
  try {
    return bound(std::forward<Args>(args)...);
  } catch (nb::python_error& error) {
    raised(method, error);
  }
}

// `item` as an integer of [low, high]; `answer` is what the sentence shows.
int PythonRules::integer(const char* method, nb::handle answer, nb::handle item, int low, int high,
                         const std::string& right) const {
  long value = 0;
  int overflow = 0;
  if (PyLong_Check(item.ptr())) {
    value = PyLong_AsLongAndOverflow(item.ptr(), &overflow);
  } else {
    const nb::object index = nb::steal(PyNumber_Index(item.ptr()));  // numpy's integers
    if (!index.is_valid()) {
      PyErr_Clear();
      fault(method, answer, right);
    }
    value = PyLong_AsLongAndOverflow(index.ptr(), &overflow);
  }
  if (overflow != 0 || value < low || value > high) fault(method, answer, right);
  return static_cast<int>(value);
}

nb::object PythonRules::sequence(const char* method, const nb::object& answer,
                                 const std::string& right) const {
  nb::object items = nb::steal(PySequence_Fast(answer.ptr(), ""));
  if (items.is_valid()) return items;
  nb::python_error error;
  if (error.matches(PyExc_TypeError)) fault(method, answer, right);
  raised(method, error);
}

// One finite number of at most `most` for each seat.
void PythonRules::numbers(const char* method, const nb::object& answer, float most,
                          float* by_seat) const {
  const std::string range = most > 1.0F ? "" : " in -1..1";
  const std::string right =
      "a sequence of " + plural(info_.num_seats, "finite number") + range + ", one for each seat";
  const nb::object items = sequence(method, answer, right);
  if (nb::len(items) != static_cast<size_t>(info_.num_seats)) fault(method, answer, right);
  for (int seat = 0; seat < info_.num_seats; ++seat) {
    const double value = PyFloat_AsDouble(nb::object(items[seat]).ptr());
    if (PyErr_Occurred() != nullptr) {
      PyErr_Clear();
      fault(method, answer, right);
    }
    if (!(std::abs(value) <= static_cast<double>(most))) fault(method, answer, right);  // also NaN
    by_seat[seat] = static_cast<float>(value);
  }
}

// ---- a new position ----------------------------------------------------------------------------

Sight PythonRules::initial() const { return look(ask("initial", initial_), "initial"); }

Sight PythonRules::apply(const nb::object& state, int action) const {
  nb::object after = ask("apply", apply_, state, action);
  if (after.is(state))
    fault("apply() returned the state that it was given; states are values: leave that one as it "
          "is and return a new one");
  return look(std::move(after), "apply");
}

Sight PythonRules::apply_outcome(const nb::object& state, int outcome) const {
  nb::object after = ask("apply_outcome", apply_outcome_, state, outcome);
  if (after.is(state))
    fault("apply_outcome() returned the state that it was given; states are values: leave that "
          "one as it is and return a new one");
  Sight sight = look(std::move(after), "apply_outcome");
  if (sight.kind == NodeKind::chance)
    fault("apply_outcome() led to another chance event; merge events that follow each other into "
          "one, whose outcomes are their combinations");
  return sight;
}

Sight PythonRules::look(nb::object state, const char* made_by) const {
  if (state.is_none()) fault(std::string(made_by) + "() returned None; it must return a state");
  Sight sight;
  sight.state = std::move(state);
  const nb::object turn = ask("turn", turn_, sight.state);
  const std::string right = "a seat in 0.." + std::to_string(info_.num_seats - 1) +
                            ", CHANCE (-1) or OVER (-2)";
  const int mover = integer("turn", turn, turn, -2, info_.num_seats - 1, right);
  if (mover >= 0) {
    sight.kind = NodeKind::decision;
    sight.seat = static_cast<uint8_t>(mover);
    look_at_decision(sight);
  } else if (mover == -1) {
    sight.kind = NodeKind::chance;
    look_at_chance(sight);
  } else {
    sight.kind = NodeKind::terminal;
    sight.returns.resize(static_cast<size_t>(info_.num_seats));
    numbers("returns", ask("returns", returns_, sight.state), 1.0F, sight.returns.data());
  }
  return sight;
}

void PythonRules::look_at_decision(Sight& sight) const {
  const nb::object legal = ask("legal", legal_, sight.state);
  static const std::string list = "a sequence of actions";
  const nb::object items = sequence("legal", legal, list);
  const size_t count = nb::len(items);
  if (count == 0)
    fault("legal", legal, "at least one action at a decision; turn() says OVER when it is over");
  if (count > static_cast<size_t>(info_.max_legal))
    fault("legal() returned " + plural(static_cast<int>(count), "action") + "; max_legal is " +
          std::to_string(info_.max_legal));
  sight.steps.reserve(count);
  int before = -1;
  for (size_t i = 0; i < count; ++i) {
    const nb::object item = items[i];
    int action = -1;
    // The sentence is made only when it is needed: this is asked for every action of a position.
    if (PyLong_CheckExact(item.ptr())) {
      int overflow = 0;
      const long value = PyLong_AsLongAndOverflow(item.ptr(), &overflow);
      if (overflow == 0 && value >= 0 && value < info_.num_actions) action = static_cast<int>(value);
    }
    if (action < 0)
      action = integer("legal", legal, item, 0, info_.num_actions - 1,
                       "actions in 0.." + std::to_string(info_.num_actions - 1));
    if (action <= before) fault("legal", legal, "actions in ascending order, each of them once");
    sight.steps.push_back(static_cast<uint16_t>(action));
    before = action;
  }
}

void PythonRules::look_at_chance(Sight& sight) const {
  if (info_.max_outcomes == 0)
    fault("turn() returned CHANCE, but the game has none: set max_outcomes to the most outcomes of "
          "a chance event");
  const nb::object answer = ask("outcomes", outcomes_, sight.state);
  static const std::string list = "a sequence of pairs (outcome, probability), at least one";
  const nb::object items = sequence("outcomes", answer, list);
  const size_t count = nb::len(items);
  if (count == 0) fault("outcomes", answer, list);
  std::vector<std::pair<int, double>> found;
  double sum = 0.0;
  for (size_t i = 0; i < count; ++i) {
    const nb::object pair = sequence("outcomes", nb::object(items[i]), list);
    if (nb::len(pair) != 2) fault("outcomes", answer, list);
    const int id = integer("outcomes", answer, nb::object(pair[0]), 0, info_.max_outcomes - 1,
                           "pairs whose outcome lies in 0.." +
                               std::to_string(info_.max_outcomes - 1) + " (max_outcomes)");
    const double probability = PyFloat_AsDouble(nb::object(pair[1]).ptr());
    const bool no_number = PyErr_Occurred() != nullptr;
    if (no_number) PyErr_Clear();
    if (no_number || !(probability > 0.0 && probability <= 1.0 + 1e-6))
      fault("outcomes", answer, "pairs whose probability lies above 0 and at most at 1");
    found.emplace_back(id, probability);
    sum += probability;
  }
  std::sort(found.begin(), found.end());
  for (size_t i = 1; i < found.size(); ++i)
    if (found[i].first == found[i - 1].first)
      fault("outcomes", answer, "different outcomes, each of them once");
  if (std::abs(sum - 1.0) > 1e-6)
    fault("outcomes() returned probabilities that sum to " + std::to_string(sum) + ", not to 1");
  double cumulated = 0.0;
  for (const auto& [id, probability] : found) {
    cumulated += probability / sum;
    sight.steps.push_back(static_cast<uint16_t>(id));
    sight.cumulated.push_back(cumulated);
  }
  const nb::object seat = ask("chance_seat", chance_seat_, sight.state);
  sight.seat = static_cast<uint8_t>(integer("chance_seat", seat, seat, 0, info_.num_seats - 1,
                                            "a seat in 0.." + std::to_string(info_.num_seats - 1)));
}

// ---- numbers about a position ------------------------------------------------------------------

void PythonRules::scores(const nb::object& state, float* by_seat) const {
  numbers("scores", ask("scores", scores_, state), 1e9F, by_seat);
}

// Copies a float32 array of the right shape; false for anything else.
bool PythonRules::copy_buffer(const nb::object& array, float* out) const {
  Py_buffer view;
  if (PyObject_GetBuffer(array.ptr(), &view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) != 0) {
    PyErr_Clear();
    return false;
  }
  const auto& shape = info_.observation_shape;
  bool fits = view.format != nullptr && std::strcmp(view.format, "f") == 0 &&
              view.ndim == static_cast<int>(shape.size());
  for (size_t i = 0; fits && i < shape.size(); ++i) fits = view.shape[i] == shape[i];
  if (fits) std::memcpy(out, view.buf, sizeof(float) * static_cast<size_t>(info_.observation_size));
  PyBuffer_Release(&view);
  return fits;
}

void PythonRules::observe(const nb::object& state, int seat, float* out) const {
  const nb::object seen = ask("observe", observe_, state, seat);
  if (!copy_buffer(seen, out)) {
    std::string shape;
    for (const int extent : info_.observation_shape)
      shape += (shape.empty() ? "" : ", ") + std::to_string(extent);
    const std::string right =
        "numbers of the shape (" + shape + (info_.observation_shape.size() == 1 ? ",)" : ")");
    nb::object array;
    try {
      array = as_array_(seen, float32_);
    } catch (nb::python_error& error) {
      if (!error.matches(PyExc_Exception) || error.matches(PyExc_MemoryError)) throw;
      fault("observe", seen, right);
    }
    if (!copy_buffer(array, out))
      fault("observe() returned an array of the shape " + shown(array.attr("shape")) +
            "; it must be " + right);
  }
  if (!std::all_of(out, out + info_.observation_size, [](float x) { return std::isfinite(x); }))
    fault("observe", seen, "finite numbers; there is a NaN or an infinity among them");
}

}  // namespace ludus
