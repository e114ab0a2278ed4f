#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "lepton/core/error.h"
#include "lepton/core/model_spec.h"
#include "lepton/core/tensor.h"
#include "lepton/core/tensor_storage.h"

namespace lepton {

struct OutputTensor {
    std::string_view name;
    TensorView tensor;
};

// Views of the answer. `outputs` may look into the instance's slot, which the next batch
// overwrites: they are valid until the answer() that brought them returns, or, once keep() was
// called, for as long as `storage` or a copy of it is there.
struct Response {
    std::shared_ptr<const ModelSpec> model;  // Which version answered; owns the names.
    std::vector<OutputTensor> outputs;       // In the order in which they were requested.
    std::optional<Error> error;              // Set: nothing else is.
    TensorStorage storage;                   // What `outputs` look into; null: the slot.
    // Where keep() puts them: the transport's, kept from call to call. Null only for a call without
    // a loop, whose answer never leaves the thread that has it.
    TensorMemory* memory = nullptr;

    // Moves the outputs to where they outlive the run; nothing, if they are there already. Throws
    // std::bad_alloc.
    void keep();

    // Empties it, but for its own storage and `memory`.
    void clear();
};

}  // namespace lepton
