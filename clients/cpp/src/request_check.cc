#include "request_check.h"

namespace lepton::client {

Result<> check_inputs(const InferRequest& request) {
    if (request.model.empty()) {
        return fail(ErrorCode::kInvalidArgument, "the request names no model; set its model");
    }
    for (const Input& input : request.inputs) {
        const auto elements = input.shape.element_count();
        if (!elements) {
            return fail(ErrorCode::kInvalidArgument,
                        "input \"" + std::string(input.name) + "\" has shape " +
                            to_string(input.shape) + ", whose extents must be known");
        }
        // The lengths of its elements are within the data.
        if (input.dtype == DataType::kBytes) continue;
        const auto wanted = static_cast<std::uint64_t>(*elements) * element_bytes(input.dtype);
        if (input.data.size() != wanted) {
            return fail(ErrorCode::kInvalidArgument,
                        "input \"" + std::string(input.name) + "\" has " +
                            std::to_string(input.data.size()) + " bytes, but " +
                            std::string(to_string(input.dtype)) + " " + to_string(input.shape) +
                            " takes " + std::to_string(wanted));
        }
    }
    return {};
}

}  // namespace lepton::client
