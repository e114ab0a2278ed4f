#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "lepton/core/clock.h"
#include "lepton/core/tensor.h"

namespace lepton {

struct Parameter {
    std::string_view name;
    std::variant<bool, std::int64_t, std::uint64_t, double, std::string_view> value;
};

struct InputTensor {
    std::string_view name;
    TensorView tensor;
};

struct RequestedOutput {
    std::string_view name;
    std::optional<bool> binary_data;  // Unset: as the request says for all outputs.
};

// One inference, decoded. Every view looks into the message's body or the decoder's scratch space,
// both of which the transport keeps until the call is complete.
struct Request {
    std::string_view model_name;
    std::string_view model_version;  // Empty: the latest.
    std::string_view id;
    std::vector<InputTensor> inputs;
    std::vector<RequestedOutput> outputs;  // Empty: all, in the model's order.
    std::vector<Parameter> parameters;     // Those without a meaning of their own, to be echoed.
    bool binary_data_output = false;
    Clock::time_point deadline = kNoDeadline;
    std::uint32_t priority = 0;  // 1 is the highest, 0 the model's default.
};

}  // namespace lepton
