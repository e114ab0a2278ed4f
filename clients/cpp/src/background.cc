#include "background.h"

#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <utility>

#include "lepton/core/check.h"

namespace lepton::client {
namespace {

constexpr int kMaxEvents = 64;
constexpr auto kLongestSleep = std::chrono::seconds(60);

// Signals are meant for the program's own threads, so this thread blocks them.
class SignalsBlocked {
public:
    SignalsBlocked() {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    SignalsBlocked(const SignalsBlocked&) = delete;
    SignalsBlocked& operator=(const SignalsBlocked&) = delete;

private:
    sigset_t before_{};
};

Error closing() { return {ErrorCode::kCancelled, "the client was closed"}; }

}  // namespace

std::shared_ptr<Background> Background::start(ClientState& state) {
    auto background = std::make_shared<Background>(state);
    const SignalsBlocked blocked;
    background->thread_ = std::thread([self = background.get()] { self->run(); });
    pthread_setname_np(background->thread_.native_handle(), "lepton-client");
    return background;
}

Background::Background(ClientState& state)
    : state_(state), epoll_(epoll_create1(EPOLL_CLOEXEC)), wake_descriptor_(wake_.fd()) {
    LEPTON_CHECK(epoll_ >= 0);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = wake_descriptor_;
    LEPTON_CHECK(epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_descriptor_, &event) == 0);
}

Background::~Background() { close(epoll_); }

void Background::stop() {
    {
        const MutexLock lock(mutex_);
        stopping_ = true;
    }
    WakeFd::wake(wake_descriptor_);
    thread_.join();
}

CallHandle Background::submit(const InferRequest& request,
                              Clock::time_point deadline,
                              Client::Callback callback,
                              InferResult storage) {
    CallHandle handle;
    if (!enqueue(request, deadline, callback, storage, handle)) {
        callback(tl::unexpected<Error>(closing()));
    }
    return handle;
}

bool Background::enqueue(const InferRequest& request,
                         Clock::time_point deadline,
                         Client::Callback& callback,
                         InferResult& storage,
                         CallHandle& handle) {
    {
        const MutexLock lock(mutex_);
        if (stopping_) return false;
        AsyncCall& call = new_call();
        call.request = request;
        call.operation = {};
        call.operation.request = &call.request;
        call.operation.deadline = deadline;
        call.callback = std::move(callback);
        call.answer.result = std::move(storage);
        handle.background_ = weak_from_this();
        handle.slot_ = call.slot;
        handle.generation_ = call.generation;
        submitted_.push_back(&call);
        // The thread that put the first call there has woken this one, or is about to.
        if (submitted_.size() > 1) return true;
    }
    WakeFd::wake(wake_descriptor_);
    return true;
}

Background::AsyncCall& Background::new_call() {
    if (!free_.empty()) {
        AsyncCall* const call = free_.back();
        free_.pop_back();
        return *call;
    }
    const auto slot = static_cast<std::uint32_t>(calls_.size());
    return *calls_.emplace_back(std::make_unique<AsyncCall>(state_, wake_, slot));
}

void Background::cancel(std::uint32_t slot, std::uint64_t generation) {
    {
        const MutexLock lock(mutex_);
        if (stopping_ || calls_[slot]->generation != generation) return;
        cancelled_.push_back({slot, generation});
    }
    WakeFd::wake(wake_descriptor_);
}

void Background::run() {
    while (!take_inbox()) {
        advance_due();
        wait();
    }
    // No call is submitted after this; the ones that are left are ended.
    std::vector<AsyncCall*> left;
    {
        const MutexLock lock(mutex_);
        for (const auto& call : calls_) {
            if (call->active) left.push_back(call.get());
        }
    }
    for (AsyncCall* const call : left) {
        call->call.cancel();
        if (call->call.error()) call->call.error() = closing();
        settle(*call);
    }
}

bool Background::take_inbox() {
    bool stopping = false;
    {
        const MutexLock lock(mutex_);
        stopping = stopping_;
        if (!submitted_.empty()) starting_.swap(submitted_);
        for (const Cancellation& cancelled : cancelled_) {
            AsyncCall* const call = calls_[cancelled.slot].get();
            if (call->generation == cancelled.generation) cancelling_.push_back(call);
        }
        cancelled_.clear();
    }
    for (AsyncCall* const call : starting_) {
        call->active = true;
        call->call.start(call->operation, call->answer, Clock::now());
        settle(*call);
    }
    starting_.clear();
    for (AsyncCall* const call : cancelling_) {
        // The call may have ended since it was noted, and its record may hold another one.
        if (!call->active) continue;
        call->call.cancel();
        settle(*call);
    }
    cancelling_.clear();
    return stopping;
}

void Background::wait() {
    using std::chrono::duration_cast;
    Clock::duration left = kLongestSleep;
    if (!timers_.empty()) left = std::min(left, timers_.begin()->first - Clock::now());
    left = std::max(left, Clock::duration::zero());
    // epoll_wait() counts milliseconds: too coarse for a hedge, good enough for a deadline far off.
    constexpr auto kFine = std::chrono::milliseconds(10);
    auto timeout = static_cast<int>(duration_cast<std::chrono::milliseconds>(left).count());
    if (left < kFine) {
        pollfd ready{epoll_, POLLIN, 0};
        const timespec fine{.tv_sec = 0,
                            .tv_nsec = duration_cast<std::chrono::nanoseconds>(left).count()};
        ppoll(&ready, 1, &fine, nullptr);
        timeout = 0;
    }
    std::array<epoll_event, kMaxEvents> events;
    const int count = epoll_wait(epoll_, events.data(), kMaxEvents, timeout);
    bool woken = false;
    for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        if (event.data.fd == wake_descriptor_) {
            wake_.clear();
            woken = true;
        } else {
            on_event(event.data.fd);
        }
    }
    if (woken) advance_waiting();
}

void Background::on_event(int fd) {
    AsyncCall* const call = by_socket_[static_cast<std::size_t>(fd)];
    if (!call->active) return;
    call->call.on_readable(fd);
    call->call.advance(Clock::now());
    settle(*call);
}

void Background::advance_due() {
    const Clock::time_point now = Clock::now();
    while (!timers_.empty() && timers_.begin()->first <= now) {
        AsyncCall& call = *timers_.begin()->second;
        clear_timer(call);
        call.call.advance(now);
        settle(call);
    }
}

void Background::advance_waiting() {
    advancing_.swap(waiting_);
    for (AsyncCall* const call : advancing_) {
        call->in_waiting = false;
        if (!call->active) continue;
        call->call.advance(Clock::now());
        settle(*call);
    }
    advancing_.clear();
}

void Background::settle(AsyncCall& call) {
    if (call.call.done()) {
        hand_back(call);
        return;
    }
    const Call::Waits waits = call.call.waits();
    for (std::size_t i = 0; i < waits.socket_count; ++i) arm(call, waits.sockets[i]);
    if (waits.for_wake && !std::exchange(call.in_waiting, true)) waiting_.push_back(&call);
    set_timer(call, waits.until);
}

void Background::arm(AsyncCall& call, const Call::Interest& interest) {
    Connection& connection = *interest.connection;
    const auto fd = static_cast<std::size_t>(connection.socket());
    if (fd >= by_socket_.size()) by_socket_.resize(2 * fd + 1);
    by_socket_[fd] = &call;
    epoll_event event{};
    event.events = EPOLLONESHOT;
    if ((interest.events & POLLIN) != 0) event.events |= EPOLLIN;
    if ((interest.events & POLLOUT) != 0) event.events |= EPOLLOUT;
    event.data.fd = connection.socket();
    const int change = std::exchange(connection.in_epoll, true) ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    LEPTON_CHECK(epoll_ctl(epoll_, change, connection.socket(), &event) == 0);
}

void Background::set_timer(AsyncCall& call, Clock::time_point when) {
    if (call.has_timer && call.timer->first == when) return;
    clear_timer(call);
    if (call.spare_timer.empty()) {
        call.timer = timers_.emplace(when, &call);
    } else {
        call.spare_timer.key() = when;
        call.timer = timers_.insert(std::move(call.spare_timer));
    }
    call.has_timer = true;
}

void Background::clear_timer(AsyncCall& call) {
    if (!std::exchange(call.has_timer, false)) return;
    call.spare_timer = timers_.extract(call.timer);
}

void Background::hand_back(AsyncCall& call) {
    clear_timer(call);
    call.active = false;
    if (std::exchange(call.in_waiting, false)) std::erase(waiting_, &call);
    const Client::Callback callback = std::move(call.callback);
    call.callback = nullptr;
    InferResult result = std::move(call.answer.result);
    std::optional<Error> error = std::move(call.call.error());
    {
        const MutexLock lock(mutex_);
        ++call.generation;
        free_.push_back(&call);
    }
    if (error) {
        callback(tl::unexpected<Error>(*std::move(error)));
    } else {
        callback(std::move(result));
    }
}

}  // namespace lepton::client
