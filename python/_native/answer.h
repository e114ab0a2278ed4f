#pragma once

#include "lepton/inference.h"
#include "objects.h"
#include "signature.h"

namespace lepton::python {

// The answer to one inference, for Python: arrays that look into the bytes that were received,
// which live until the last of them is gone.
class Answer {
public:
    // With the GIL. `model` may be another version's signature; only its names are used.
    Answer(InferResult result, const Signature& model);

    [[nodiscard]] nb::dict outputs() const { return outputs_; }
    [[nodiscard]] nb::str model_name() const { return to_str(result().model_name()); }
    [[nodiscard]] nb::str model_version() const { return to_str(result().model_version()); }
    [[nodiscard]] nb::str id() const { return to_str(result().id()); }
    [[nodiscard]] nb::dict timing_ms() const;

    // The array where there is one output, else the dict of them.
    [[nodiscard]] nb::object value() const;

private:
    [[nodiscard]] const InferResult& result() const {
        return *static_cast<const InferResult*>(owner_.data());
    }

    nb::capsule owner_;  // Of an InferResult.
    nb::dict outputs_;
};

void bind_answer(nb::module_& module);

}  // namespace lepton::python
