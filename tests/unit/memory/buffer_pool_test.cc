#include "lepton/memory/buffer_pool.h"

#include <cstddef>
#include <cstdint>
#include <new>
#include <string>

#include <gtest/gtest.h>

namespace lepton::memory {
namespace {

TEST(BufferPool, GivesTheSameMemoryAgainForTheSameClass) {
    BufferPool pool;
    Buffer first = pool.take(1000);
    const std::byte* memory = first.data();
    first.release();
    EXPECT_EQ(pool.idle_bytes(), 1024U);
    EXPECT_EQ(pool.take(600).data(), memory);
}

TEST(BufferPool, MemoryIsAlignedForTheEngine) {
    BufferPool pool;
    for (const std::size_t size : {1U, 513U, 5000U, 20U << 20}) {
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(pool.take(size).data()) % Buffer::kAlignment,
                  0U);
    }
}

TEST(BufferPool, KeepsNoMoreThanItsBoundPerClass) {
    BufferPool pool;
    {
        const Buffer a = pool.take(BufferPool::kLargestClass);
        const Buffer b = pool.take(BufferPool::kLargestClass);
        const Buffer beyond = pool.take(BufferPool::kLargestClass + 1);
    }
    EXPECT_EQ(pool.idle_bytes(), BufferPool::kKeptBytesPerClass);
}

TEST(BufferPool, StaysWithinItsBudgetButForSmallBuffers) {
    constexpr std::size_t kLarge = 2 * BufferPool::kAlwaysGiven;
    BufferPool pool(2 * kLarge);
    const Buffer first = pool.take(kLarge);
    Buffer second = pool.take(kLarge);
    EXPECT_THROW(static_cast<void>(pool.take(kLarge)), std::bad_alloc);
    EXPECT_EQ(pool.refusals(), 1U);
    EXPECT_EQ(pool.held_bytes(), 2 * kLarge);
    EXPECT_NE(pool.take(BufferPool::kAlwaysGiven).data(), nullptr);
    // What is idle gives way, also to another size.
    second.release();
    EXPECT_NE(pool.take(kLarge / 2 + 1).data(), nullptr);
}

TEST(BufferPool, WhatGrowsKeepsItsBytesAcrossAllSizes) {
    BufferPool pool;
    Buffer buffer = pool.take(1);
    std::size_t written = 0;
    for (std::size_t size = 1; size <= std::size_t{40} << 20; size = size * 3 + 1) {
        buffer.resize(size);
        for (; written < size; ++written) {
            buffer.data()[written] = static_cast<std::byte>(written * 7);
        }
        ASSERT_GE(buffer.capacity(), size);
        ASSERT_EQ(pool.held_bytes(), pool.idle_bytes() + buffer.capacity());
        ASSERT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % Buffer::kAlignment, 0U);
    }
    for (std::size_t i = 0; i < written; i += 4001) {
        ASSERT_EQ(buffer.data()[i], static_cast<std::byte>(i * 7)) << i;
    }
    buffer.release();
    EXPECT_EQ(pool.held_bytes(), pool.idle_bytes());
}

TEST(BufferPool, WhatTheBudgetDoesNotLetGrowIsAsItWas) {
    constexpr std::size_t kBytes = BufferPool::kSmallestMapping;
    BufferPool pool(3 * kBytes);
    Buffer buffer = pool.take(kBytes);
    buffer.append("kept");
    EXPECT_THROW(buffer.reserve(4 * kBytes), std::bad_alloc);
    EXPECT_EQ(buffer.text(), "kept");
    EXPECT_EQ(buffer.capacity(), kBytes);
    EXPECT_EQ(pool.held_bytes(), kBytes);
    buffer.reserve(2 * kBytes);
    EXPECT_EQ(buffer.text(), "kept");
    EXPECT_EQ(pool.held_bytes(), pool.idle_bytes() + 2 * kBytes);
}

TEST(BufferPool, AllocationThatFailsIsAnException) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "a sanitizer ends the process instead";
#endif
    BufferPool pool;
    EXPECT_THROW(static_cast<void>(pool.take(std::size_t{1} << 60)), std::bad_alloc);
    EXPECT_EQ(pool.held_bytes(), 0U);
}

TEST(BufferPool, TrimGivesBackWhatWasNotWantedSinceTheOneBefore) {
    constexpr std::size_t kBytes = std::size_t{1} << 20;
    BufferPool pool;
    {
        const Buffer a = pool.take(kBytes);
        const Buffer b = pool.take(kBytes);
        const Buffer c = pool.take(kBytes);
    }
    pool.trim();
    EXPECT_EQ(pool.idle_bytes(), 3 * kBytes);
    {
        const Buffer used = pool.take(kBytes);
    }
    pool.trim();
    EXPECT_EQ(pool.idle_bytes(), kBytes);
    pool.trim();
    EXPECT_EQ(pool.idle_bytes(), 0U);
    EXPECT_EQ(pool.held_bytes(), 0U);
}

TEST(Buffer, KeepsItsContentWhenItGrows) {
    BufferPool pool;
    Buffer buffer = pool.take(0);
    std::string expected;
    for (int i = 0; i < 1000; ++i) {
        buffer.append("lepton ");
        expected += "lepton ";
    }
    EXPECT_EQ(buffer.text(), expected);
}

}  // namespace
}  // namespace lepton::memory
