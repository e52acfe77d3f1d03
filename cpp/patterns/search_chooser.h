// Self-play by search: a chooser for the learner.
#pragma once

#include "patterns/othello_search.h"
#include "patterns/selfplay.h"

namespace ludus::patterns {

// Makes choosers with tables of so many bytes each, whose searches have one thread whatever
// `limits` say. Throws InputError for limits out of range.
ChooserMaker searching(SearchLimits limits, size_t table_bytes);

}  // namespace ludus::patterns
