// What the native tests share. CMake keeps assert() alive in every build type for this folder.
#pragma once

#include <cstdio>
#include <cstdlib>

// Like assert, but with both values, and never compiled away.
#define CHECK_EQ(left, right)                                                            \
  do {                                                                                   \
    const auto check_left = (left);                                                      \
    const auto check_right = (right);                                                    \
    if (!(check_left == check_right)) {                                                  \
      std::fprintf(stderr, "%s:%d: %s is %.17g, not %.17g\n", __FILE__, __LINE__, #left, \
                   static_cast<double>(check_left), static_cast<double>(check_right));   \
      std::abort();                                                                      \
    }                                                                                    \
  } while (false)

#define CHECK(holds)                                                                 \
  do {                                                                               \
    if (!(holds)) {                                                                  \
      std::fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #holds); \
      std::abort();                                                                  \
    }                                                                                \
  } while (false)

#define CHECK_THROWS(call, Error)                                                              \
  do {                                                                                         \
    bool check_thrown = false;                                                                 \
    try {                                                                                      \
      call;                                                                                    \
    } catch (const Error&) {                                                                   \
      check_thrown = true;                                                                     \
    }                                                                                          \
    if (!check_thrown) {                                                                       \
      std::fprintf(stderr, "%s:%d: %s did not throw " #Error "\n", __FILE__, __LINE__, #call); \
      std::abort();                                                                            \
    }                                                                                          \
  } while (false)
