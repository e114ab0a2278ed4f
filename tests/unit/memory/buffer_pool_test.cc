#include "lepton/memory/buffer_pool.h"

#include <cstdint>
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
        Buffer a = pool.take(BufferPool::kLargestClass);
        Buffer b = pool.take(BufferPool::kLargestClass);
        Buffer beyond = pool.take(BufferPool::kLargestClass + 1);
    }
    EXPECT_EQ(pool.idle_bytes(), BufferPool::kKeptBytesPerClass);
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
