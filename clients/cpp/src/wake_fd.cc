#include "wake_fd.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

#include "lepton/core/check.h"

namespace lepton::client {

WakeFd::~WakeFd() {
    if (fd_ >= 0) close(fd_);
}

int WakeFd::fd() {
    if (fd_ < 0) {
        fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        LEPTON_CHECK(fd_ >= 0);
    }
    return fd_;
}

void WakeFd::clear() {
    std::uint64_t count = 0;
    // EAGAIN: nobody had woken it.
    [[maybe_unused]] const auto read = ::read(fd_, &count, sizeof count);
}

void WakeFd::wake(int fd) {
    const std::uint64_t one = 1;
    // EAGAIN: its counter is full, so it is awake.
    [[maybe_unused]] const auto written = ::write(fd, &one, sizeof one);
}

}  // namespace lepton::client
