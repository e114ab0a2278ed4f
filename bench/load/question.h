#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace lepton::bench {

struct QuestionTensor {
    std::string name;
    std::string datatype;  // FP32, INT32, INT64 or UINT8.
    std::vector<std::int64_t> shape;
    std::string bytes;  // Little-endian, as the protocol wants them.
};

// One inference to be asked again and again, the same in every protocol.
struct Question {
    std::string model;
    std::vector<QuestionTensor> inputs;
    std::size_t output_bytes = 0;  // Of all outputs of the answer together; 0: not known.
};

// From "NAME:DATATYPE:2x3x4", filled with reproducible values: of FP32 in [-1, 1), else in
// [0, 100). Throws std::invalid_argument, naming the text.
[[nodiscard]] QuestionTensor parse_tensor(const std::string& text);

// The body in the REST protocol's JSON.
[[nodiscard]] std::string json_body(const Question& question);

// The body of the binary tensor extension, and how much of it is JSON.
struct BinaryBody {
    std::string bytes;
    std::size_t json_bytes = 0;
};
[[nodiscard]] BinaryBody binary_body(const Question& question);

// A ModelInferRequest in protobuf's encoding, tensors in raw_input_contents.
[[nodiscard]] std::string protobuf_body(const Question& question);

// Bytes of all outputs that an answer holds. Throws std::runtime_error where it is malformed.
[[nodiscard]] std::size_t output_bytes_of_json(const std::string& body);
[[nodiscard]] std::size_t output_bytes_of_protobuf(const std::string& message);

}  // namespace lepton::bench
