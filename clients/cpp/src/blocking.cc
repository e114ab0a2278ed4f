#include "blocking.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <utility>

#include "call.h"

namespace lepton::client {
namespace {

// How often the caller's `interrupted` is asked although no wait was interrupted: a signal may come
// just before the wait, or to another thread.
constexpr auto kAskEvery = std::chrono::milliseconds(256);

timespec to_timespec(Clock::duration left) {
    using std::chrono::duration_cast;
    left = std::max(Clock::duration::zero(), left);
    const auto seconds = duration_cast<std::chrono::seconds>(left);
    const auto nanoseconds = duration_cast<std::chrono::nanoseconds>(left - seconds);
    return {.tv_sec = seconds.count(), .tv_nsec = nanoseconds.count()};
}

// Does what the call waits for, or waits for it until then; returns false where a signal came
// first.
bool wait(Call& call, WakeFd& wake, Clock::time_point now, Clock::time_point until) {
    const Call::Waits waits = call.waits();
    const Clock::duration left = std::min(waits.until, until) - now;
    if (waits.socket_count == 1 && !waits.for_wake) {
        Connection& connection = *waits.sockets[0].connection;
        if (connection.block_once(left)) {
            connection.advance(true);
            return connection.done() || !connection.was_interrupted();
        }
    }
    std::array<pollfd, 3> ready{};
    nfds_t count = 0;
    for (std::size_t i = 0; i < waits.socket_count; ++i) {
        ready[count++] = {waits.sockets[i].connection->socket(), waits.sockets[i].events, 0};
    }
    if (waits.for_wake) ready[count++] = {wake.fd(), POLLIN, 0};
    const timespec timeout = to_timespec(left);
    const int result = ppoll(ready.data(), count, &timeout, nullptr);
    if (result < 0) return errno != EINTR;
    for (nfds_t i = 0; i < count && result > 0; ++i) {
        if ((ready[i].revents & ~POLLOUT) != 0) call.on_readable(ready[i].fd);
    }
    if (waits.for_wake) wake.clear();
    return true;
}

}  // namespace

Ended run_blocking(ClientState& state, const Operation& operation, Answer& answer) {
    // It outlives the call, which may stand in a queue with it until it is done.
    thread_local WakeFd wake;
    Call call(state, wake);
    Clock::time_point now = Clock::now();
    call.start(operation, answer, now);
    const auto& interrupted = state.options.interrupted;
    Clock::time_point ask_at = interrupted ? now + kAskEvery : kNoDeadline;
    while (!call.done()) {
        const bool signalled = !wait(call, wake, now, ask_at);
        now = Clock::now();
        const bool ask = interrupted && (signalled || now >= ask_at);
        if (ask) ask_at = now + kAskEvery;
        if (ask && interrupted()) {
            call.cancel();
        } else {
            call.advance(now);
        }
    }
    return {std::move(call.error()), call.was_answered()};
}

}  // namespace lepton::client
