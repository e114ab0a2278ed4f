#pragma once

#include <string>
#include <string_view>

namespace lepton::testing {

// The content of a .fake file: one FP32 input "x" and output "y" of the given shape, such as "-1,
// 4", and further members of the JSON object.
inline std::string fake_model(std::string_view shape, std::string_view more = "") {
    std::string text = R"({"inputs": [{"name": "x", "datatype": "FP32", "shape": [)";
    text.append(shape);
    text.append(R"(]}], "outputs": [{"name": "y", "datatype": "FP32", "shape": [)");
    text.append(shape).append("]}]");
    if (!more.empty()) text.append(", ").append(more);
    return text.append("}");
}

}  // namespace lepton::testing
