#include "lepton/memory/unmapper.h"

#include <sys/mman.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace lepton::memory {
namespace {

// Mappings of a file of their own, by which /proc/self/maps tells them from others: their addresses
// may belong to somebody else as soon as they are unmapped, such as the heap of a new thread.
class MarkedMappings {
public:
    explicit MarkedMappings(std::size_t bytes) : bytes_(bytes) {
        EXPECT_EQ(::ftruncate(file_, static_cast<off_t>(bytes)), 0);
    }
    ~MarkedMappings() { ::close(file_); }
    MarkedMappings(const MarkedMappings&) = delete;
    MarkedMappings& operator=(const MarkedMappings&) = delete;

    [[nodiscard]] std::size_t bytes() const { return bytes_; }

    [[nodiscard]] std::byte* map() const {
        void* const data = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE, file_, 0);
        EXPECT_NE(data, MAP_FAILED);
        return static_cast<std::byte*>(data);
    }

    // Neighbours of the same file may be one line, so that this is zero or not.
    [[nodiscard]] static int lines() {
        std::ifstream maps("/proc/self/maps");
        int count = 0;
        for (std::string line; std::getline(maps, line);) {
            if (line.find("lepton_unmapper_test") != std::string::npos) ++count;
        }
        return count;
    }

private:
    int file_ = ::memfd_create("lepton_unmapper_test", MFD_CLOEXEC);
    std::size_t bytes_;
};

TEST(Unmapper, AllIsUnmappedWhenItEnds) {
    const MarkedMappings mappings(Unmapper::kWorthIt);
    {
        Unmapper unmapper;
        std::byte* const first = mappings.map();
        EXPECT_GT(MarkedMappings::lines(), 0);
        unmapper.add(first, mappings.bytes());
        for (int i = 0; i < 99; ++i) unmapper.add(mappings.map(), mappings.bytes());
    }
    EXPECT_EQ(MarkedMappings::lines(), 0);
}

TEST(Unmapper, WhatIsTooMuchToWaitIsUnmappedAtOnce) {
    const MarkedMappings mappings(Unmapper::kMostWaiting + 4096);
    Unmapper unmapper;
    unmapper.add(mappings.map(), mappings.bytes());
    EXPECT_EQ(MarkedMappings::lines(), 0);
}

TEST(Unmapper, ManyThreadsMayAdd) {
    const MarkedMappings mappings(Unmapper::kWorthIt);
    {
        Unmapper unmapper;
        std::vector<std::thread> threads;
        for (int t = 0; t < 4; ++t) {
            threads.emplace_back([&] {
                for (int i = 0; i < 50; ++i) unmapper.add(mappings.map(), mappings.bytes());
            });
        }
        for (std::thread& thread : threads) thread.join();
    }
    EXPECT_EQ(MarkedMappings::lines(), 0);
}

}  // namespace
}  // namespace lepton::memory
