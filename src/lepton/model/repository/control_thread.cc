#include "lepton/model/repository/control_thread.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace lepton::model {
namespace {

Error stopping() { return {ErrorCode::kUnavailable, "the server is stopping"}; }

}  // namespace

ControlThread::ControlThread(Options options)
    : options_(std::move(options)), thread_([this] { work(); }) {}

ControlThread::~ControlThread() { stop(); }

void ControlThread::add(Job job) {
    std::optional<Job> replaced;
    if (const Result<> taken = take(job, replaced); !taken) {
        if (job.drop) job.drop(taken.error());
        return;
    }
    changed_.notify_all();
    if (replaced && replaced->drop) {
        replaced->drop({ErrorCode::kUnavailable, "a later command for the same took its place"});
    }
}

Result<> ControlThread::take(Job& job, std::optional<Job>& replaced) {
    const MutexLock lock(mutex_);
    if (cancelled_) return tl::unexpected(stopping());
    std::deque<Job>& waiting = lane(job.lane);
    if (job.key.empty() && waiting.size() >= options_.max_changes) {
        return fail(ErrorCode::kQueueFull,
                    std::to_string(options_.max_changes) + " changes are queued, the bound");
    }
    const auto same = std::find_if(waiting.begin(), waiting.end(), [&job](const Job& other) {
        return !job.key.empty() && other.key == job.key;
    });
    if (same != waiting.end()) {
        replaced = std::move(*same);
        waiting.erase(same);
    }
    waiting.push_back(std::move(job));
    return {};
}

void ControlThread::wait_until_settled() {
    MutexLock lock(mutex_);
    while (!settled() && !cancelled_) changed_.wait(lock.native());
}

void ControlThread::cancel() {
    {
        const MutexLock lock(mutex_);
        cancelled_ = true;
    }
    changed_.notify_all();
}

void ControlThread::stop() {
    cancel();
    if (thread_.joinable()) thread_.join();
    std::array<std::deque<Job>, kLanes> forgotten;
    {
        const MutexLock lock(mutex_);
        forgotten.swap(lanes_);
    }
    for (const std::deque<Job>& jobs : forgotten) {
        for (const Job& job : jobs) {
            if (job.drop) job.drop(stopping());
        }
    }
}

bool ControlThread::cancelled() const {
    const MutexLock lock(mutex_);
    return cancelled_;
}

bool ControlThread::settled() {
    return !busy_ && lane(Lane::kChange).empty() && lane(Lane::kModel).empty();
}

std::deque<ControlThread::Job>* ControlThread::next_lane() {
    const auto next = std::find_if(
        lanes_.begin(), lanes_.end(), [](const std::deque<Job>& jobs) { return !jobs.empty(); });
    return next == lanes_.end() ? nullptr : &*next;
}

void ControlThread::work() {
    while (true) {
        // What it depends on changes in jobs alone.
        const Clock::time_point look_at = options_.next_look();
        std::optional<Job> job;
        {
            MutexLock lock(mutex_);
            busy_ = false;
            if (settled()) changed_.notify_all();
            while (next_lane() == nullptr && !cancelled_ && Clock::now() < look_at) {
                if (look_at == Clock::time_point::max()) {
                    changed_.wait(lock.native());
                } else {
                    changed_.wait_until(lock.native(), look_at);
                }
            }
            if (cancelled_) return;
            if (std::deque<Job>* jobs = next_lane()) {
                job = std::move(jobs->front());
                jobs->pop_front();
            }
            busy_ = !job || job->lane != Lane::kImprovement;
        }
        if (job) {
            job->run();
        } else {
            options_.look();
        }
    }
}

}  // namespace lepton::model
