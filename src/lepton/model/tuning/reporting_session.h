#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lepton/engine/engine.h"

namespace lepton::model {

// "x [1,4], mask [1,4]", of the first few inputs.
[[nodiscard]] std::string shapes_text(const engine::Graph& graph, std::span<const Shape> shapes);

// Says what another session is about to do, so that the words are there if it ends the process.
// Repetitions of a run are not told. Not thread-safe; the owner serialises.
class ReportingSession final : public engine::Session {
public:
    using OnStep = std::function<void(std::string_view)>;

    // `graph` must outlive it. `sample` is what the inputs of a run are from, for whoever reads the
    // words; empty where they are made up.
    ReportingSession(std::unique_ptr<engine::Session> session,
                     const engine::Graph& graph,
                     std::shared_ptr<const std::string> sample,
                     OnStep on_step)
        : session_(std::move(session)),
          graph_(graph),
          sample_(std::move(sample)),
          on_step_(std::move(on_step)) {}

    Result<> prepare(std::int64_t rows) override {
        tell("compiling for " + std::to_string(rows) + (rows == 1 ? " row" : " rows"));
        return session_->prepare(rows);
    }
    void drop(std::int64_t rows) override { session_->drop(rows); }
    [[nodiscard]] std::span<const std::int64_t> prepared() const override {
        return session_->prepared();
    }
    [[nodiscard]] std::span<std::byte> slot(std::size_t index) override {
        return session_->slot(index);
    }
    Result<> may_share(std::span<const TensorView> inputs) override {
        return session_->may_share(inputs);
    }
    Result<> run(std::int64_t rows,
                 std::span<const TensorView> inputs,
                 std::span<TensorView> outputs) override;
    [[nodiscard]] bool alive() const override { return session_->alive(); }

private:
    void tell(std::string step);

    std::unique_ptr<engine::Session> session_;
    const engine::Graph& graph_;
    std::shared_ptr<const std::string> sample_;
    OnStep on_step_;
    std::string told_;
};

}  // namespace lepton::model
