#include "connection.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace lepton::client {
namespace {

// The number of spans per sendmsg(); UIO_MAXIOV is 1024.
constexpr std::size_t kMaxSpans = 64;

std::string text_of(int error) { return std::generic_category().message(error); }

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

}  // namespace

Connection::Connection(const Endpoint& endpoint,
                       std::size_t endpoint_index,
                       const TlsContext* tls,
                       std::unique_ptr<Exchange> exchange)
    : endpoint_(endpoint),
      endpoint_index_(endpoint_index),
      tls_context_(tls),
      exchange_(std::move(exchange)) {}

Connection::~Connection() { close(); }

void Connection::close() {
    tls_.reset();
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
    in_epoll = false;
}

Result<> Connection::ask(const Operation& operation) {
    LEPTON_RETURN_IF_ERROR(exchange_->begin(operation, answer_));
    ++asked_;
    heard_ = false;
    if (state_ == State::kNew) {
        Result<std::vector<SocketAddress>> addresses = resolve(endpoint_);
        if (!addresses) {
            fail_connecting(std::move(addresses.error().message));
            return {};
        }
        addresses_ = *std::move(addresses);
        connect_next("it has no address");
    }
    return {};
}

void Connection::connect_next(std::string why) {
    while (next_address_ < addresses_.size()) {
        const SocketAddress& address = addresses_[next_address_++];
        close();
        const int family = address.storage.ss_family;
        socket_ = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (socket_ < 0) {
            why = text_of(errno);
            continue;
        }
        if (family != AF_UNIX) {
            // A request is written whole: waiting for more (Nagle) would only delay its last bytes.
            const int on = 1;
            setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        }
        state_ = State::kConnecting;
        if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address.storage), address.size) ==
            0) {
            on_connected();
            return;
        }
        // A Unix domain socket whose backlog is full returns EAGAIN, and no poll tells when it is
        // free.
        if (errno == EINPROGRESS) {
            wants_ = POLLOUT;
            return;
        }
        why = text_of(errno);
    }
    fail_connecting("no server at " + endpoint_.url + " (" + why +
                    "); start one with \"lepton serve\", or check the endpoint");
}

void Connection::fail_connecting(std::string why) {
    close();
    state_ = State::kFailed;
    wants_ = 0;
    connect_failure_.cause = Failure::Cause::kRefused;
    connect_failure_.error = {ErrorCode::kUnavailable, std::move(why)};
}

void Connection::on_connected() {
    // From here on each read says whether it may block, which block_once() needs.
    fcntl(socket_, F_SETFL, fcntl(socket_, F_GETFL) & ~O_NONBLOCK);
    receive_timeout_ = {};
    if (tls_context_ == nullptr) {
        state_ = State::kOpen;
        was_open_ = true;
        return;
    }
    Result<TlsSession> session =
        tls_context_->session(socket_, endpoint_.host, endpoint_.wire == Endpoint::Wire::kGrpc);
    if (!session) {
        fail_connecting(std::move(session.error().message));
        return;
    }
    tls_.emplace(*std::move(session));
    state_ = State::kHandshaking;
}

bool Connection::finish_connecting() {
    pollfd ready{socket_, POLLOUT, 0};
    if (::poll(&ready, 1, 0) == 0) return false;
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error == 0) {
        on_connected();
    } else {
        connect_next(text_of(error));
    }
    return true;
}

bool Connection::finish_handshake() {
    const IoStep step = tls_->handshake();
    switch (step.state) {
        case IoStep::State::kWantRead:
            wants_ = POLLIN;
            return false;
        case IoStep::State::kWantWrite:
            wants_ = POLLOUT;
            return false;
        case IoStep::State::kProgress:
            state_ = State::kOpen;
            was_open_ = true;
            return true;
        case IoStep::State::kEnd:
        case IoStep::State::kError:
            break;
    }
    const std::string why = tls_->error();
    fail_connecting("no TLS with " + endpoint_.url + ": " +
                    (why.empty() ? "connection closed" : why) +
                    "; check the endpoint and the client's tls options");
    return true;
}

void Connection::advance(bool readable) {
    while (!done()) {
        switch (state_) {
            case State::kNew:
            case State::kFailed:
                return;
            case State::kConnecting:
                if (!finish_connecting()) return;
                break;
            case State::kHandshaking:
                if (!finish_handshake()) return;
                break;
            case State::kOpen:
                wants_ = POLLIN;
                if (!send_all()) wants_ = POLLIN | POLLOUT;
                if (done() || !receive(std::exchange(readable, false))) return;
                break;
        }
    }
}

// Returns false when the socket takes no more for now.
bool Connection::send_all() {
    while (true) {
        const std::span<const iovec> spans = exchange_->to_send();
        if (spans.empty()) return true;
        const IoStep step = send_some(spans);
        switch (step.state) {
            case IoStep::State::kProgress:
                exchange_->sent(step.bytes);
                break;
            case IoStep::State::kWantRead:
            case IoStep::State::kWantWrite:
                return false;
            case IoStep::State::kEnd:
            case IoStep::State::kError:
                // What the server said before it closed may still be read, such as a refusal.
                return true;
        }
    }
}

// Returns false when there is nothing more to read for now.
bool Connection::receive(bool readable) {
    if (!readable && !(tls_ && tls_->has_pending())) return false;
    while (!exchange_->done()) {
        const std::span<std::byte> space = exchange_->space();
        const std::size_t room = space.size();
        const IoStep step = receive_some(space);
        switch (step.state) {
            case IoStep::State::kProgress:
                heard_ = true;
                exchange_->received(step.bytes);
                // A read that did not fill its room took all there was; TLS hands out whole
                // records.
                if (step.bytes < room && !tls_) return !exchange_->to_send().empty();
                break;
            case IoStep::State::kWantRead:
            case IoStep::State::kWantWrite:
                return !exchange_->to_send().empty();
            case IoStep::State::kEnd:
            case IoStep::State::kError:
                broken();
                return false;
        }
    }
    return true;
}

void Connection::broken() {
    exchange_->received_end();
    wants_ = 0;
}

IoStep Connection::send_some(std::span<const iovec> spans) {
    if (tls_) {
        const iovec& first = spans.front();
        return tls_->send({static_cast<const std::byte*>(first.iov_base), first.iov_len});
    }
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(spans.data());  // sendmsg() only reads them.
    message.msg_iovlen = std::min(spans.size(), kMaxSpans);
    const ssize_t sent = ::sendmsg(socket_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) return {IoStep::State::kProgress, static_cast<std::size_t>(sent)};
    return {would_block(errno) ? IoStep::State::kWantWrite : IoStep::State::kError, 0};
}

IoStep Connection::receive_some(std::span<std::byte> space) {
    if (tls_) return tls_->receive(space);
    const int flags = std::exchange(block_, false) ? 0 : MSG_DONTWAIT;
    const ssize_t read = ::recv(socket_, space.data(), space.size(), flags);
    interrupted_ = read < 0 && errno == EINTR;
    if (read > 0) return {IoStep::State::kProgress, static_cast<std::size_t>(read)};
    if (read == 0) return {IoStep::State::kEnd, 0};
    return {would_block(errno) ? IoStep::State::kWantRead : IoStep::State::kError, 0};
}

bool Connection::block_once(Clock::duration at_most) {
    using std::chrono::milliseconds;
    // The kernel counts such timeouts in its ticks, of up to 10 ms.
    constexpr auto kShortest = milliseconds(32);
    if (tls_ || state_ != State::kOpen || wants_ != POLLIN || at_most < kShortest) return false;
    // A power of two times it, so that calls with similar deadlines need not set it each time.
    Clock::duration timeout = kShortest;
    while (2 * timeout <= at_most) timeout *= 2;
    if (timeout != receive_timeout_) {
        const auto us = std::chrono::duration_cast<std::chrono::microseconds>(timeout).count();
        constexpr int kUsPerSecond = 1'000'000;
        const timeval value{.tv_sec = us / kUsPerSecond, .tv_usec = us % kUsPerSecond};
        if (setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &value, sizeof value) != 0) return false;
        receive_timeout_ = timeout;
    }
    block_ = true;
    return true;
}

bool Connection::done() const { return state_ == State::kFailed || exchange_->done(); }

const Failure* Connection::failure() const {
    return state_ == State::kFailed ? &connect_failure_ : exchange_->failure();
}

bool Connection::abandon() {
    const bool keep = exchange_->abandon() && state_ == State::kOpen;
    // A reset that does not fit in the socket would have to be waited for, which the connection is
    // not worth.
    return keep && send_all() && exchange_->to_send().empty() && exchange_->reusable();
}

bool Connection::still_open() {
    if (state_ != State::kOpen || !exchange_->reusable()) return false;
    while (true) {
        const IoStep step = receive_some(exchange_->space());
        switch (step.state) {
            case IoStep::State::kProgress:
                exchange_->received(step.bytes);
                if (!exchange_->reusable()) return false;
                break;
            case IoStep::State::kWantRead:
            case IoStep::State::kWantWrite:
                return true;
            case IoStep::State::kEnd:
            case IoStep::State::kError:
                return false;
        }
    }
}

}  // namespace lepton::client
