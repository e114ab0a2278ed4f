#include "echo_server.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <system_error>
#include <vector>

namespace lepton::bench {
namespace {

class Echo {
public:
    Echo(Socket socket, const EchoOptions& options)
        : socket_(std::move(socket)),
          request_(options.request_bytes),
          answer_(options.answer_bytes) {}

    [[nodiscard]] const Socket& socket() const { return socket_; }

    // Reads what is there, and answers if that completes a request. Returns false once the client
    // has closed.
    bool turn(int flags) {
        const ssize_t count = ::recv(socket_.fd(), request_.data(), request_.size() - got_, flags);
        if (count == 0) return false;
        if (count < 0) return errno == EAGAIN || errno == EINTR;
        got_ += static_cast<std::size_t>(count);
        if (got_ < request_.size()) return true;
        got_ = 0;
        for (std::span<const std::byte> rest(answer_); !rest.empty();) {
            rest = rest.subspan(socket_.send(rest));
        }
        return true;
    }

private:
    Socket socket_;
    std::vector<std::byte> request_;
    std::vector<std::byte> answer_;
    std::size_t got_ = 0;
};

void run_epoll(std::vector<std::unique_ptr<Echo>>& echoes, bool spin) {
    const Socket epoll(::epoll_create1(EPOLL_CLOEXEC));
    for (const auto& echo : echoes) {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.ptr = echo.get();
        if (::epoll_ctl(epoll.fd(), EPOLL_CTL_ADD, echo->socket().fd(), &event) != 0) {
            throw std::system_error(errno, std::generic_category(), "epoll_ctl");
        }
    }
    std::array<epoll_event, 256> events;
    for (std::size_t open = echoes.size(); open > 0;) {
        const int count =
            ::epoll_wait(epoll.fd(), events.data(), static_cast<int>(events.size()), spin ? 0 : -1);
        for (int i = 0; i < count; ++i) {
            auto& echo = *static_cast<Echo*>(events[static_cast<std::size_t>(i)].data.ptr);
            if (echo.turn(MSG_DONTWAIT)) continue;
            ::epoll_ctl(epoll.fd(), EPOLL_CTL_DEL, echo.socket().fd(), nullptr);
            --open;
        }
    }
}

}  // namespace

void run_echo_server(const Socket& listener, const EchoOptions& options) {
    std::vector<std::unique_ptr<Echo>> echoes;
    for (int i = 0; i < options.connections; ++i) {
        echoes.push_back(std::make_unique<Echo>(accept_from(listener), options));
    }
    if (echoes.size() > 1) return run_epoll(echoes, options.spin);
    while (echoes.front()->turn(options.spin ? MSG_DONTWAIT : 0)) {
    }
}

}  // namespace lepton::bench
