#include "lepton/net/operation_pool.h"

#include <gtest/gtest.h>

namespace lepton::net {
namespace {

TEST(OperationPool, MemoryThatWasGivenBackIsHandedOutAgain) {
    OperationPool pool;
    void* const first = pool.take(176);
    void* const second = pool.take(200);
    EXPECT_NE(first, second);
    pool.give_back(first, 176);
    EXPECT_EQ(pool.take(100), first);
    pool.give_back(first, 100);
    pool.give_back(second, 200);
}

TEST(OperationPool, LargeOperationsPassItBy) {
    OperationPool pool;
    void* const small = pool.take(64);
    pool.give_back(small, 64);
    void* const large = pool.take(100'000);
    EXPECT_NE(large, small);
    pool.give_back(large, 100'000);
    void* const next = pool.take(64);
    EXPECT_EQ(next, small);
    pool.give_back(next, 64);
}

TEST(OperationPool, AllocatorsOfOnePoolAreEqualWhateverTheyAllocate) {
    OperationPool pool;
    OperationPool other;
    const OperationPool::Allocator<int> ints(pool.allocator());
    const OperationPool::Allocator<> bytes(ints);
    EXPECT_TRUE(bytes == pool.allocator());
    EXPECT_FALSE(bytes == other.allocator());
}

}  // namespace
}  // namespace lepton::net
