#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lepton/core/infer_service.h"
#include "lepton/core/model_catalog.h"
#include "lepton/memory/buffer_pool.h"
#include "lepton/net/message.h"

namespace lepton::bench {

// What a connection would have read. Not thread-safe; the owner serialises.
struct Received {
    bool grpc = false;
    std::string path;
    std::vector<std::pair<std::string, std::string>> fields;
    std::string body;
};

// An exchange without a connection.
class BenchExchange final : public net::Exchange {
public:
    // As the connection leaves it when the body is complete.
    void receive(const Received& received, memory::BufferPool& pool) {
        reset();
        message.method = net::Method::kPost;
        message.grpc = received.grpc;
        message.path = received.path;
        for (const auto& [name, value] : received.fields) message.fields.add(name, value);
        if (message.body.capacity() == 0) message.body = pool.take(received.body.size());
        message.body.clear();
        message.body.append(std::string_view(received.body));
        message.received = Clock::now();
        sent = false;
    }
    void send() override {
        sent = true;
        call.timeline.written = call.timeline.encoded;
        call.written();
    }

    bool sent = false;
};

// A model with one input x and one output y of FP32.
inline std::shared_ptr<const ModelSpec> make_spec(std::int64_t width_in, std::int64_t width_out) {
    ModelSpec spec{.name = "mlp",
                   .version = "1",
                   .platform = "none",
                   .inputs = {{"x", DataType::kFp32, {-1, width_in}}},
                   .outputs = {{"y", DataType::kFp32, {-1, width_out}}},
                   .batches = true,
                   .pad_to = {},
                   .defect = {},
                   .properties = {}};
    return std::make_shared<const ModelSpec>(std::move(spec));
}

// Knows that model and no other.
class OneModelCatalog final : public ModelCatalog {
public:
    explicit OneModelCatalog(std::shared_ptr<const ModelSpec> spec) : spec_(std::move(spec)) {}

    [[nodiscard]] Result<> ready() const override { return {}; }
    [[nodiscard]] Result<std::shared_ptr<const ModelSpec>> find(std::string_view,
                                                                std::string_view) const override {
        return spec_;
    }
    [[nodiscard]] std::vector<std::string> versions(std::string_view) const override {
        return {spec_->version};
    }
    [[nodiscard]] std::vector<std::string> models() const override { return {spec_->name}; }

private:
    std::shared_ptr<const ModelSpec> spec_;
};

// Answers each call at once, with zeros.
class InstantService final : public InferService {
public:
    InstantService(std::shared_ptr<const ModelSpec> spec, std::int64_t rows)
        : spec_(std::move(spec)),
          shape_({rows, spec_->outputs[0].shape[1]}),
          zeros_(static_cast<std::size_t>(rows * spec_->outputs[0].shape[1])) {}

    void infer(InferCall& call) override {
        call.response.model = spec_;
        call.response.outputs.push_back(
            {spec_->outputs[0].name, {DataType::kFp32, shape_, std::as_bytes(std::span(zeros_))}});
        call.timeline.dispatched = call.timeline.compute_start = call.timeline.compute_end =
            call.timeline.decoded;
        call.answer();
    }

private:
    std::shared_ptr<const ModelSpec> spec_;
    Shape shape_;
    std::vector<float> zeros_;
};

}  // namespace lepton::bench
