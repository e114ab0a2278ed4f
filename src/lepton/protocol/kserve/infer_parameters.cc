#include "lepton/protocol/kserve/infer_parameters.h"

#include <algorithm>
#include <limits>
#include <type_traits>

#include "lepton/protocol/deadline.h"
#include "lepton/protocol/text.h"

namespace lepton::protocol {
namespace {

std::string to_text(const Parameter& parameter) {
    return std::visit(
        [](const auto& value) -> std::string {
            using Value = std::decay_t<decltype(value)>;
            if constexpr (std::is_same_v<Value, std::string_view>)
                return in_quotes(value);
            else if constexpr (std::is_same_v<Value, bool>)
                return value ? "true" : "false";
            else
                return std::to_string(value);
        },
        parameter.value);
}

Result<std::uint64_t> whole_number(const Parameter& parameter, std::uint64_t bound) {
    const auto* is_signed = std::get_if<std::int64_t>(&parameter.value);
    const auto* is_unsigned = std::get_if<std::uint64_t>(&parameter.value);
    const bool valid = is_unsigned != nullptr || (is_signed != nullptr && *is_signed >= 0);
    const std::uint64_t value = !valid                   ? 0
                                : is_unsigned != nullptr ? *is_unsigned
                                                         : static_cast<std::uint64_t>(*is_signed);
    if (valid && value <= bound) return value;
    return fail(ErrorCode::kInvalidArgument,
                concat({"parameter ",
                        in_quotes(parameter.name),
                        " is ",
                        to_text(parameter),
                        "; it must be a whole number from 0 to ",
                        std::to_string(bound)}));
}

}  // namespace

Result<> apply_request_parameter(const Parameter& parameter,
                                 Clock::time_point received,
                                 Request& request) {
    if (parameter.name == "timeout") {
        constexpr std::uint64_t kBound = std::chrono::microseconds(kLongestTimeout).count();
        LEPTON_TRY(const std::uint64_t timeout, whole_number(parameter, kBound));
        // Zero asks for none, as it does in Triton's clients.
        if (timeout > 0) {
            request.deadline =
                std::min(request.deadline, received + std::chrono::microseconds(timeout));
        }
        return {};
    }
    if (parameter.name == "priority") {
        LEPTON_TRY(const std::uint64_t priority,
                   whole_number(parameter, std::numeric_limits<std::uint32_t>::max()));
        request.priority = static_cast<std::uint32_t>(priority);
        return {};
    }
    if (parameter.name == "binary_data_output") {
        const auto* value = std::get_if<bool>(&parameter.value);
        if (value == nullptr) {
            return fail(ErrorCode::kInvalidArgument,
                        concat({"parameter \"binary_data_output\" is ",
                                to_text(parameter),
                                "; it must be true or false"}));
        }
        request.binary_data_output = *value;
        return {};
    }
    LEPTON_RETURN_IF_ERROR(check_entries(request.parameters.size(), "parameters"));
    request.parameters.push_back(parameter);
    return {};
}

Result<> check_entries(std::size_t count, std::string_view what) {
    if (count < kMaxEntries) [[likely]]
        return {};
    return fail(ErrorCode::kInvalidArgument,
                concat({"the request has more than ", std::to_string(kMaxEntries), " ", what}));
}

Result<> check_tensor_parameter(std::string_view tensor, std::string_view parameter) {
    if (parameter == "classification" || parameter.starts_with("shared_memory_")) {
        return fail(ErrorCode::kUnsupported,
                    concat({"tensor ",
                            in_quotes(tensor),
                            " has parameter ",
                            in_quotes(parameter),
                            ", an extension that this server does not offer"}));
    }
    return {};
}

}  // namespace lepton::protocol
