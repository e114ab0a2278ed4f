#pragma once

#include <memory>

#include "lepton/core/event_loop.h"

namespace lepton::scheduler {

// Who has something to do on loops. Held by shared_ptr.
class LoopUser {
public:
    virtual void work_on(EventLoop& loop) = 0;
    virtual std::shared_ptr<LoopUser> hold() = 0;

protected:
    ~LoopUser() = default;
};

// What somebody has to do on one loop, at the end of its turn or at a time: work_on(), which is
// scheduled once for each however often it is asked for. Keeps the user alive to the end of the
// turn, but not for a time that may be far, at which a user that is gone has nothing to do. Held by
// shared_ptr. On the loop's thread only.
class LoopWork : public std::enable_shared_from_this<LoopWork> {
public:
    explicit LoopWork(LoopUser& user) : turn_end_(user), wake_up_(user) {}

    void at_turn_end(EventLoop& loop);
    // Or earlier.
    void at(EventLoop& loop, Clock::time_point when);
    // The loop has stopped for good, and will not do it.
    void forget();

private:
    class TurnEnd final : public Task {
    public:
        explicit TurnEnd(LoopUser& of) : user(of) {}
        void run() noexcept override;

        LoopUser& user;
        EventLoop* loop = nullptr;
        std::shared_ptr<LoopUser> keep;  // Set while scheduled.
    };
    class WakeUp final : public Task {
    public:
        explicit WakeUp(LoopUser& whose) : user(whose) {}
        void run() noexcept override;

        LoopUser& user;
        EventLoop* loop = nullptr;
        Clock::time_point due = kNoDeadline;  // Earliest time for which it is scheduled.
        int scheduled = 0;
        std::weak_ptr<LoopUser> of;
        std::shared_ptr<LoopWork> keep;  // This, while scheduled.
    };

    TurnEnd turn_end_;
    WakeUp wake_up_;
};

}  // namespace lepton::scheduler
