#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lepton/core/model_spec.h"
#include "lepton/core/request.h"
#include "lepton/core/result.h"

namespace lepton::scheduler {

// Whether an output is part of the answer.
[[nodiscard]] bool is_wanted(const Request& request, const TensorSpec& output);

// Keeps the tensors of an answer within a limit, by what is known of their sizes: before a call
// waits, what the model's signature says; before a run, what the engine says; and after it, what
// was computed. Errors are kPayloadTooLarge, and name the largest output and the option. Immutable.
class AnswerBound {
public:
    // `spec` must outlive it. `most`: bytes; 0: as much as there may be.
    AnswerBound(const ModelSpec& spec, std::size_t most);

    // By the signature: what it leaves open counts as nothing, and of strings only the lengths.
    [[nodiscard]] Result<> check(const Request& request, std::int64_t rows) const;
    // `bytes`: of each output, in the model's order, for `of` rows; the answer has `rows`.
    [[nodiscard]] Result<> check(const Request& request,
                                 std::span<const std::size_t> bytes,
                                 std::int64_t of,
                                 std::int64_t rows) const;
    // Of a run, which computes every output, for that many answers. No `bytes`: nobody knows.
    [[nodiscard]] Result<> check_run(std::span<const std::size_t> bytes, std::size_t answers) const;
    [[nodiscard]] std::size_t most() const { return most_; }

private:
    const ModelSpec& spec_;
    std::size_t most_;
    std::vector<std::size_t> row_bytes_;  // At least, of each output.
    std::size_t all_row_bytes_ = 0;
};

}  // namespace lepton::scheduler
