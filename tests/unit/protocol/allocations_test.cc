// A request that looks like the one before it costs no heap allocation.

#include <cstdlib>
#include <new>
#include <string>

#include <gtest/gtest.h>
#include <inference.pb.h>

#include "lepton/protocol/router.h"
#include "unit/protocol/fakes.h"

namespace {

thread_local bool counting = false;
thread_local int allocations = 0;

void* allocate(std::size_t size, std::size_t alignment) {
    if (counting) ++allocations;
    void* memory =
        alignment > alignof(std::max_align_t)
            ? std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment)
            : std::malloc(size);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}

}  // namespace

void* operator new(std::size_t size) { return allocate(size, 0); }
void* operator new[](std::size_t size) { return allocate(size, 0); }
void* operator new(std::size_t size, std::align_val_t alignment) {
    return allocate(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
    return allocate(size, static_cast<std::size_t>(alignment));
}
// simdjson allocates so.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allocate(size, 0); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return allocate(size, 0); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace lepton::protocol {
namespace {

class AllocationsTest : public testing::Test {
protected:
    AllocationsTest() {
        exchange_.count_only = true;
        service_.outputs = {{"scores", {DataType::kFp32, {1, 2}, bytes_of(scores_)}}};
    }

    // Allocations of a request after two like it.
    int allocations_of(bool grpc,
                       std::string_view path,
                       std::string_view json,
                       std::string_view rest,
                       std::string_view encoding = {}) {
        const std::string body = std::string(json) + std::string(rest);
        const std::string length = std::to_string(json.size());
        for (int round = 0; round < 3; ++round) {
            exchange_.reset();
            exchange_.message.received = Clock::now();
            exchange_.message.grpc = grpc;
            exchange_.message.method = net::Method::kPost;
            exchange_.message.path = path;
            exchange_.set_body(body);
            exchange_.message.fields.add("host", "localhost:8000");
            exchange_.message.fields.add("x-request-timeout-ms", "10");
            if (!rest.empty()) {
                exchange_.message.fields.add("inference-header-content-length", length);
            }
            if (!encoding.empty()) exchange_.message.fields.add("accept-encoding", encoding);
            allocations = 0;
            counting = true;
            router_.handle(exchange_);
            counting = false;
            EXPECT_EQ(exchange_.sends, round + 1);
            EXPECT_EQ(exchange_.reply.status, 200) << exchange_.reply.body.text();
            EXPECT_EQ(exchange_.reply.grpc_status, 0) << exchange_.reply.grpc_message;
        }
        exchange_.sends = 0;
        return allocations;
    }

    memory::BufferPool pool_;
    FakeCatalog catalog_;
    FakeService service_{catalog_.model};
    Router router_{{service_, catalog_, pool_}, {}};
    FakeExchange exchange_{pool_};
    std::string scores_ = raw<float>({0.5, 0.25});
    std::string image_ = raw<float>({1, 2});
};

TEST_F(AllocationsTest, TheCounterCounts) {
    counting = true;
    allocations = 0;
    {
        const std::string text(1000, 'x');
    }
    counting = false;
    EXPECT_EQ(allocations, 1);
}

TEST_F(AllocationsTest, NoneForBinaryTensorsOverHttp) {
    EXPECT_EQ(allocations_of(false,
                             "/v2/models/digits/infer",
                             R"({"id":"a longer id than a small string holds inline",)"
                             R"("parameters":{"timeout":1000,"mine":"w\u0061rd"},)"
                             R"("inputs":[{"name":"image","shape":[1,2],"datatype":"FP32",)"
                             R"("parameters":{"binary_data_size":8}}],)"
                             R"("outputs":[{"name":"scores","parameters":{"binary_data":true}}]})",
                             image_),
              0);
}

TEST_F(AllocationsTest, NoneForJsonTensorsOverHttp) {
    EXPECT_EQ(allocations_of(false,
                             "/v2/models/d%69gits/versions/3/infer",
                             R"({"inputs":[{"name":"image","shape":[1,2],"datatype":"FP32",)"
                             R"("data":[[1.5,2.5]]}]})",
                             ""),
              0);
}

TEST_F(AllocationsTest, NoneForACompressedAnswer) {
    EXPECT_EQ(allocations_of(false,
                             "/v2/models/digits/infer",
                             R"({"inputs":[{"name":"image","shape":[1,2],"datatype":"FP32",)"
                             R"("parameters":{"binary_data_size":8}}]})",
                             image_,
                             "gzip"),
              0);
}

TEST_F(AllocationsTest, NoneForGrpc) {
    inference::ModelInferRequest message;
    message.set_model_name("digits");
    message.set_id("a longer id than a small string holds inline");
    (*message.mutable_parameters())["timeout"].set_int64_param(1000);
    (*message.mutable_parameters())["mine"].set_string_param("word");
    auto* input = message.add_inputs();
    input->set_name("image");
    input->set_datatype("FP32");
    input->add_shape(1);
    input->add_shape(2);
    message.add_outputs()->set_name("scores");
    message.add_raw_input_contents(image_);
    EXPECT_EQ(
        allocations_of(
            true, "/inference.GRPCInferenceService/ModelInfer", message.SerializeAsString(), ""),
        0);
    message.clear_raw_input_contents();
    message.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1);
    message.mutable_inputs(0)->mutable_contents()->add_fp32_contents(2);
    EXPECT_EQ(
        allocations_of(
            true, "/inference.GRPCInferenceService/ModelInfer", message.SerializeAsString(), ""),
        0);
}

}  // namespace
}  // namespace lepton::protocol
