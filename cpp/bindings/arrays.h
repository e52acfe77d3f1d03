// Arrays across the border. An array that goes to Python owns its memory; one that comes from
// Python is looked at before the interpreter is let go.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/errors.h"

namespace ludus {

namespace nb = nanobind;

template <class T>
using Array1 = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using Array2 = nb::ndarray<const T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <class T>
using Lent1 = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using Lent2 = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <class T>
using NumpyArray = nb::ndarray<nb::numpy, T>;

// Moves a vector into a NumPy array of the given shape.
template <class T>
NumpyArray<T> to_numpy(std::vector<T>&& values, std::initializer_list<size_t> shape) {
  auto owned = std::make_unique<std::vector<T>>(std::move(values));
  T* data = owned->data();
  nb::capsule owner(owned.get(), [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
  (void)owned.release();  // the capsule deletes it now
  return NumpyArray<T>(data, shape, owner);
}

template <class T>
NumpyArray<T> to_numpy(std::vector<T>&& values) {
  const size_t size = values.size();
  return to_numpy(std::move(values), {size});
}

inline void require(bool holds, const std::string& sentence) {
  if (!holds) throw InputError(sentence);
}

}  // namespace ludus
