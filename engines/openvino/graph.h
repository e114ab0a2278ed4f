#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <openvino/runtime/core.hpp>

#include "engines/openvino/model_outputs.h"
#include "engines/openvino/shape_guard.h"
#include "lepton/engine/engine.h"

namespace lepton::openvino {

// What sessions need of the graph to compile it. Only the graph owns it, so that the weights as
// they were read are freed with the graph; compiled models keep their own.
struct Source {
    std::shared_ptr<ov::Core> core;
    std::shared_ptr<const ov::Model> model;  // With guards, and without what runs do not compute.
    std::string file;                        // For messages.
    std::filesystem::path cache_dir;
};

// The state of a model file when it was read: when it is read again, it must be the same.
struct FileStamp {
    std::filesystem::path path;
    std::uintmax_t size = 0;
    std::filesystem::file_time_type changed;

    [[nodiscard]] static FileStamp of(const std::filesystem::path& path);
    friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

// What sessions keep when the graph is gone.
struct Plan {
    std::shared_ptr<ShapeGuard> shapes;
    std::vector<OutputSource> outputs;  // The signature's, in its order.
    std::vector<std::string> faults;    // What the model's last outputs report about a request.
    bool keeps_state = false;           // State persists between runs unless it is reset.
    // For making a source again:
    std::shared_ptr<ov::Core> core;
    engine::OpenOptions options;
    std::vector<FileStamp> files;
};

// Reads the source of `plan` from its file again, for a session whose graph is gone. Errors:
// kUnavailable where the file has changed since.
Result<std::shared_ptr<const Source>> read_again(const Plan& plan);

// Compiles for the CPU, so that infer() computes in the calling thread. Errors: kUnsupported,
// kInternal.
Result<ov::CompiledModel> compile(const Source& source,
                                  const std::shared_ptr<const ov::Model>& model,
                                  const engine::SessionOptions& options);

// Returns a copy of the model whose inputs have `rows` rows. Errors: kInvalidArgument.
Result<std::shared_ptr<ov::Model>> with_rows(const Source& source, std::int64_t rows);

// A model file as OpenVINO's front ends read it. Thread-safe.
class Graph final : public engine::Graph {
public:
    static Result<std::unique_ptr<engine::Graph>> open(std::shared_ptr<ov::Core> core,
                                                       const std::filesystem::path& path,
                                                       std::string platform,
                                                       const engine::OpenOptions& options);

    [[nodiscard]] const std::vector<TensorSpec>& inputs() const override { return inputs_; }
    [[nodiscard]] const std::vector<TensorSpec>& outputs() const override { return outputs_; }
    [[nodiscard]] std::string platform() const override { return platform_; }
    [[nodiscard]] std::string defect() const override { return defect_; }
    Result<> prove_rows(std::span<const Shape> inputs) override;
    Result<std::unique_ptr<engine::Session>> make_session(
        const engine::SessionOptions& options) override;

private:
    Graph(std::shared_ptr<const Source> source,
          std::shared_ptr<const Plan> plan,
          std::string platform,
          std::vector<TensorSpec> inputs,
          std::vector<TensorSpec> outputs);

    std::shared_ptr<const Source> source_;
    std::shared_ptr<const Plan> plan_;
    std::string platform_;
    std::vector<TensorSpec> inputs_;
    std::vector<TensorSpec> outputs_;
    std::string defect_;
};

}  // namespace lepton::openvino
