// Counts what operator new is asked for, by thread: in this program alone, of all of clients/cpp.

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <future>
#include <new>

#include "lepton/client.h"
#include "scripted_peer.h"

namespace {

thread_local std::uint64_t allocations = 0;

void* counted(std::size_t size, std::size_t alignment) {
    ++allocations;
    const std::size_t whole = (size + alignment - 1) / alignment * alignment;
    void* const memory = std::aligned_alloc(alignment, whole == 0 ? alignment : whole);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}

}  // namespace

void* operator new(std::size_t size) { return counted(size, alignof(std::max_align_t)); }
void* operator new[](std::size_t size) { return counted(size, alignof(std::max_align_t)); }
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

// Calls one after the other, each started by the callback of the one before.
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

}  // namespace
}  // namespace lepton
