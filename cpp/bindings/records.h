// Game records as dictionaries of NumPy arrays.
#pragma once

#include <algorithm>
#include <cstring>
#include <string>

#include "bindings/arrays.h"
#include "play/records.h"

namespace ludus {

inline bool is_half(const char* name) {
  for (const char* half : {"temperature", "root_value", "q_variance", "q", "prior"})
    if (std::strcmp(name, half) == 0) return true;
  return false;
}

// Half columns travel as uint16 and are seen as float16 on the other side.
inline nb::dict to_dict(Records&& records, int num_seats) {
  nb::dict out;
  const nb::object half = nb::module_::import_("numpy").attr("float16");
  const size_t seats = static_cast<size_t>(num_seats);
  Records::visit(records, num_seats, [&](const char* name, auto& column, int, int width) {
    const size_t size = column.size();
    nb::object array = width == 1 && std::strcmp(name, "returns") != 0
                           ? nb::cast(to_numpy(std::move(column)))
                           : nb::cast(to_numpy(std::move(column), {size / seats, seats}));
    out[name] = is_half(name) ? array.attr("view")(half) : array;
  });
  return out;
}

inline nb::object column_of(const nb::dict& columns, const char* name) {
  require(columns.contains(name), std::string("The game records lack the column '") + name + "'.");
  nb::object array = columns[name];
  if (is_half(name)) array = array.attr("view")(nb::module_::import_("numpy").attr("uint16"));
  return array;
}

template <class T>
nb::ndarray<const T, nb::c_contig, nb::device::cpu> typed(const nb::dict& columns,
                                                          const char* name) {
  nb::ndarray<const T, nb::c_contig, nb::device::cpu> array;
  require(nb::try_cast(column_of(columns, name), array, false),
          std::string("Column '") + name + "' of the game records has the wrong type or layout.");
  return array;
}

// Also of format 1, where outcomes had 16 bits.
inline Records from_dict(const nb::dict& columns, const GameInfo& info) {
  Records records;
  Records::visit(records, info.num_seats, [&](const char* name, auto& column, int, int) {
    using T = typename std::remove_reference_t<decltype(column)>::value_type;
    if (std::strcmp(name, "outcome") == 0) {
      Array1<int16_t> narrow;
      if (nb::try_cast(column_of(columns, name), narrow, false)) {
        column.assign(narrow.data(), narrow.data() + narrow.shape(0));
        return;
      }
    }
    const auto array = typed<T>(columns, name);
    column.resize(array.size());
    std::copy_n(array.data(), array.size(), column.begin());
  });
  return records;
}

}  // namespace ludus
