#include "lepton/net/connection.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include <boost/asio/bind_allocator.hpp>

#include "lepton/net/http1_session.h"
#include "lepton/net/http2_session.h"
#include "lepton/net/reactor.h"

namespace lepton::net {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::size_t kFirstBytes = std::size_t{4} << 10;
// No HTTP/1.1 method begins like the preface "PRI * HTTP/2.0" (RFC 9113 section 3.4).
constexpr std::string_view kHttp2Mark = "PRI";
// A client that is still sending when we close would lose our last answer to a reset; so its bytes
// are read and dropped for this long.
constexpr auto kLinger = std::chrono::seconds(1);

// Whether any of these is true of the socket: POLLHUP, POLLERR, POLLRDHUP.
bool has_event(int socket, short events) {
    pollfd waits{.fd = socket, .events = events, .revents = 0};
    return ::poll(&waits, 1, 0) > 0 && (waits.revents & events) != 0;
}

}  // namespace

Connection::Connection(Socket socket,
                       Reactor& reactor,
                       memory::BufferPool& pool,
                       Handler& handler,
                       const Limits& limits)
    : socket_(std::move(socket)),
      reactor_(reactor),
      pool_(pool),
      handler_(handler),
      limits_(limits),
      first_bytes_(pool.take(kFirstBytes)),
      unsent_(pool.take(0)) {}

Connection::~Connection() = default;

EventLoop& Connection::loop() { return reactor_; }

void Connection::start() {
    opened_ = Clock::now();
    reactor_.watch_timeouts();
    read();
}

void Connection::read() {
    if (reading_ || closed_ || read_ended_) return;
    std::span<std::byte> space;
    if (session_ != nullptr && !lingering_) {
        space = session_->read_space();
        if (space.empty()) return reactor_.watch_timeouts();
    } else {
        first_bytes_.reserve(kFirstBytes);
        if (lingering_) first_bytes_.clear();
        space = {first_bytes_.data() + first_bytes_.size(),
                 first_bytes_.capacity() - first_bytes_.size()};
    }
    reading_ = true;
    auto on_done = [this](const error_code& error, std::size_t count) {
        reading_ = false;
        if (error == asio::error::eof) {
            on_end();
        } else if (error) {
            close();
        } else {
            on_read(count);
            read_next();
        }
    };
    socket_.async_read_some(asio::buffer(space.data(), space.size()),
                            asio::bind_allocator(reactor_.operations().allocator(), on_done));
}

void Connection::read_next() {
    if (session_ == nullptr || session_->idle()) return read();
    if (std::exchange(read_again_.scheduled, true)) return;
    reactor_.at_turn_end(read_again_);
}

void Connection::on_read(std::size_t count) {
    if (closed_ || lingering_) return;
    const Clock::time_point now = Clock::now();
    if (session_ == nullptr) {
        sniff(count, now);
    } else {
        session_->on_read(count, now);
    }
    if (session_ == nullptr || session_->read_deadline() != kNoDeadline) reactor_.watch_timeouts();
}

void Connection::on_end() {
    if (closed_) return;
    read_ended_ = true;
    if (lingering_ || session_ == nullptr) return close();
    if (session_->on_end()) {
        if (!closed_) probe();
    } else {
        unsent_bytes() > 0 ? close_when_sent() : close();
    }
}

bool Connection::reading_rests() const {
    return !reading_ && !read_ended_ && !read_again_.scheduled && session_ != nullptr &&
           !session_->idle();
}

void Connection::probe() {
    session_->probe();
    if (closed_ || std::exchange(probing_, true)) return;
    socket_.async_wait(Socket::wait_error, [this](const error_code& error) {
        probing_ = false;
        if (error || has_event(socket_.native_handle(), POLLHUP | POLLERR)) close();
    });
}

void Connection::sniff(std::size_t count, Clock::time_point now) {
    first_bytes_.resize(first_bytes_.size() + count);
    const std::string_view start = first_bytes_.text().substr(0, kHttp2Mark.size());
    if (!start.starts_with(kHttp2Mark) && kHttp2Mark.starts_with(start)) return;
    // Taken out first: a session may end the connection while it is made, and the linger reads into
    // first_bytes_.
    memory::Buffer received = std::exchange(first_bytes_, pool_.take(0));
    if (start == kHttp2Mark) {
        session_ = make_http2_session(*this, received.bytes(), now);
    } else {
        session_ = make_http1_session(*this, std::move(received), now);
    }
}

void Connection::resume_reading() { read(); }

void Connection::write(std::span<const std::byte> head, std::span<const std::byte> body) {
    if (closed_ || lingering_) return;
    if (unsent_.empty()) {
        iovec pieces[2] = {{const_cast<std::byte*>(head.data()), head.size()},
                           {const_cast<std::byte*>(body.data()), body.size()}};
        msghdr message{};
        message.msg_iov = pieces;
        message.msg_iovlen = body.empty() ? 1 : 2;
        const ssize_t sent =
            ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) return;
        const std::size_t taken = sent < 0 ? 0 : static_cast<std::size_t>(sent);
        if (taken == head.size() + body.size()) return;
        const std::size_t of_head = std::min(taken, head.size());
        head = head.subspan(of_head);
        body = body.subspan(taken - of_head);
    }
    if (unsent_.empty()) {
        last_sent_ = Clock::now();
        reactor_.watch_timeouts();
    }
    unsent_.append(head);
    unsent_.append(body);
    send_unsent();
}

void Connection::send_unsent() {
    if (writing_ || closed_) return;
    writing_ = true;
    socket_.async_wait(Socket::wait_write, [this](const error_code& error) {
        writing_ = false;
        if (error || closed_) return close();
        const ssize_t sent = ::send(socket_.native_handle(),
                                    unsent_.data() + sent_,
                                    unsent_bytes(),
                                    MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) return close();
        if (sent > 0) {
            sent_ += static_cast<std::size_t>(sent);
            last_sent_ = Clock::now();
        }
        if (unsent_bytes() > 0) return send_unsent();
        unsent_.release();
        unsent_ = pool_.take(0);
        sent_ = 0;
        if (closing_) return linger();
        if (session_ != nullptr) session_->on_writable();
        read();
    });
}

void Connection::close_when_sent() {
    if (closed_ || std::exchange(closing_, true)) return;
    if (unsent_bytes() == 0) linger();
}

void Connection::linger() {
    if (closed_ || std::exchange(lingering_, true)) return;
    if (read_ended_) return close();
    error_code ignored;
    socket_.shutdown(Socket::shutdown_send, ignored);
    opened_ = Clock::now();
    reactor_.watch_timeouts();
    read();
}

void Connection::close() {
    if (std::exchange(closed_, true)) return;
    error_code ignored;
    socket_.close(ignored);
    if (session_ != nullptr) session_->on_closed();
    reactor_.reap_soon();
}

bool Connection::check_timeout(Clock::time_point now) {
    if (closed_) return false;
    const bool sending = unsent_bytes() > 0;
    if (sending && now >= last_sent_ + limits_.write_idle_timeout) {
        close();
        return false;
    }
    if (lingering_) {
        if (now >= opened_ + kLinger) close();
        return !closed_;
    }
    if (session_ == nullptr) {
        // A connection that never said a byte may be a client's pool: it is let be.
        if (first_bytes_.empty()) return sending;
        if (now >= opened_ + limits_.head_timeout) close();
        return !closed_;
    }
    if (now >= session_->read_deadline()) session_->on_timeout();
    if (reading_rests() && has_event(socket_.native_handle(), POLLRDHUP)) probe();
    return !closed_ &&
           (sending || lingering_ || reading_rests() || session_->read_deadline() != kNoDeadline);
}

void Connection::drain() {
    if (closed_) return;
    if (session_ == nullptr) {
        close();
    } else {
        session_->on_drain();
    }
}

}  // namespace lepton::net
