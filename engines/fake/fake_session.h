#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "engines/fake/fake_model.h"
#include "lepton/engine/engine.h"
#include "lepton/memory/buffer.h"
#include "lepton/memory/buffer_pool.h"

namespace lepton::fake {

// Not thread-safe; the owner serialises.
class FakeSession final : public engine::Session {
public:
    FakeSession(std::shared_ptr<const FakeModel> model, bool batches);

    Result<> prepare(std::int64_t rows) override;
    void drop(std::int64_t rows) override { std::erase(prepared_, rows); }
    [[nodiscard]] std::span<const std::int64_t> prepared() const override { return prepared_; }
    [[nodiscard]] std::span<std::byte> slot(std::size_t index) override;
    Result<> run(std::int64_t rows,
                 std::span<const TensorView> inputs,
                 std::span<TensorView> outputs) override;

private:
    Result<> check(std::int64_t rows, std::span<const TensorView> inputs) const;
    void wait(std::int64_t rows) const;

    std::shared_ptr<const FakeModel> model_;
    bool batches_;
    memory::BufferPool pool_;
    std::vector<memory::Buffer> slots_;
    std::vector<memory::Buffer> results_;
    std::vector<std::int64_t> prepared_;
};

}  // namespace lepton::fake
