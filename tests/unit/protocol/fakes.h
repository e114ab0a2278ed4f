#pragma once

#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "lepton/core/infer_service.h"
#include "lepton/core/model_catalog.h"
#include "lepton/memory/buffer_pool.h"
#include "lepton/net/message.h"
#include "lepton/protocol/kserve/infer_exchange.h"
#include "lepton/protocol/services.h"

namespace lepton::protocol {

// A loop whose time stands still until the test runs what is due.
class FakeLoop final : public EventLoop {
public:
    int index() const override { return 0; }
    bool on_loop_thread() const override { return true; }
    void at_turn_end(Task& task) override { task.run(); }
    void post(Task& task) override { task.run(); }
    void run_at(Clock::time_point when, Task& task) override { timers.emplace_back(when, &task); }
    void run_aside(Task& task, std::uint64_t /*client*/) override {
        ++put_aside;
        if (before_aside) before_aside();
        task.run();
    }

    void run_timers() {
        for (const auto& [when, task] : std::exchange(timers, {})) task->run();
    }
    std::vector<std::pair<Clock::time_point, Task*>> timers;
    int put_aside = 0;
    std::function<void()> before_aside;  // What happens while work waits there.
};

// Keeps a copy of each reply that was sent.
class FakeExchange final : public net::Exchange {
public:
    struct Sent {
        int status;
        std::string content_type;
        std::map<std::string, std::string> fields;
        std::string body;
        bool has_body;
        bool last;
        int grpc_status;
        std::string grpc_message;
    };

    explicit FakeExchange(memory::BufferPool& pool) {
        message.body = pool.take(512);
        message.received = Clock::now();
        loop = &fake_loop;
    }

    void send() override {
        if (count_only) {
            ++sends;
            return;
        }
        Sent copy{.status = reply.status,
                  .content_type = std::string(reply.content_type),
                  .fields = {},
                  .body = std::string(reply.body.text()),
                  .has_body = reply.has_body,
                  .last = reply.last,
                  .grpc_status = reply.grpc_status,
                  .grpc_message = reply.grpc_message};
        for (std::size_t i = 0; i < reply.fields.size(); ++i) {
            copy.fields.emplace(reply.fields.name(i), reply.fields.value(i));
        }
        sent.push_back(std::move(copy));
    }

    // As the connection does it once the reply is out.
    void reset() {
        sent_out();
        Exchange::reset();
    }
    void sent_out() { Exchange::sent(Clock::now()); }

    // The inference that the message became.
    InferCall& call() { return state<InferExchange>().call; }

    void set_body(std::string_view text) {
        message.body.clear();
        message.body.append(text);
    }

    FakeLoop fake_loop;
    std::vector<Sent> sent;
    bool count_only = false;  // For tests that count allocations.
    int sends = 0;
};

inline std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}

// The values as a tensor's bytes.
template <class T>
std::string raw(std::initializer_list<T> values) {
    std::string bytes;
    for (const T value : values) bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
    return bytes;
}

// The strings as a BYTES tensor.
inline std::string raw_strings(std::initializer_list<std::string_view> values) {
    std::string bytes;
    for (const std::string_view value : values) {
        bytes += raw<std::uint32_t>({static_cast<std::uint32_t>(value.size())});
        bytes += value;
    }
    return bytes;
}

template <class T>
std::vector<T> elements(const TensorView& tensor) {
    std::vector<T> values(tensor.data.size() / sizeof(T));
    if (!values.empty()) std::memcpy(values.data(), tensor.data.data(), tensor.data.size());
    return values;
}

inline std::string_view text_of(const TensorView& tensor) {
    return {reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size()};
}

class FakeObservations final : public Observations {
public:
    std::string metrics_page() override { return page; }
    NotableRequests slow_requests(std::string_view, std::size_t) override { return {}; }
    void on_undecoded(const ModelSpec& model, const InferCall& call, ErrorCode why) override {
        EXPECT_NE(call.timeline.received, Clock::time_point{});
        undecoded.emplace_back(model.name, why);
    }

    std::string page;
    std::vector<std::pair<std::string, ErrorCode>> undecoded;
};

class FakeCatalog final : public ModelCatalog {
public:
    Result<> ready() const override {
        if (is_ready) return {};
        return fail(ErrorCode::kUnavailable, "the server is not ready: it is loading a");
    }
    Result<std::shared_ptr<const ModelSpec>> find(std::string_view name,
                                                  std::string_view version) const override {
        if (name != model->name) {
            return fail(ErrorCode::kModelNotFound, "no model \"" + std::string(name) + "\"");
        }
        if (loading) return fail(ErrorCode::kUnavailable, "model is loading");
        if (!version.empty() && version != model->version) {
            return fail(ErrorCode::kModelNotFound, "no version " + std::string(version));
        }
        return std::shared_ptr<const ModelSpec>(model);
    }
    std::vector<std::string> versions(std::string_view) const override { return {model->version}; }
    std::vector<std::string> models() const override { return {model->name}; }

    bool is_ready = true;
    bool loading = false;
    std::shared_ptr<ModelSpec> model = std::make_shared<ModelSpec>(
        ModelSpec{.name = "digits",
                  .version = "3",
                  .platform = "openvino_onnx",
                  .inputs = {{"image", DataType::kFp32, {-1, 2}}},
                  .outputs = {{"scores", DataType::kFp32, {-1, 2}}},
                  .batches = true,
                  .max_batch_size = 0,
                  .pad_to = {},
                  .defect = {},
                  .properties = {{"engine", "fake 1"}, {"precision", "f32"}}});
};

// Answers each call at once with what the test has set.
class FakeService final : public InferService {
public:
    explicit FakeService(std::shared_ptr<const ModelSpec> spec) : model(std::move(spec)) {}

    void infer(InferCall& call) override {
        ++calls;
        last = &call;
        if (hold) return;
        if (error) return call.answer(*error);
        call.response.model = model;
        call.response.outputs = outputs;
        call.answer();
    }

    std::shared_ptr<const ModelSpec> model;
    std::vector<OutputTensor> outputs;
    std::optional<Error> error;
    bool hold = false;
    int calls = 0;
    InferCall* last = nullptr;
};

}  // namespace lepton::protocol
