#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "client_state.h"
#include "connection.h"
#include "connection_pool.h"
#include "exchange.h"
#include "lepton/core/clock.h"
#include "lepton/core/result.h"
#include "wake_fd.h"

namespace lepton::client {

// One call: one or more attempts (the first, retries, a hedge), each an exchange on a connection of
// the pool. A state machine without a thread: a driver starts it, and advances it whenever what
// waits() names has happened, until it is done(). Reusable. Not thread-safe; its driver owns it.
class Call {
public:
    // What a call waits for: any of these sockets, the wake-up or the time, whichever comes first.
    struct Interest {
        Connection* connection = nullptr;
        short events = 0;  // As poll() defines them.
    };
    struct Waits {
        std::array<Interest, 2> sockets;
        std::size_t socket_count = 0;
        bool for_wake = false;  // This is the descriptor of the driver's WakeFd.
        Clock::time_point until = kNoDeadline;
    };

    Call(ClientState& state, WakeFd& wake) : state_(state), wake_(wake) {}
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

    // `operation`, what it points to, and `answer` must live until done(). On an error the answer's
    // result is empty.
    void start(const Operation& operation, Answer& answer, Clock::time_point now);

    // A poll reported that this socket is readable.
    void on_readable(int socket);
    void advance(Clock::time_point now);
    void cancel();

    [[nodiscard]] bool done() const { return done_; }
    [[nodiscard]] Waits waits() const;

    // Precondition: done(). Empty if the call was answered.
    [[nodiscard]] std::optional<Error>& error() { return error_; }
    // A server did answer, if only to refuse.
    [[nodiscard]] bool was_answered() const { return was_answered_; }

private:
    struct Attempt {
        enum class State : std::uint8_t { kNone, kWaiting, kAsking };
        State state = State::kNone;
        bool readable = false;
        std::size_t endpoint = 0;
        std::unique_ptr<Connection> connection;
        Clock::time_point connect_until;
        PoolWaiter waiter;
    };

    void begin_attempt(Attempt& attempt, Clock::time_point now);
    void ask(Attempt& attempt, Clock::time_point now);
    void step(Attempt& attempt, Clock::time_point now);
    void succeed(Attempt& attempt, Clock::time_point now);
    void fail_attempt(Attempt& attempt, const Failure& failure, Clock::time_point now);
    [[nodiscard]] bool may_retry(const Failure& failure, bool was_stale);
    void begin_hedge(Clock::time_point now);
    void end_attempt(Attempt& attempt, bool keep, Clock::time_point now);
    void expire(Clock::time_point now);
    void finish(std::optional<Error> error, Clock::time_point now);
    [[nodiscard]] bool any_attempt() const;
    [[nodiscard]] const Attempt* attempt_under_way() const;

    ClientState& state_;
    WakeFd& wake_;
    Operation operation_;
    Answer* answer_ = nullptr;
    std::array<Attempt, 2> attempts_;
    bool done_ = true;
    bool was_answered_ = false;
    std::optional<Error> error_;

    Clock::time_point started_;
    Clock::time_point retry_at_;
    std::optional<Clock::time_point> hedge_at_;
    std::optional<std::size_t> last_endpoint_;  // Already tried: another one is preferred.
    int attempts_made_ = 0;
    int retries_ = 0;
    bool retried_cut_ = false;
    bool retried_stale_ = false;
    bool suspicious_ = false;  // The pool's connections are checked before use.
};

}  // namespace lepton::client
