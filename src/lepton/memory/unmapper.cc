#include "lepton/memory/unmapper.h"

#include <pthread.h>
#include <sys/mman.h>

#include <new>
#include <system_error>
#include <utility>

#include "lepton/core/check.h"

namespace lepton::memory {

namespace {

void unmap(void* data, std::size_t bytes) { LEPTON_CHECK(::munmap(data, bytes) == 0); }

}  // namespace

Unmapper::~Unmapper() {
    {
        const MutexLock lock(mutex_);
        stopped_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
}

void Unmapper::add(std::byte* data, std::size_t bytes) noexcept {
    if (take_over(data, bytes)) {
        wake_.notify_one();
    } else {
        unmap(data, bytes);
    }
}

bool Unmapper::take_over(std::byte* data, std::size_t bytes) noexcept {
    const MutexLock lock(mutex_);
    if (waiting_bytes_ + bytes > kMostWaiting) return false;
    if (!thread_.joinable()) {
        try {
            thread_ = std::thread([this] { serve(); });
        } catch (const std::system_error&) {
            return false;  // There is no thread to be had.
        }
        ::pthread_setname_np(thread_.native_handle(), "unmapper");
    }
    first_ = new (data) Waiting{first_, bytes};
    waiting_bytes_ += bytes;
    return true;
}

void Unmapper::serve() {
    while (true) {
        Waiting* one = nullptr;
        {
            MutexLock lock(mutex_);
            while (first_ == nullptr && !stopped_) wake_.wait(lock.native());
            if (first_ == nullptr) return;
            one = std::exchange(first_, first_->next);
            waiting_bytes_ -= one->bytes;
        }
        unmap(one, one->bytes);
    }
}

}  // namespace lepton::memory
