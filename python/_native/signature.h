#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lepton/inference.h"
#include "objects.h"

namespace lepton::python {

// A model as calls need it: asked of the server once, kept by the Python side.
struct Signature {
    Signature(ModelInfo of, std::string pinned);

    ModelInfo info;
    std::string version;                // Which is asked for; empty: the latest.
    std::vector<nb::str> output_names;  // Of info.outputs, with their hashes.
};

void bind_signature(nb::module_& module);

}  // namespace lepton::python
