// The learner's loss over a network's output.
#include "play/losses.h"

#include <nanobind/stl/string.h>

#include "bindings/arrays.h"

namespace ludus {

namespace {

nb::dict loss(const Array2<float>& fused, const Lent2<float>& gradient, size_t actions, bool margin,
              const nb::dict& arrays, float value_weight, float margin_weight, float value_mix,
              bool entropies, size_t values) {
  LossRows rows;
  rows.count = fused.shape(0);
  const LossShape shape{fused.shape(1), actions, margin, values};
  require(values >= 1, "alphazero_loss() wants at least one value column.");
  require(gradient.shape(0) == rows.count && gradient.shape(1) == shape.columns,
          "alphazero_loss() wants a gradient of the shape of the output.");
  // Looked at with the interpreter held; `arrays` keeps them alive.
  auto borrow = [&]<class T>(const char* name, size_t least, const T*& to) {
    nb::ndarray<const T, nb::c_contig, nb::device::cpu> array;
    require(arrays.contains(name) && nb::try_cast(arrays[name], array, false),
            std::string("alphazero_loss() wants an array '") + name + "' of the right type.");
    require(array.size() >= least,
            std::string("alphazero_loss(): array '") + name + "' is too small.");
    to = array.data();
    return array.size();
  };
  const size_t entries = borrow("legal", 0, rows.legal);
  borrow("policy", entries, rows.policy);
  borrow("offsets", rows.count + 1, rows.offsets);
  borrow("value", rows.count * values, rows.value);
  borrow("margin", rows.count * values, rows.margin);
  if (values > 1) borrow("players", rows.count, rows.players);
  borrow("root_value", rows.count, rows.root_value);
  borrow("searched", rows.count, rows.searched);
  LossTerms terms;
  {
    nb::gil_scoped_release release;
    terms = alphazero_loss(shape, rows, {value_weight, margin_weight, value_mix}, entropies,
                           entries, fused.data(), gradient.data());
  }
  nb::dict out;
  out["policy"] = terms.policy;
  out["value"] = terms.value;
  out["margin"] = terms.margin;
  out["entropy"] = terms.entropy;
  out["target_entropy"] = terms.target_entropy;
  out["policy_rows"] = terms.policy_rows;
  return out;
}

}  // namespace

void bind_losses(nb::module_& m) {
  m.def("alphazero_loss", &loss, nb::arg("fused"), nb::arg("gradient"), nb::arg("actions"),
        nb::arg("margin"), nb::arg("arrays"), nb::arg("value_weight"), nb::arg("margin_weight"),
        nb::arg("value_mix"), nb::arg("entropies"), nb::arg("values") = 1);
}

}  // namespace ludus
