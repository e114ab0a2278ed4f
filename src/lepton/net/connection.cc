#include "lepton/net/connection.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <string_view>
#include <utility>

#include <boost/asio/bind_allocator.hpp>

#include "lepton/net/http1/http1_protocol.h"
#include "lepton/net/http2/http2_protocol.h"
#include "lepton/net/reactor.h"

namespace lepton::net {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::size_t kFirstBytes = std::size_t{4} << 10;
// No HTTP/1.1 method begins like the preface "PRI * HTTP/2.0" (RFC 9113 section 3.4).
constexpr std::string_view kHttp2Mark = "PRI";
// More of an answer waits for the next turn. The kernel goes on copying for as long as a client of
// the same machine keeps up, and whoever shares the loop would wait for all of it.
constexpr std::size_t kLargestWrite = std::size_t{512} << 10;

// A client that is still sending when we close would lose our last answer to a reset; so its bytes
// are read and dropped for this long.
constexpr auto kLinger = std::chrono::seconds(1);
constexpr auto kKeptFor = std::chrono::seconds(1);

// Whether any of these is true of the socket: POLLHUP, POLLERR, POLLRDHUP.
bool has_event(int socket, short events) {
    pollfd waits{.fd = socket, .events = events, .revents = 0};
    return ::poll(&waits, 1, 0) > 0 && (waits.revents & events) != 0;
}

}  // namespace

Connection::Connection(Socket socket,
                       Peer peer,
                       ConnectionTable& table,
                       ConnectionTable::Seat seat,
                       Reactor& reactor,
                       memory::BufferPool& pool,
                       Handler& handler,
                       const Limits& limits)
    : socket_(std::move(socket)),
      peer_(std::move(peer)),
      table_(table),
      seat_(std::move(seat)),
      reactor_(reactor),
      pool_(pool),
      handler_(handler),
      limits_(limits),
      first_bytes_(pool.take(kFirstBytes)),
      unsent_(pool) {
    peer_.number = reinterpret_cast<std::uintptr_t>(this);
}

Connection::~Connection() = default;

EventLoop& Connection::loop() { return reactor_; }

void Connection::start() {
    begun_ = Clock::now();
    reactor_.look_soon();
    read();
}

void Connection::read() {
    if (reading_ || closed_ || read_ended_) return;
    std::span<std::byte> space;
    if (has_unread()) return go_on_reading();
    if (session_ != nullptr && !lingering_) {
        space = session_->read_space();
        if (space.empty()) return reactor_.look_soon();
    } else {
        first_bytes_.reserve(kFirstBytes);
        if (lingering_) first_bytes_.clear();
        space = {first_bytes_.data() + first_bytes_.size(),
                 first_bytes_.capacity() - first_bytes_.size()};
    }
    reading_ = true;
    auto on_done = [this](const error_code& error, std::size_t count) {
        reading_ = false;
        const bool cancelled =
            std::exchange(read_anew_, false) && error == asio::error::operation_aborted;
        try {
            if (error == asio::error::eof) return on_end();
            if (error && !cancelled) return close(closing_ ? ending_ : Ending::kByClient);
            if (!error) on_read(count);
            read_next();
        } catch (const std::bad_alloc&) {
            close(Ending::kNoMemory);  // Memory that no single request is to blame for.
        }
    };
    socket_.async_read_some(asio::buffer(space.data(), space.size()),
                            asio::bind_allocator(reactor_.operations().allocator(), on_done));
}

bool Connection::has_unread() const {
    return session_ != nullptr && !lingering_ && session_->has_unread();
}

void Connection::go_on_reading() {
    if (read_again_.scheduled) return;
    try {
        session_->on_read(0, Clock::now());
        read_next();
    } catch (const std::bad_alloc&) {
        close(Ending::kNoMemory);
    }
}

void Connection::read_next() {
    if (session_ == nullptr || (session_->idle() && !has_unread())) return read();
    if (std::exchange(read_again_.scheduled, true)) return;
    reactor_.at_turn_end(read_again_);
}

void Connection::on_read(std::size_t count) {
    if (lingering_) {
        lingered_bytes_ += count;
        if (lingered_bytes_ > limits_.max_body_bytes) close(ending_);
    }
    if (closed_ || lingering_) return;
    // Once a look at it was found to be needless, what comes makes it needed again.
    if (std::exchange(shrunk_, false)) reactor_.look_soon();
    const Clock::time_point now = Clock::now();
    if (session_ == nullptr) {
        sniff(count, now);
    } else {
        session_->on_read(count, now);
    }
}

void Connection::on_end() {
    if (closed_) return;
    read_ended_ = true;
    if (closing_ || session_ == nullptr) return close(closing_ ? ending_ : Ending::kByClient);
    if (session_->on_end()) {
        if (!closed_) probe();
    } else if (unsent_bytes() > 0) {
        close_when_sent();
    } else {
        close(Ending::kByClient);
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
        if (error || has_event(socket_.native_handle(), POLLHUP | POLLERR)) {
            close(Ending::kByClient);
        }
    });
}

void Connection::sniff(std::size_t count, Clock::time_point now) {
    if (first_bytes_.empty()) begun_ = now;
    first_bytes_.resize(first_bytes_.size() + count);
    const std::string_view start = first_bytes_.text().substr(0, kHttp2Mark.size());
    if (!start.starts_with(kHttp2Mark) && kHttp2Mark.starts_with(start)) return;
    // Taken out first: a session may end the connection while it is made, and the linger reads into
    // first_bytes_.
    memory::Buffer received = std::exchange(first_bytes_, pool_.take(0));
    if (start == kHttp2Mark) {
        session_ = make_http2_protocol(*this, received.bytes(), now);
    } else {
        session_ = make_http1_protocol(*this, std::move(received), now);
    }
    if (draining_) drain();
}

void Connection::resume_reading() { read(); }

void Connection::write(std::span<const std::byte> head, std::span<const std::byte> body) {
    const std::size_t taken = write_now(head, body);
    if (taken == head.size() + body.size()) return;
    const std::size_t of_head = std::min(taken, head.size());
    write_later([&] {
        unsent_.append(head.subspan(of_head));
        unsent_.append(body.subspan(taken - of_head));
    });
}

void Connection::write(std::span<const std::byte> head, memory::Buffer& body) {
    const std::size_t taken = write_now(head, body.bytes());
    if (taken == head.size() + body.size()) return;
    const std::size_t of_head = std::min(taken, head.size());
    write_later([&] {
        unsent_.append(head.subspan(of_head));
        unsent_.append(body, taken - of_head);
    });
}

// How many bytes need no further care.
std::size_t Connection::write_now(std::span<const std::byte> head,
                                  std::span<const std::byte> body) {
    const std::size_t all = head.size() + body.size();
    if (closed_ || lingering_) return all;
    if (!unsent_.empty()) return 0;
    const std::size_t of_body = std::min(body.size(), kLargestWrite);
    iovec pieces[2] = {{const_cast<std::byte*>(head.data()), head.size()},
                       {const_cast<std::byte*>(body.data()), of_body}};
    msghdr message{};
    message.msg_iov = pieces;
    message.msg_iovlen = body.empty() ? 1 : 2;
    const ssize_t sent = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) return static_cast<std::size_t>(sent);
    const bool full = errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    return full ? 0 : all;
}

template <class Append>
void Connection::write_later(const Append& append) {
    if (unsent_.empty()) {
        sending_.restart(Clock::now());
        shrunk_ = false;
        reactor_.look_soon();
    }
    try {
        append();
    } catch (const std::bad_alloc&) {
        // Half of an answer is none: the client hears of the end, and we by the next read.
        error_code ignored;
        socket_.shutdown(Socket::shutdown_both, ignored);
        return;
    }
    send_unsent();
}

void Connection::send_unsent() {
    if (writing_ || closed_) return;
    writing_ = true;
    socket_.async_wait(Socket::wait_write, [this](const error_code& error) {
        writing_ = false;
        if (error || closed_) return close(Ending::kByClient);
        std::span<const std::byte> next = unsent_.front();
        next = next.first(std::min(next.size(), kLargestWrite));
        const ssize_t sent =
            ::send(socket_.native_handle(), next.data(), next.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
            return close(Ending::kByClient);
        }
        if (sent > 0) {
            const auto taken = static_cast<std::size_t>(sent);
            unsent_.consume(taken);
            sending_.on_bytes(taken, Clock::now(), limits_.least_bytes(limits_.write_idle_timeout));
        }
        if (unsent_bytes() > 0) return send_unsent();
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
    if (read_ended_) return close(ending_);
    error_code ignored;
    socket_.shutdown(Socket::shutdown_send, ignored);
    begun_ = Clock::now();
    shrunk_ = false;
    reactor_.look_soon();
    read();
}

void Connection::close(Ending ending) {
    if (std::exchange(closed_, true)) return;
    table_.on_ended(ending);
    error_code ignored;
    socket_.close(ignored);
    // From here on it is not in anybody's way any more, though its exchanges may go on.
    seat_ = {};
    if (session_ != nullptr) session_->on_closed();
    reactor_.reap_soon();
}

template <class Step>
void Connection::end_by(Ending ending, const Step& step) {
    const bool was_closing = closing_;
    step();
    if (!was_closing && closing_) ending_ = ending;
}

Clock::time_point Connection::waits_since() const {
    if (session_ == nullptr || lingering_) return begun_;
    return unsent_.empty() ? session_->waits_since() : sending_.since();
}

Clock::time_point Connection::look_after(Clock::time_point now) {
    if (closed_) return kNoDeadline;
    if (unsent_bytes() > 0 && now >= sending_.since() + limits_.write_idle_timeout) {
        close(Ending::kTimeout);
    } else if (lingering_) {
        if (now >= begun_ + kLinger) close(ending_);
    } else if (session_ == nullptr) {
        return look_after_start(now);
    } else {
        return look_after_session(now);
    }
    return closed_ ? kNoDeadline : now;
}

Clock::time_point Connection::look_after_start(Clock::time_point now) {
    const bool silent = first_bytes_.empty();
    const Clock::time_point until = begun_ + (silent ? limits_.idle_timeout : limits_.head_timeout);
    if (now < until) return until;
    close(silent ? Ending::kIdle : Ending::kTimeout);
    return kNoDeadline;
}

Clock::time_point Connection::look_after_session(Clock::time_point now) {
    if (now >= session_->read_deadline()) {
        end_by(Ending::kTimeout, [this, now] { session_->on_timeout(now); });
    }
    if (reading_rests() && has_event(socket_.native_handle(), POLLRDHUP)) probe();
    // Where something is under way, its time is looked at with every look.
    if (closed_) return kNoDeadline;
    if (closing_ || unsent_bytes() > 0 || !session_->resting()) return now;
    const Clock::time_point until = session_->waits_since() + limits_.idle_timeout;
    if (now >= until) {
        end_by(Ending::kIdle, [this] { session_->end_resting(); });
        return closed_ ? kNoDeadline : now;
    }
    if (!shrunk_) {
        if (now < session_->waits_since() + kKeptFor) return now;
        shrink();
    }
    return until;
}

// Memory that is used again within kKeptFor stays, so that a client that is at work does not have
// it fetched anew for each request.
void Connection::shrink() {
    shrunk_ = true;
    if (!session_->shrink() || !reading_) return;
    read_anew_ = true;
    error_code ignored;
    socket_.cancel(ignored);
}

void Connection::end_now(Ending ending) {
    if (session_ != nullptr && !closing_) session_->end_resting();
    close(ending);
}

void Connection::drain() {
    draining_ = true;
    if (!closed_ && session_ != nullptr) end_by(Ending::kDrained, [this] { session_->on_drain(); });
}

void Connection::last_call() {
    if (closed_) return;
    if (session_ == nullptr) return close(Ending::kDrained);
    end_by(Ending::kDrained, [this] { session_->on_last_call(); });
}

void Connection::abandon() {
    if (!closed_ && session_ != nullptr) end_by(Ending::kDrained, [this] { session_->abandon(); });
}

}  // namespace lepton::net
