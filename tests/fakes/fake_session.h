#pragma once

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "lepton/engine/engine.h"

namespace lepton::fakes {

// Adds 1 to each element of its one input, [rows, width] FP32. Notes the rows of each run.
class FakeSession final : public engine::Session {
public:
    explicit FakeSession(std::size_t width = 2, std::vector<std::int64_t> prepared = {1, 2, 4})
        : prepared_(std::move(prepared)),
          slot_(width * static_cast<std::size_t>(prepared_.back())),
          result_(slot_.size()) {}

    Result<> prepare(std::int64_t) override { return {}; }
    [[nodiscard]] std::span<const std::int64_t> prepared() const override { return prepared_; }
    [[nodiscard]] std::span<std::byte> slot(std::size_t) override {
        return std::as_writable_bytes(std::span(slot_));
    }
    Result<> may_share(std::span<const TensorView>) override {
        if (rows_are_apart) return {};
        return fail(ErrorCode::kUnsupported, "rows depend on each other on purpose");
    }
    std::span<const std::size_t> output_bytes(std::span<const TensorView>) override {
        return foretold_bytes;
    }
    Result<> run(std::int64_t rows,
                 std::span<const TensorView> inputs,
                 std::span<TensorView> outputs) override {
        runs.push_back(rows);
        if (before_run) before_run();
        if (fail_when && fail_when(rows, inputs[0])) {
            return fail(ErrorCode::kInternal, "engine failed on purpose");
        }
        const std::size_t count = inputs[0].data.size() / sizeof(float);
        std::memcpy(slot_.data(), inputs[0].data.data(), inputs[0].data.size());
        for (std::size_t i = 0; i < count; ++i) result_[i] = slot_[i] + 1.0F;
        outputs[0] = inputs[0];
        outputs[0].data = std::as_bytes(std::span(result_).first(count));
        return {};
    }

    bool rows_are_apart = true;
    std::vector<std::size_t> foretold_bytes;
    std::vector<std::int64_t> runs;
    std::function<void()> before_run;
    std::function<bool(std::int64_t, const TensorView&)> fail_when;

private:
    std::vector<std::int64_t> prepared_;
    std::vector<float> slot_;
    std::vector<float> result_;
};

}  // namespace lepton::fakes
