#include "call.h"

#include <poll.h>

#include <algorithm>
#include <string>
#include <utility>

#include "random.h"

namespace lepton::client {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

std::string in_words(Clock::duration time) {
    using std::chrono::duration_cast;
    const auto us = duration_cast<std::chrono::microseconds>(time).count();
    constexpr std::int64_t kUsPerMs = 1000;
    // Short times are shown to a hundredth of a millisecond.
    if (us >= 10 * kUsPerMs) return std::to_string((us + kUsPerMs / 2) / kUsPerMs) + " ms";
    std::string hundredths = std::to_string(us % kUsPerMs / 10);
    if (hundredths.size() == 1) hundredths.insert(0, 1, '0');
    return std::to_string(us / kUsPerMs) + "." + hundredths + " ms";
}

bool asks_whether(Operation::Kind kind) {
    return kind == Operation::Kind::kServerLive || kind == Operation::Kind::kServerReady ||
           kind == Operation::Kind::kModelReady;
}

}  // namespace

Call::~Call() {
    if (!done_) cancel();
}

void Call::start(const Operation& operation, Answer& answer, Clock::time_point now) {
    operation_ = operation;
    answer_ = &answer;
    done_ = false;
    was_answered_ = false;
    error_.reset();
    started_ = now;
    retry_at_ = now;
    hedge_at_.reset();
    last_endpoint_.reset();
    attempts_made_ = retries_ = 0;
    retried_cut_ = retried_stale_ = suspicious_ = false;

    state_.counters.calls.fetch_add(1, kRelaxed);
    state_.retry_budget.on_call();
    if (operation.kind == Operation::Kind::kInfer) {
        if (const auto delay = state_.hedge.delay(state_.endpoints.size() > 1)) {
            hedge_at_ = now + *delay;
        }
    }
    if (operation.deadline <= now) {
        finish(Error{ErrorCode::kDeadlineExceeded,
                     "the deadline of the request had passed when the call began"},
               now);
        return;
    }
    begin_attempt(attempts_[0], now);
}

void Call::begin_attempt(Attempt& attempt, Clock::time_point now) {
    attempt.endpoint = state_.chooser.choose(random_bits(), now, last_endpoint_);
    last_endpoint_ = attempt.endpoint;
    state_.chooser.begin(attempt.endpoint);
    ++attempts_made_;
    attempt.state = Attempt::State::kWaiting;
    attempt.readable = false;
    ask(attempt, now);
}

void Call::ask(Attempt& attempt, Clock::time_point now) {
    // Only a pool whose connections are all busy needs to wake anybody.
    if (attempt.waiter.wake_fd < 0) attempt.waiter.wake_fd = wake_.fd();
    attempt.connection = state_.pool.take(attempt.endpoint, now, suspicious_, attempt.waiter);
    if (attempt.connection == nullptr) return;
    attempt.state = Attempt::State::kAsking;
    attempt.connect_until = now + state_.options.connect_timeout;
    if (Result<> asked = attempt.connection->ask(operation_); !asked) {
        end_attempt(attempt, true, now);
        finish(std::move(asked).error(), now);
        return;
    }
    step(attempt, now);
}

void Call::step(Attempt& attempt, Clock::time_point now) {
    if (attempt.state == Attempt::State::kWaiting) {
        if (attempt.waiter.woken.load(kRelaxed)) ask(attempt, now);
        return;
    }
    Connection& connection = *attempt.connection;
    connection.advance(std::exchange(attempt.readable, false));
    if (connection.done()) {
        if (const Failure* const failure = connection.failure()) {
            fail_attempt(attempt, *failure, now);
        } else {
            succeed(attempt, now);
        }
        return;
    }
    if (connection.state() != Connection::State::kOpen && now >= attempt.connect_until) {
        Failure failure;
        failure.cause = Failure::Cause::kRefused;
        failure.error = {ErrorCode::kUnavailable,
                         "no connection to " + state_.endpoints[attempt.endpoint].url + " within " +
                             in_words(state_.options.connect_timeout) +
                             "; check the endpoint and the network"};
        fail_attempt(attempt, failure, now);
    }
}

void Call::succeed(Attempt& attempt, Clock::time_point now) {
    Answer& told = attempt.connection->answer();
    switch (operation_.kind) {
        case Operation::Kind::kInfer:
            answer_->result.swap(told.result);
            break;
        case Operation::Kind::kModelMetadata:
            answer_->model = std::move(told.model);
            break;
        case Operation::Kind::kListModels:
            answer_->models = std::move(told.models);
            break;
        case Operation::Kind::kServerLive:
        case Operation::Kind::kServerReady:
        case Operation::Kind::kModelReady:
            break;
    }
    was_answered_ = true;
    state_.chooser.connected(attempt.endpoint);
    if (&attempt == &attempts_[1]) state_.counters.hedges_won.fetch_add(1, kRelaxed);
    if (operation_.kind == Operation::Kind::kInfer) state_.hedge.record(now - started_);
    end_attempt(attempt, true, now);
    finish(std::nullopt, now);
}

void Call::fail_attempt(Attempt& attempt, const Failure& given, Clock::time_point now) {
    Failure failure = given;
    const bool never_connected = attempt.connection->never_connected();
    const bool was_stale = attempt.connection->was_stale();
    const std::string& url = state_.endpoints[attempt.endpoint].url;
    if (never_connected) state_.chooser.connect_failed(attempt.endpoint, now);
    if (failure.cause == Failure::Cause::kCut || failure.cause == Failure::Cause::kProtocol ||
        failure.stranger) {
        failure.error.message.insert(0, url + ": ");
    }
    if (failure.cause == Failure::Cause::kAnswered ||
        (failure.cause == Failure::Cause::kRefused && !never_connected)) {
        was_answered_ = true;
    }
    end_attempt(attempt, true, now);

    // The other attempt may still be answered, unless the server would tell it the same.
    if (any_attempt() && failure.cause != Failure::Cause::kAnswered) return;
    if (!may_retry(failure, was_stale)) {
        finish(std::move(failure.error), now);
        return;
    }
    // Another endpoint, or another connection in place of one that was closed while idle, can be
    // tried at once; the same endpoint needs time.
    const bool at_once =
        was_stale || static_cast<std::size_t>(attempts_made_) < state_.endpoints.size();
    const auto next = at_once ? std::optional(now)
                              : state_.backoff.next(retries_,
                                                    to_uniform(random_bits()),
                                                    now,
                                                    operation_.deadline,
                                                    failure.retry_after);
    if (!next) {
        finish(std::move(failure.error), now);
        return;
    }
    if (!at_once) ++retries_;
    state_.counters.retries.fetch_add(1, kRelaxed);
    retry_at_ = *next;
    error_ = std::move(failure.error);  // Reported if no other attempt succeeds.
}

bool Call::may_retry(const Failure& failure, bool was_stale) {
    // The refusal itself answers the question with no.
    if (asks_whether(operation_.kind) && was_answered_) return false;
    switch (failure.cause) {
        case Failure::Cause::kAnswered:
        case Failure::Cause::kProtocol:
            return false;
        case Failure::Cause::kCut:
            suspicious_ = true;
            // An idle connection that the server closed says nothing about its health, so this
            // attempt does not count as a retry.
            if (was_stale && !retried_stale_) return retried_stale_ = true;
            if (retried_cut_) return false;
            retried_cut_ = true;
            break;
        case Failure::Cause::kRefused:
            break;
    }
    return attempts_made_ < state_.options.retry.max_attempts && state_.retry_budget.try_spend();
}

void Call::begin_hedge(Clock::time_point now) {
    hedge_at_.reset();
    Attempt& second = attempts_[1];
    if (second.state != Attempt::State::kNone) return;
    // A second request to the same server adds to what makes it slow, so only the user can allow
    // it.
    const bool allowed =
        state_.options.hedge.same_endpoint || state_.chooser.has_other(*last_endpoint_);
    if (!allowed || !state_.hedge.try_hedge()) return;
    state_.counters.hedges.fetch_add(1, kRelaxed);
    begin_attempt(second, now);
}

void Call::on_readable(int socket) {
    for (Attempt& attempt : attempts_) {
        if (attempt.connection && attempt.connection->socket() == socket) attempt.readable = true;
    }
}

void Call::advance(Clock::time_point now) {
    for (Attempt& attempt : attempts_) {
        if (!done_ && attempt.state != Attempt::State::kNone) step(attempt, now);
    }
    if (done_) return;
    if (now >= operation_.deadline) {
        expire(now);
    } else if (!any_attempt()) {
        if (now >= retry_at_) begin_attempt(attempts_[0], now);
    } else if (hedge_at_ && now >= *hedge_at_) {
        begin_hedge(now);
    }
}

Call::Waits Call::waits() const {
    Waits waits;
    waits.until = operation_.deadline;
    for (const Attempt& attempt : attempts_) {
        if (attempt.state == Attempt::State::kWaiting) waits.for_wake = true;
        if (attempt.state != Attempt::State::kAsking) continue;
        Connection& connection = *attempt.connection;
        waits.sockets[waits.socket_count++] = {&connection, connection.wants()};
        if (connection.state() != Connection::State::kOpen) {
            waits.until = std::min(waits.until, attempt.connect_until);
        }
    }
    if (!any_attempt()) {
        waits.until = std::min(waits.until, retry_at_);
    } else if (hedge_at_) {
        waits.until = std::min(waits.until, *hedge_at_);
    }
    return waits;
}

void Call::end_attempt(Attempt& attempt, bool keep, Clock::time_point now) {
    if (attempt.state == Attempt::State::kNone) return;
    state_.chooser.end(attempt.endpoint);
    if (attempt.connection == nullptr) {
        state_.pool.give_up(attempt.endpoint, attempt.waiter);
    } else {
        // Resets the stream in progress; false where only closing the connection ends it.
        keep = attempt.connection->abandon() && keep;
        state_.pool.give_back(std::move(attempt.connection), keep, now);
    }
    attempt.state = Attempt::State::kNone;
}

void Call::expire(Clock::time_point now) {
    const std::string time = in_words(operation_.deadline - started_);
    const Attempt* const attempt = attempt_under_way();
    std::string message;
    if (attempt == nullptr) {
        message = "no answer within " + time +
                  "; the last attempt: " + (error_ ? error_->message : std::string("none"));
    } else if (attempt->state == Attempt::State::kWaiting) {
        message = "all " + std::to_string(state_.options.max_connections_per_endpoint) +
                  " connections to " + state_.endpoints[attempt->endpoint].url + " were busy for " +
                  time + "; raise max_connections_per_endpoint";
    } else {
        const bool open = attempt->connection->state() == Connection::State::kOpen;
        message = (open ? "no answer from " : "no connection to ") +
                  state_.endpoints[attempt->endpoint].url + " within " + time +
                  (open ? "; allow a longer timeout, or see the server's load"
                        : "; check the endpoint, or allow a longer timeout");
    }
    if (operation_.kind == Operation::Kind::kInfer) state_.hedge.record(now - started_);
    finish(Error{ErrorCode::kDeadlineExceeded, std::move(message)}, now);
}

void Call::cancel() {
    if (done_) return;
    finish(Error{ErrorCode::kCancelled, "the call was cancelled"}, Clock::now());
}

void Call::finish(std::optional<Error> error, Clock::time_point now) {
    for (Attempt& attempt : attempts_) end_attempt(attempt, true, now);
    done_ = true;
    error_ = std::move(error);
    if (!error_) return;
    state_.counters.failures.fetch_add(1, kRelaxed);
    answer_->result.contents().clear();
}

bool Call::any_attempt() const { return attempt_under_way() != nullptr; }

const Call::Attempt* Call::attempt_under_way() const {
    for (const Attempt& attempt : attempts_) {
        if (attempt.state != Attempt::State::kNone) return &attempt;
    }
    return nullptr;
}

}  // namespace lepton::client
