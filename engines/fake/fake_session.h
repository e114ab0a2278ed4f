#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engines/fake/fake_model.h"
#include "lepton/engine/engine.h"
#include "lepton/memory/buffer.h"
#include "lepton/memory/buffer_pool.h"

namespace lepton::fake {

// Computes in the calling thread. Not thread-safe; the owner serialises.
class FakeSession : public engine::Session {
public:
    FakeSession(std::shared_ptr<const FakeModel> model, bool batches);

    Result<> prepare(std::int64_t rows) override;
    void drop(std::int64_t rows) override { std::erase(prepared_, rows); }
    [[nodiscard]] std::span<const std::int64_t> prepared() const override { return prepared_; }
    [[nodiscard]] std::span<std::byte> slot(std::size_t index) override;
    Result<> run(std::int64_t rows,
                 std::span<const TensorView> inputs,
                 std::span<TensorView> outputs) override;
    [[nodiscard]] bool alive() const override { return alive_; }

    // What a run computes, once its time has passed.
    Result<> compute(std::int64_t rows,
                     std::span<const TensorView> inputs,
                     std::span<TensorView> outputs);

protected:
    // Whether the run is one that computes.
    Result<> check(std::int64_t rows, std::span<const TensorView> inputs);
    [[nodiscard]] std::chrono::microseconds time_of(std::int64_t rows) const;

private:
    void wait(std::int64_t rows) const;

    std::shared_ptr<const FakeModel> model_;
    bool batches_;
    bool alive_ = true;
    memory::BufferPool pool_;
    std::vector<memory::Buffer> slots_;
    std::vector<memory::Buffer> results_;
    std::vector<std::int64_t> prepared_;
};

}  // namespace lepton::fake
