#pragma once

#include <cstddef>
#include <span>

#include "lepton/core/result.h"
#include "lepton/inference.h"

namespace lepton::client {

// Decoders for the answers of inference.GRPCInferenceService (proto/inference.proto). Errors:
// kInternal, saying what about the answer breaks the protocol.

// Reads the ModelInferResponse that lies in `contents.bytes` from `offset` to their end: fills in
// the views and aligns the outputs. Returns the offset, in the message, of its first output's data,
// so that the next answer of the same model can be placed where nothing has to be moved.
[[nodiscard]] Result<std::size_t> read_infer_answer(InferResult::Contents& contents,
                                                    std::size_t offset);

[[nodiscard]] Result<ModelInfo> read_model_metadata(std::span<const std::byte> message);

// Reads a ServerLiveResponse, ServerReadyResponse or ModelReadyResponse.
[[nodiscard]] Result<bool> read_yes_or_no(std::span<const std::byte> message);

}  // namespace lepton::client
