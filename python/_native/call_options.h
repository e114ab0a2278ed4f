#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "inputs.h"
#include "lepton/inference.h"
#include "objects.h"
#include "signature.h"

namespace lepton::python {

// What is asked for beside the tensors. Keeps what its request looks at; made and destroyed with
// the GIL. Not to be moved once request() was called.
class CallOptions {
public:
    // Throws ValueError or TypeError for what cannot be. A timeout of 0 is the client's.
    CallOptions(double timeout,
                std::uint32_t priority,
                nb::handle outputs,
                std::string_view id,
                nb::handle parameters);

    // The request; takes the tensors out of `inputs`, which stays alive until the call has ended.
    InferRequest& request(const Signature& model, Inputs& inputs);

private:
    InferRequest request_;
    std::vector<std::string> outputs_;
    nb::object parameters_;  // Its strings are looked at.
};

}  // namespace lepton::python
