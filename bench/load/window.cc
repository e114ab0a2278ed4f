#include "window.h"

#include <time.h>

namespace lepton::bench {
namespace {

std::chrono::nanoseconds cpu_time(clockid_t clock) {
    timespec time{};
    if (::clock_gettime(clock, &time) != 0) return {};
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

std::chrono::nanoseconds cpu_time_of(int pid) {
    clockid_t clock{};
    if (pid == 0 || ::clock_getcpuclockid(pid, &clock) != 0) return {};
    return cpu_time(clock);
}

}  // namespace

Window::Window(const LoadOptions& options)
    : options_(options),
      warm_at_(Clock::now() + options.warmup),
      allocations_(options.allocations_file) {}

bool Window::on_answer(Clock::time_point asked, Clock::time_point heard, bool refused) {
    if (refused) ++figures_.refused;
    if (!open_) {
        if (heard < warm_at_) return true;
        open_ = true;
        start_ = read(heard);
        return true;
    }
    figures_.latency.record(static_cast<std::uint64_t>((heard - asked).count()));
    ++figures_.requests;
    if (figures_.requests % static_cast<std::uint64_t>(options_.connections) != 0) return true;
    const bool done = options_.requests > 0 ? figures_.requests >= options_.requests
                                            : heard - start_.at >= options_.duration;
    if (!done) return true;
    close(heard);
    return false;
}

Window::Reading Window::read(Clock::time_point now) const {
    return {.at = now,
            .client_cpu = cpu_time(CLOCK_PROCESS_CPUTIME_ID),
            .server_cpu = cpu_time_of(options_.server_pid),
            .allocations = allocations_.value(),
            .sent = sent_,
            .received = received_};
}

void Window::close(Clock::time_point now) {
    const Reading end = read(now);
    figures_.elapsed = end.at - start_.at;
    figures_.client_cpu = end.client_cpu - start_.client_cpu;
    figures_.server_cpu = end.server_cpu - start_.server_cpu;
    figures_.server_allocations = end.allocations - start_.allocations;
    figures_.bytes_sent = end.sent - start_.sent;
    figures_.bytes_received = end.received - start_.received;
}

}  // namespace lepton::bench
