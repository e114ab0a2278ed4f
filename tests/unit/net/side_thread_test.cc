#include "lepton/net/side_thread.h"

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace lepton::net {
namespace {

using namespace std::chrono_literals;

// What was done, in order; the first piece waits until the test lets it go.
class SideThreadTest : public testing::Test {
protected:
    struct Piece final : Task {
        Piece(SideThreadTest& of, std::string called) : test(of), name(std::move(called)) {}
        void run() noexcept override { test.on_run(name); }
        SideThreadTest& test;
        std::string name;
    };

    void put(std::uint64_t client, const std::string& name) {
        pieces_.push_back(std::make_unique<Piece>(*this, name));
        thread_.run(*pieces_.back(), client);
    }
    void on_run(const std::string& name) {
        std::unique_lock lock(mutex_);
        began_ = true;
        changed_.notify_all();
        changed_.wait(lock, [this] { return open_; });
        done_ += name;
        changed_.notify_all();
    }
    void wait_for_begin() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return began_; });
    }
    void open() {
        const std::lock_guard lock(mutex_);
        open_ = true;
        changed_.notify_all();
    }
    std::string wait_for(std::size_t count) {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, 10s, [&] { return done_.size() >= count; });
        return done_;
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    bool began_ = false;
    bool open_ = false;
    std::string done_;
    std::vector<std::unique_ptr<Piece>> pieces_;
    SideThread thread_;
};

TEST_F(SideThreadTest, ClientsTakeTurnsAndEachKeepsItsOrder) {
    put(7, "a");
    wait_for_begin();
    for (const char* name : {"b", "c", "d"}) put(7, name);
    put(9, "x");
    put(9, "y");
    put(3, "1");
    open();
    EXPECT_EQ(wait_for(7), "ax1bycd");
}

TEST_F(SideThreadTest, WhatHasNotBegunByTheEndIsNotDone) {
    put(1, "a");
    wait_for_begin();
    put(1, "b");
    open();
    thread_.stop();
    EXPECT_LE(done_.size(), 2U);  // The end may come behind the second.
    const std::string done = done_;
    put(1, "c");
    EXPECT_EQ(done_, done);
}

TEST_F(SideThreadTest, NothingToDoIsNoThread) { thread_.stop(); }

}  // namespace
}  // namespace lepton::net
