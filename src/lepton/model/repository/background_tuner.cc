#include "lepton/model/repository/background_tuner.h"

#include <utility>

namespace lepton::model {

BackgroundTuner::BackgroundTuner(ModelLoader& loader, Options options)
    : loader_(loader), options_(std::move(options)), thread_([this] { work(); }) {}

BackgroundTuner::~BackgroundTuner() { stop(); }

void BackgroundTuner::add(Job job) {
    {
        const MutexLock lock(mutex_);
        std::erase_if(jobs_, [&](const Waiting& waiting) {
            return waiting.job.name == job.name && waiting.job.version == job.version;
        });
        jobs_.push_back({std::move(job), Clock::now() + options_.delay});
    }
    changed_.notify_all();
}

void BackgroundTuner::stop() {
    {
        const MutexLock lock(mutex_);
        stopping_ = true;
        jobs_.clear();
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void BackgroundTuner::work() {
    while (true) {
        Job job;
        {
            MutexLock lock(mutex_);
            while (!stopping_ && (jobs_.empty() || Clock::now() < jobs_.front().from)) {
                if (jobs_.empty()) {
                    changed_.wait(lock.native());
                } else {
                    changed_.wait_until(lock.native(), jobs_.front().from);
                }
            }
            if (stopping_) return;
            job = std::move(jobs_.front().job);
            jobs_.pop_front();
        }
        options_.on_tuned(job, loader_.tune(job.file, job.config));
    }
}

}  // namespace lepton::model
