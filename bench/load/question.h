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
    std::string bytes;  // Little-endian, as the protocol requires.
};

// One inference to be sent again and again, the same in every protocol.
struct Question {
    std::string model;
    std::vector<QuestionTensor> inputs;
    std::size_t output_bytes = 0;  // All outputs of the answer together; 0: not known.
};

// Parses "NAME:DATATYPE:2x3x4" and fills the tensor with reproducible values: FP32 in [-1, 1),
// others in [0, 100). Throws std::invalid_argument, with the text.
[[nodiscard]] QuestionTensor parse_tensor(const std::string& text);

// The body in the REST protocol's JSON.
[[nodiscard]] std::string json_body(const Question& question);

// The body of the binary tensor extension, and the size of its JSON part.
struct BinaryBody {
    std::string bytes;
    std::size_t json_bytes = 0;
};
[[nodiscard]] BinaryBody binary_body(const Question& question);

// A ModelInferRequest in protobuf's encoding, tensors in raw_input_contents.
[[nodiscard]] std::string protobuf_body(const Question& question);

// Returns the bytes of all outputs of an answer. Throws std::runtime_error if it is malformed.
[[nodiscard]] std::size_t output_bytes_of_json(const std::string& body);
[[nodiscard]] std::size_t output_bytes_of_protobuf(const std::string& message);

}  // namespace lepton::bench
