#pragma once

#include <cstddef>
#include <cstdint>

#include "lepton/core/clock.h"
#include "lepton/core/infer_call.h"

namespace lepton {

// What answers the calls for one version of a model: the model itself, or what stands before it or
// in its place, such as a cache, a graph of models or another server. Held by shared_ptr, which the
// calls that it has do too. Thread-safe.
class Node {
public:
    virtual ~Node() = default;

    // Takes the call and answers it, now or later. On the call's loop thread, if it has one. False
    // once it takes no more calls: the call is as it was, for another.
    [[nodiscard]] virtual bool submit(InferCall& call) = 0;

    // In how long a call of so many rows, of so many bytes each, would be answered if it came now,
    // as far as can be predicted.
    [[nodiscard]] virtual Clock::duration forecast(std::int64_t rows, std::size_t row_bytes) = 0;
};

}  // namespace lepton
