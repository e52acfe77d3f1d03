// Long calls that Ctrl-C gets through.
#pragma once

#include <nanobind/nanobind.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <future>
#include <type_traits>

namespace ludus {

namespace nb = nanobind;

// Runs work() on a thread of its own, without the interpreter, and sets `stop` when a signal's
// handler raises, which only happens to the main thread; what it raised is raised once the work
// has ended. Whatever work() throws comes through. Called with the interpreter.
template <class Work>
auto interruptible(std::atomic<bool>& stop, Work work) {
  std::future<std::invoke_result_t<Work>> answer;
  bool raised = false;
  {
    nb::gil_scoped_release release;
    answer = std::async(std::launch::async, std::move(work));
    while (!raised && answer.wait_for(std::chrono::milliseconds(50)) != std::future_status::ready) {
      nb::gil_scoped_acquire acquire;
      if (PyErr_CheckSignals() != 0) {
        stop = true;
        raised = true;
      }
    }
  }
  if (!raised) return answer.get();
  nb::python_error error;  // takes what was raised
  {
    nb::gil_scoped_release release;
    answer.wait();
  }
  throw error;
}

}  // namespace ludus
