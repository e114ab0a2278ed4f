#include "closed_loop.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <system_error>

#include <nlohmann/json.hpp>

#include "window.h"

namespace lepton::bench {
namespace {

using Clock = Window::Clock;

struct Connection {
    Socket socket;
    std::unique_ptr<Dialogue> dialogue;
    Clock::time_point asked;
    bool awaits_space = false;  // Epoll also watches for room to send.
};

Connection open(const Endpoint& endpoint, const MakeDialogue& make_dialogue) {
    return {.socket = connect_to(endpoint), .dialogue = make_dialogue(), .asked = {}};
}

// Returns false when the socket takes no more for now.
bool send_unsent(Connection& connection, Window& window, int flags) {
    while (true) {
        const std::span<const std::byte> bytes = connection.dialogue->unsent();
        if (bytes.empty()) return true;
        const std::size_t count = connection.socket.send(bytes, flags);
        connection.dialogue->sent(count);
        window.on_sent(count);
        if (count == 0 && flags != 0) return false;
    }
}

Heard receive_some(Connection& connection, Window& window, int flags) {
    const std::span<std::byte> space = connection.dialogue->space();
    const std::size_t count = connection.socket.receive(space, flags);
    if (count == 0) return Heard::kPart;
    window.on_received(count);
    return connection.dialogue->hear(count);
}

void run_blocking(Connection& connection, Window& window) {
    while (true) {
        connection.dialogue->ask();
        const Clock::time_point asked = Clock::now();
        Heard heard = Heard::kPart;
        while (heard == Heard::kPart) {
            send_unsent(connection, window, 0);
            heard = receive_some(connection, window, 0);
        }
        if (!window.on_answer(asked, Clock::now(), heard == Heard::kRefused)) return;
    }
}

// All connections of a run, watched by one epoll descriptor.
class Crowd {
public:
    Crowd(std::vector<Connection>& connections, Window& window)
        : connections_(connections), window_(window), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
        for (Connection& connection : connections_) watch(connection, EPOLL_CTL_ADD);
    }

    void run() {
        for (Connection& connection : connections_) ask(connection);
        std::array<epoll_event, 256> events;
        while (true) {
            const int count =
                ::epoll_wait(epoll_.fd(), events.data(), static_cast<int>(events.size()), -1);
            if (count < 0 && errno != EINTR) {
                throw std::system_error(errno, std::generic_category(), "epoll_wait");
            }
            for (int i = 0; i < count; ++i) {
                const epoll_event& event = events[static_cast<std::size_t>(i)];
                if (!on_event(*static_cast<Connection*>(event.data.ptr), event.events)) return;
            }
        }
    }

private:
    // Returns false after the last answer that counts.
    bool on_event(Connection& connection, std::uint32_t events) {
        if ((events & EPOLLOUT) != 0) send(connection);
        if ((events & ~EPOLLOUT) == 0) return true;
        const Heard heard = receive_some(connection, window_, MSG_DONTWAIT);
        if (heard == Heard::kPart) {
            send(connection);
            return true;
        }
        if (!window_.on_answer(connection.asked, Clock::now(), heard == Heard::kRefused)) {
            return false;
        }
        ask(connection);
        return true;
    }

    void ask(Connection& connection) {
        connection.dialogue->ask();
        connection.asked = Clock::now();
        send(connection);
    }

    void send(Connection& connection) {
        const bool awaits_space = !send_unsent(connection, window_, MSG_DONTWAIT);
        if (awaits_space == connection.awaits_space) return;
        connection.awaits_space = awaits_space;
        watch(connection, EPOLL_CTL_MOD);
    }

    void watch(Connection& connection, int operation) const {
        epoll_event event{};
        event.events = connection.awaits_space ? EPOLLIN | EPOLLOUT : EPOLLIN;
        event.data.ptr = &connection;
        if (::epoll_ctl(epoll_.fd(), operation, connection.socket.fd(), &event) != 0) {
            throw std::system_error(errno, std::generic_category(), "epoll_ctl");
        }
    }

    std::vector<Connection>& connections_;
    Window& window_;
    Socket epoll_;
};

double microseconds(std::chrono::nanoseconds time) {
    return static_cast<double>(time.count()) / 1e3;
}

}  // namespace

LoadFigures run_closed_loop(const Endpoint& endpoint,
                            const MakeDialogue& make_dialogue,
                            const LoadOptions& options) {
    std::vector<Connection> connections;
    for (int i = 0; i < options.connections; ++i) {
        connections.push_back(open(endpoint, make_dialogue));
    }
    Window window(options);
    if (connections.size() == 1) {
        run_blocking(connections.front(), window);
    } else {
        Crowd(connections, window).run();
    }
    return window.take();
}

std::string to_json(const LoadFigures& figures,
                    const std::string& what,
                    const Endpoint& endpoint,
                    const LoadOptions& options) {
    const auto quantile_us = [&](double fraction) {
        return static_cast<double>(figures.latency.quantile(fraction)) / 1e3;
    };
    const auto requests = static_cast<double>(figures.requests);
    const double seconds = microseconds(figures.elapsed) / 1e6;
    nlohmann::ordered_json json{
        {"what", what},
        {"endpoint", endpoint.to_string()},
        {"connections", options.connections},
        {"requests", figures.requests},
        {"refused", figures.refused},
        {"seconds", seconds},
        {"rate", requests / seconds},
        {"latency_us",
         {{"p50", quantile_us(0.5)},
          {"p90", quantile_us(0.9)},
          {"p99", quantile_us(0.99)},
          {"p99.9", quantile_us(0.999)},
          {"max", static_cast<double>(figures.latency.max()) / 1e3}}},
        {"request_bytes", static_cast<double>(figures.bytes_sent) / requests},
        {"answer_bytes", static_cast<double>(figures.bytes_received) / requests},
        {"client_cpu_us_per_request", microseconds(figures.client_cpu) / requests},
        {"client_cpu_share", microseconds(figures.client_cpu) / microseconds(figures.elapsed)}};
    if (options.server_pid != 0) {
        json["server_cpu_us_per_request"] = microseconds(figures.server_cpu) / requests;
        json["server_cpu_share"] = microseconds(figures.server_cpu) / microseconds(figures.elapsed);
    }
    if (!options.allocations_file.empty()) {
        json["server_allocations_per_request"] =
            static_cast<double>(figures.server_allocations) / requests;
    }
    return json.dump();
}

}  // namespace lepton::bench
