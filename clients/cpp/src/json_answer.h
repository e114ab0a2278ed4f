#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lepton/core/result.h"
#include "lepton/inference.h"

namespace lepton::client {

// Reads the JSON of a server's answers. `json` must be followed by kJsonPadding readable bytes.
// Errors: kInternal, naming what the answer lacks. Keeps its parser's storage. Not thread-safe; its
// exchange owns it.
class JsonAnswer {
public:
    static constexpr std::size_t kPadding = 64;

    // Bytes of storage needed after the body, for an answer with `json_bytes` of JSON: for elements
    // that stand in the JSON ("0," becomes up to 8 bytes), and to align those that do not.
    static constexpr std::size_t tail_bytes(std::size_t json_bytes) {
        return kPadding + 6 * json_bytes;
    }

    JsonAnswer();
    ~JsonAnswer();

    // Reads an inference's answer, which is at the end of `contents.bytes`: `json_bytes` of JSON
    // from `body_at`, then the outputs' data. Needs tail_bytes() of room after it. Names are
    // unescaped in place.
    Result<> read_infer(InferResult::Contents& contents,
                        std::size_t body_at,
                        std::size_t json_bytes);

    Result<> read_model(std::string_view json, ModelInfo& model);
    Result<> read_models(std::string_view json, std::vector<std::string>& models);
    // Returns the text of {"error": "..."}, or nothing where the body is something else.
    [[nodiscard]] std::optional<std::string> read_error(std::string_view json);

private:
    struct Parser;
    std::unique_ptr<Parser> parser_;
};

}  // namespace lepton::client
