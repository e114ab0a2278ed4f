#include "lepton/scheduler/loop_work.h"

#include <utility>

namespace lepton::scheduler {

void LoopWork::at_turn_end(EventLoop& loop) {
    if (turn_end_.keep != nullptr) return;  // Scheduled already.
    turn_end_.keep = turn_end_.user.hold();
    turn_end_.loop = &loop;
    loop.at_turn_end(turn_end_);
}

void LoopWork::at(EventLoop& loop, Clock::time_point when) {
    if (wake_up_.due <= when) return;
    wake_up_.due = when;
    wake_up_.loop = &loop;
    wake_up_.of = wake_up_.user.hold();
    wake_up_.keep = shared_from_this();
    ++wake_up_.scheduled;
    loop.run_at(when, wake_up_);
}

void LoopWork::forget() {
    const std::shared_ptr<LoopWork> work = shared_from_this();
    turn_end_.keep.reset();
    wake_up_.keep.reset();
}

// NOLINTNEXTLINE(bugprone-exception-escape): only for want of memory, which is the end.
void LoopWork::TurnEnd::run() noexcept {
    const std::shared_ptr<LoopUser> alive = std::move(keep);
    user.work_on(*loop);
}

// NOLINTNEXTLINE(bugprone-exception-escape): only for want of memory, which is the end.
void LoopWork::WakeUp::run() noexcept {
    const std::shared_ptr<LoopWork> work = keep;
    if (--scheduled == 0) keep.reset();
    due = kNoDeadline;
    if (const std::shared_ptr<LoopUser> alive = of.lock()) alive->work_on(*loop);
}

}  // namespace lepton::scheduler
