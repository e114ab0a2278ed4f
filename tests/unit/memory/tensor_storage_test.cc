#include "lepton/memory/tensor_storage.h"

#include <cstdint>
#include <cstring>
#include <new>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "lepton/core/response.h"

namespace lepton::memory {
namespace {

bool is_aligned(const std::byte* at) {
    return reinterpret_cast<std::uintptr_t>(at) % kTensorAlignment == 0;
}

TEST(TensorPool, BlockIsThePoolsAgainWhenItsLastUserHasGone) {
    BufferPool pool;
    TensorPool tensors(pool);
    TensorStorage block = tensors.take(100);
    EXPECT_TRUE(is_aligned(block.get()));
    std::memset(block.get(), 1, 100);
    const TensorStorage shared = block;
    block.reset();
    EXPECT_EQ(pool.idle_bytes(), 0U);
    EXPECT_EQ(shared[99], std::byte{1});
}

TEST(TensorPool, TheNextBlockIsThatOfTheLastOne) {
    BufferPool pool;
    TensorPool tensors(pool);
    for (const std::size_t bytes : {1U, 100U, 1U << 20U, (1U << 24U) + 1U}) {
        const std::byte* const before = tensors.take(bytes).get();
        const std::size_t held = pool.held_bytes();
        const TensorStorage block = tensors.take(bytes);
        EXPECT_TRUE(is_aligned(block.get()));
        if (bytes < BufferPool::kSmallestMapping) EXPECT_EQ(block.get(), before);
        EXPECT_GE(pool.held_bytes(), held);
    }
    pool.trim();
    pool.trim();
    EXPECT_LE(pool.held_bytes(), std::size_t{4} << 20);
}

TEST(TensorPool, KeepsToItsPoolsBudget) {
    BufferPool pool(std::size_t{1} << 20);
    TensorPool tensors(pool);
    EXPECT_THROW(static_cast<void>(tensors.take(std::size_t{2} << 20)), std::bad_alloc);
}

class KeptResponseTest : public testing::Test {
protected:
    void put(std::string_view name, const std::vector<std::byte>& data) {
        response_.outputs.push_back({name, {DataType::kInt8, {1}, data}});
    }

    BufferPool pool_;
    TensorPool tensors_{pool_};
    Response response_;
    std::vector<std::byte> slot_{70, std::byte{7}};
    std::vector<std::byte> small_{3, std::byte{3}};
    const std::vector<std::byte> empty_;
};

TEST_F(KeptResponseTest, OutputsOutliveTheSlotAndTheResponse) {
    response_.memory = &tensors_;
    put("a", slot_);
    put("b", empty_);
    put("c", small_);
    response_.keep();
    std::fill(slot_.begin(), slot_.end(), std::byte{0});
    std::fill(small_.begin(), small_.end(), std::byte{0});
    const std::vector<OutputTensor> outputs = response_.outputs;
    const TensorStorage storage = response_.storage;
    response_.clear();
    EXPECT_TRUE(response_.outputs.empty());
    EXPECT_EQ(outputs[0].tensor.data.size(), 70U);
    EXPECT_EQ(outputs[0].tensor.data[69], std::byte{7});
    EXPECT_TRUE(outputs[1].tensor.data.empty());
    EXPECT_EQ(outputs[2].tensor.data.size(), 3U);
    EXPECT_EQ(outputs[2].tensor.data[2], std::byte{3});
    EXPECT_TRUE(is_aligned(outputs[0].tensor.data.data()));
    EXPECT_TRUE(is_aligned(outputs[2].tensor.data.data()));
}

TEST_F(KeptResponseTest, WhatIsKeptStaysWhereItIs) {
    response_.memory = &tensors_;
    put("a", slot_);
    response_.keep();
    const std::byte* const first = response_.outputs[0].tensor.data.data();
    response_.keep();
    EXPECT_EQ(response_.outputs[0].tensor.data.data(), first);
}

TEST_F(KeptResponseTest, NothingNeedsNoMemory) {
    put("a", empty_);
    response_.keep();
    EXPECT_EQ(response_.storage, nullptr);
}

}  // namespace
}  // namespace lepton::memory
