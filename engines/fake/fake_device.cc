#include "engines/fake/fake_device.h"

#include "engines/fake/device_session.h"

namespace lepton::fake {

FakeDevice::FakeDevice(bool clock_stands)
    : clock_stands_(clock_stands), thread_([this] { work(); }) {}

FakeDevice::~FakeDevice() {
    {
        const MutexLock lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

Clock::time_point FakeDevice::now() const { return clock_stands_ ? time_ : Clock::now(); }

void FakeDevice::add(const Run& run) {
    {
        const MutexLock lock(mutex_);
        if (runs_.empty() && completing_ == nullptr) free_from_ = now();
        runs_.push_back(run);
    }
    changed_.notify_all();
}

void FakeDevice::advance(Clock::duration time) {
    {
        const MutexLock lock(mutex_);
        time_ += time;
    }
    changed_.notify_all();
}

void FakeDevice::forget(const DeviceSession& session) {
    std::deque<Run> forgotten;
    {
        MutexLock lock(mutex_);
        std::deque<Run> others;
        for (const Run& run : runs_) (run.session == &session ? forgotten : others).push_back(run);
        runs_.swap(others);
        // The one that is being completed is nobody's to take back.
        while (completing_ == &session) changed_.wait(lock.native());
    }
    changed_.notify_all();  // The first one may have gone.
    for (const Run& run : forgotten) {
        run.done->on_run(fail(ErrorCode::kUnavailable, "the session ended before its run"));
    }
}

std::optional<FakeDevice::Run> FakeDevice::next() {
    MutexLock lock(mutex_);
    completing_ = nullptr;
    changed_.notify_all();
    while (!stopping_) {
        if (runs_.empty()) {
            changed_.wait(lock.native());
            continue;
        }
        const Clock::time_point over = free_from_ + runs_.front().takes;
        if (now() >= over) {
            const Run run = runs_.front();
            runs_.pop_front();
            free_from_ = over;
            completing_ = run.session;
            return run;
        }
        if (clock_stands_) {
            changed_.wait(lock.native());
        } else {
            changed_.wait_until(lock.native(), over);
        }
    }
    return std::nullopt;
}

void FakeDevice::work() {
    while (const std::optional<Run> run = next()) {
        run->done->on_run(run->session->compute(run->rows, run->inputs, run->outputs));
    }
}

std::shared_ptr<FakeDevice> FakeDevices::get(Device device) {
    const MutexLock lock(mutex_);
    std::shared_ptr<FakeDevice>& made = devices_[device];
    if (made == nullptr) made = std::make_shared<FakeDevice>(device.index == kStanding);
    return made;
}

}  // namespace lepton::fake
