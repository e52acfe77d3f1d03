// A network's fused output -> the answer to a leaf batch.
#include "play/answer.h"

#include "bindings/arrays.h"

namespace ludus {

namespace {

bool answer_batch(const Array2<float>& fused, size_t num_actions, size_t value_columns,
                  float margin_weight, const Array1<int32_t>& seats, const Array1<int32_t>& legal,
                  const Array1<int32_t>& offsets, const Lent1<float>& logits,
                  const Lent2<float>& values, const nb::object& players) {
  FusedOutput output;
  output.fused = fused.data();
  output.rows = fused.shape(0);
  output.columns = fused.shape(1);
  output.num_actions = num_actions;
  output.value_columns = value_columns;
  output.margin_weight = margin_weight;
  LeafAnswer batch;
  batch.seats = seats.data();
  Array1<int32_t> in_play;
  if (!players.is_none()) {
    require(nb::try_cast(players, in_play, false) && in_play.shape(0) == fused.shape(0),
            "answer() wants players int32[rows], or None for all seats.");
    batch.players = in_play.data();
  }
  batch.legal = legal.data();
  batch.offsets = offsets.data();
  batch.capacity = legal.shape(0);
  batch.num_seats = values.shape(1);
  batch.logits = logits.data();
  batch.values = values.data();
  const size_t rows = output.rows;
  require(seats.shape(0) == rows && offsets.shape(0) == rows + 1 && values.shape(0) == rows &&
              logits.shape(0) == batch.capacity,
          "answer() wants fused float32[rows, columns], seats int32[rows], legal int32[capacity], "
          "offsets int32[rows + 1], logits float32[capacity] and values float32[rows, seats].");
  require(batch.num_seats >= 1 && value_columns == (batch.num_seats <= 2 ? 1 : batch.num_seats),
          "answer() wants one value column for one or two seats, else one for each seat.");
  require(margin_weight >= 0.0F && margin_weight <= 1.0F,
          "answer() wants a margin weight between 0 and 1.");
  const size_t used = num_actions + value_columns * (margin_weight > 0.0F ? 2 : 1);
  require(num_actions >= 1 && used <= output.columns,
          "answer() wants a fused output of at least " + std::to_string(used) +
              " columns, but it has " + std::to_string(output.columns) + ".");
  nb::gil_scoped_release release;
  return answer(output, batch);
}

}  // namespace

void bind_answer(nb::module_& m) {
  // No copies behind our back: an answer written into a converted array would be lost.
  m.def("answer", &answer_batch, nb::arg("fused").noconvert(), nb::arg("num_actions"),
        nb::arg("value_columns"), nb::arg("margin_weight"), nb::arg("seats").noconvert(),
        nb::arg("legal").noconvert(), nb::arg("offsets").noconvert(), nb::arg("logits").noconvert(),
        nb::arg("values").noconvert(), nb::arg("players") = nb::none());
}

}  // namespace ludus
