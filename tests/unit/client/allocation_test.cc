// Counts the calls of operator new, by thread, in a program of its own, over all of clients/cpp.

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <future>
#include <new>
#include <string>

#include "grpc_exchange.h"
#include "lepton/client.h"
#include "scripted_peer.h"

namespace {

thread_local std::uint64_t allocations = 0;

void* try_counted(std::size_t size, std::size_t alignment) noexcept {
    ++allocations;
    const std::size_t whole = (size + alignment - 1) / alignment * alignment;
    return std::aligned_alloc(alignment, whole == 0 ? alignment : whole);
}

void* counted(std::size_t size, std::size_t alignment) {
    void* const memory = try_counted(size, alignment);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}

}  // namespace

void* operator new(std::size_t size) { return counted(size, alignof(std::max_align_t)); }
void* operator new[](std::size_t size) { return counted(size, alignof(std::max_align_t)); }
// For simdjson; every form is replaced, so that memory is freed as it was allocated.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    return try_counted(size, alignof(std::max_align_t));
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
    return try_counted(size, alignof(std::max_align_t));
}
void* operator new(std::size_t size, std::align_val_t alignment) {
    return counted(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
    return counted(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace lepton {
namespace {

using client::answering;
using client::infer_answer;
using client::ScriptedPeer;

constexpr int kWarmUp = 20;
constexpr int kCounted = 100;

TEST(ClientAllocations, WarmBlockingCallHasNone) {
    const ScriptedPeer peer(answering(infer_answer(std::vector<float>(5000, 1))));
    Result<Client> client = Client::open(peer.url());
    ASSERT_TRUE(client);
    const std::vector<float> values(3000, 1);
    InferRequest request;
    request.model = "a model whose name does not fit a small string";
    request.id = "an id whose name does not fit a small string either";
    request.inputs = {make_input("x", values, {1, 3000})};
    request.outputs = {"y"};
    InferResult result;
    for (int i = 0; i < kWarmUp; ++i) ASSERT_TRUE(client->infer(request, result));
    const std::uint64_t before = allocations;
    for (int i = 0; i < kCounted; ++i) {
        if (!client->infer(request, result)) break;
        if (result.find("y") == nullptr) break;
    }
    EXPECT_GT(before, 0u) << "they are counted";
    EXPECT_EQ(allocations - before, 0u);
    EXPECT_EQ(client->statistics().calls, static_cast<std::uint64_t>(kWarmUp + kCounted));
}

// Makes calls one after the other, each started by the callback of the one before.
struct Chain {
    Client* client = nullptr;
    InferRequest request;
    int done = 0;
    std::uint64_t at_warm = 0;
    std::uint64_t at_end = 0;
    std::promise<void> ended;

    void next(InferResult storage) {
        client->infer_async(
            request,
            [this](Result<InferResult> result) {
                ++done;
                if (done == kWarmUp) at_warm = allocations;
                if (done == kWarmUp + kCounted || !result) {
                    at_end = allocations;
                    ended.set_value();
                } else {
                    next(*std::move(result));
                }
            },
            std::move(storage));
    }
};

TEST(ClientAllocations, WarmCallWithACallbackHasNone) {
    const ScriptedPeer peer(answering(infer_answer({1, 2, 3})));
    Result<Client> client = Client::open(peer.url());
    ASSERT_TRUE(client);
    const std::vector<float> values(30, 1);
    Chain chain;
    chain.client = &*client;
    chain.request.model = "a model whose name does not fit a small string";
    chain.request.inputs = {make_input("x", values, {1, 30})};
    chain.next({});
    chain.ended.get_future().wait();
    EXPECT_EQ(chain.done, kWarmUp + kCounted);
    EXPECT_GT(chain.at_warm, 0u) << "they are counted";
    EXPECT_EQ(chain.at_end - chain.at_warm, 0u);
}

// One answer over gRPC, on the stream with that number: headers, a message, trailers.
std::string grpc_answer(std::uint32_t stream) {
    const auto frame = [stream](char type, char flags, const std::string& payload) {
        std::string bytes{'\0', '\0', static_cast<char>(payload.size()), type, flags};
        for (int shift = 24; shift >= 0; shift -= 8) {
            bytes.push_back(static_cast<char>(stream >> shift));
        }
        return bytes + payload;
    };
    // A literal field that is not indexed: RFC 7541, section 6.2.2.
    const auto field = [](const std::string& name, const std::string& value) {
        return std::string(1, '\0') + static_cast<char>(name.size()) + name +
               static_cast<char>(value.size()) + value;
    };
    const std::string output = "\x0a\1y\x12\4FP32\x1a\1\2";
    const std::string message = "\x0a\1m\x2a" + std::string(1, static_cast<char>(output.size())) +
                                output + "\x32\x08" + std::string(8, '\0');
    const std::string prefix{'\0', '\0', '\0', '\0', static_cast<char>(message.size())};
    return frame(1, 4, "\x88" + field("content-type", "application/grpc")) +
           frame(0, 0, prefix + message) +
           frame(1, 5, field("grpc-status", "0") + field("server-timing", "compute;dur=1.5"));
}

TEST(ClientAllocations, WarmExchangeOfGrpcHasNone) {
    const auto exchange = client::make_grpc_exchange({.authority = "host:8000"});
    const std::vector<float> values(3000, 1);
    InferRequest request;
    request.model = "a model whose name does not fit a small string";
    request.inputs = {make_input("x", values, {1, 3000})};
    client::Operation operation;
    operation.request = &request;
    operation.deadline = Clock::now() + std::chrono::hours(1);
    client::Answer answer;
    const std::string settings("\0\0\0\4\0\0\0\0\0", 9);
    std::uint64_t in_exchange = 0;
    std::uint64_t before = 0;
    for (std::uint32_t call = 0; call < kWarmUp + kCounted; ++call) {
        std::string bytes = call == 0 ? settings : std::string();
        // Gives back more of the initial window than the client's body took.
        bytes += std::string("\0\0\4\x08\0\0\0\0\0\0\1\0\0", 13) + grpc_answer(2 * call + 1);
        if (call == kWarmUp) before = in_exchange;
        const std::uint64_t start = allocations;
        ASSERT_TRUE(exchange->begin(operation, answer));
        while (true) {
            const auto spans = exchange->to_send();
            if (spans.empty()) break;
            std::size_t size = 0;
            for (const iovec& span : spans) size += span.iov_len;
            exchange->sent(size);
        }
        std::memcpy(exchange->space().data(), bytes.data(), bytes.size());
        exchange->received(bytes.size());
        in_exchange += allocations - start;
        ASSERT_TRUE(exchange->done());
        ASSERT_EQ(exchange->failure(), nullptr) << exchange->failure()->error.message;
        ASSERT_NE(answer.result.find("y"), nullptr);
        ASSERT_EQ(answer.result.timing().compute, std::chrono::microseconds(1500));
    }
    EXPECT_GT(before, 0u) << "they are counted";
    EXPECT_EQ(in_exchange - before, 0u);
}

}  // namespace
}  // namespace lepton
