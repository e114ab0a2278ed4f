#include "lepton/core/block_cache.h"

#include <cstring>
#include <vector>

#include <gtest/gtest.h>

namespace lepton {
namespace {

TEST(BlockCache, GivesBlocksOutAgain) {
    BlockCache cache;
    void* first = cache.take(100);
    std::memset(first, 1, 100);
    cache.give_back(first);
    EXPECT_EQ(cache.take(128), first);
    cache.give_back(first);
    cache.give_back(nullptr);
}

TEST(BlockCache, ResizedBlockKeepsItsContent) {
    BlockCache cache;
    auto* block = static_cast<char*>(cache.resize(nullptr, 64));
    std::strcpy(block, "content");
    EXPECT_EQ(cache.resize(block, 10), block);
    for (const std::size_t bytes : {65u, 2'000u, 5'000u, 100'000u}) {
        block = static_cast<char*>(cache.resize(block, bytes));
        EXPECT_STREQ(block, "content");
        block[bytes - 1] = 'x';
    }
    cache.give_back(block);
}

TEST(BlockCache, SurvivesMoreBlocksThanItKeeps) {
    BlockCache cache;
    for (const std::size_t bytes : {1u, 64u, 2'048u, 2'049u}) {
        std::vector<void*> blocks;
        for (int i = 0; i < 3'000; ++i) blocks.push_back(cache.take(bytes));
        for (void* block : blocks) cache.give_back(block);
    }
}

}  // namespace
}  // namespace lepton
