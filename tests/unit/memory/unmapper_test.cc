#include "lepton/memory/unmapper.h"

#include <sys/mman.h>

#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace lepton::memory {
namespace {

std::byte* map(std::size_t bytes) {
    void* const data =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT_NE(data, MAP_FAILED);
    return static_cast<std::byte*>(data);
}

// The kernel says ENOMEM of pages that are not mapped.
bool is_mapped(std::byte* data) {
    unsigned char resident = 0;
    return ::mincore(data, 1, &resident) == 0;
}

TEST(Unmapper, AllIsUnmappedWhenItEnds) {
    std::vector<std::byte*> all;
    {
        Unmapper unmapper;
        for (int i = 0; i < 100; ++i) {
            all.push_back(map(Unmapper::kWorthIt));
            unmapper.add(all.back(), Unmapper::kWorthIt);
        }
    }
    for (std::byte* one : all) EXPECT_FALSE(is_mapped(one));
}

TEST(Unmapper, WhatIsTooMuchToWaitIsUnmappedAtOnce) {
    Unmapper unmapper;
    std::byte* const data = map(Unmapper::kMostWaiting + 4096);
    unmapper.add(data, Unmapper::kMostWaiting + 4096);
    EXPECT_FALSE(is_mapped(data));
}

TEST(Unmapper, ManyThreadsMayAdd) {
    Unmapper unmapper;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&unmapper] {
            for (int i = 0; i < 50; ++i) {
                unmapper.add(map(Unmapper::kWorthIt), Unmapper::kWorthIt);
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace lepton::memory
