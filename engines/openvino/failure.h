#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <openvino/core/node.hpp>

#include "lepton/core/result.h"

namespace lepton::openvino {

// Returns one line with only the reason: OpenVINO's messages begin with its own source lines,
// checks and nodes.
[[nodiscard]] std::string reason_of(std::string_view openvino_message);

// Names an operation for a person: 'Softmax "scores"'.
[[nodiscard]] std::string name_of(const ov::Node& node);

// Calls OpenVINO, whose functions throw, and turns an exception into an Error that begins with
// `what`.
template <class Call>
auto guarded(ErrorCode code, std::string_view what, Call&& call)
    -> Result<std::invoke_result_t<Call>> {
    try {
        if constexpr (std::is_void_v<std::invoke_result_t<Call>>) {
            std::forward<Call>(call)();
            return {};
        } else {
            return std::forward<Call>(call)();
        }
    } catch (const std::exception& error) {
        return fail(code, std::string(what) + ": " + reason_of(error.what()));
    } catch (...) {
        return fail(code, std::string(what) + ": unknown failure");
    }
}

}  // namespace lepton::openvino
