#include "lepton/net/frontend.h"

#include <pthread.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>

#include "lepton/net/connection.h"
#include "lepton/net/listener.h"
#include "lepton/net/prompt_thread.h"
#include "lepton/net/reactor.h"
#include "lepton/net/unix_path.h"
#include "lepton/observe/log.h"

namespace lepton::net {
namespace {

namespace asio = boost::asio;

constexpr auto kDrainPoll = std::chrono::milliseconds(5);
// Of a drain: so long clients may use the connections that they have, and so long before its end
// they are told that no answer will come.
constexpr Clock::duration kDrainGrace = std::chrono::milliseconds(500);
constexpr Clock::duration kLastWords = std::chrono::milliseconds(250);
constexpr Clock::duration kWarnEvery = std::chrono::seconds(10);

// Times are kept to a quarter of the shortest; looking more often than each second is for tests.
Clock::duration look_every(const Limits& limits) {
    const auto shortest = std::min({limits.head_timeout,
                                    limits.body_idle_timeout,
                                    limits.request_timeout,
                                    limits.write_idle_timeout,
                                    limits.idle_timeout});
    return std::clamp<Clock::duration>(
        shortest / 4, std::chrono::milliseconds(10), std::chrono::seconds(1));
}

PeerKey peer_of(const Connection::Socket& socket) {
    boost::system::error_code error;
    const auto remote = socket.remote_endpoint(error);
    if (error || remote.protocol().family() == AF_UNIX) return {.local = true};
    asio::ip::tcp::endpoint endpoint;
    std::memcpy(endpoint.data(), remote.data(), std::min(remote.size(), endpoint.capacity()));
    const asio::ip::address address = endpoint.address();
    return address.is_v4() ? peer_of_ipv4(address.to_v4().to_bytes())
                           : peer_of_ipv6(address.to_v6().to_bytes());
}

Result<asio::ip::tcp::endpoint> resolve(const std::string& host, std::uint16_t port) {
    boost::system::error_code error;
    const auto address = asio::ip::make_address(host == "localhost" ? "127.0.0.1" : host, error);
    if (error) {
        return fail(ErrorCode::kInvalidArgument,
                    "host \"" + host + "\" is not an IP address; use 0.0.0.0 for every interface");
    }
    return asio::ip::tcp::endpoint(address, port);
}

}  // namespace

struct Frontend::Impl {
    Impl(const FrontendOptions& chosen, Handler& handles, memory::BufferPool& buffers)
        : options(chosen),
          handler(handles),
          pool(buffers),
          table({.all = options.limits.max_connections,
                 .per_peer = options.limits.max_connections_per_peer},
                static_cast<std::size_t>(std::max(1, options.reactors))) {
        for (int i = 0; i < std::max(1, options.reactors); ++i) {
            reactors.push_back(
                std::make_unique<Reactor>(i, options.busy_poll, look_every(options.limits)));
        }
    }

    Result<> listen();
    template <class Protocol>
    std::unique_ptr<Listener<Protocol>> make_listener(Reactor& reactor);
    void take(Connection::Socket socket, Reactor& acceptor);
    void adopt(Connection::Socket socket, ConnectionTable::Seat seat);
    void on_accept_failed(const boost::system::error_code& error, Reactor& acceptor);
    template <class Do>
    void on_each_reactor(const Do& step);
    void remove_socket_file();
    void wait_for_end(Clock::time_point until) const;

    const FrontendOptions options;
    Handler& handler;
    memory::BufferPool& pool;
    ConnectionTable table;  // Before the connections, which give their seats up.
    std::vector<std::unique_ptr<Reactor>> reactors;
    std::vector<std::unique_ptr<TcpListener>> tcp;  // One per reactor, same index.
    std::unique_ptr<UnixListener> local;            // On the first reactor.
    std::optional<FileIdentity> local_file;         // What `local` listens on.
    std::atomic<bool> draining{false};
    std::atomic<bool> socket_file_removed{false};
    std::atomic<std::size_t> drained{0};  // Reactors that take no more connections.
    std::atomic<Clock::rep> warn_again_at{0};
    std::vector<std::thread> threads;
};

template <class Protocol>
std::unique_ptr<Listener<Protocol>> Frontend::Impl::make_listener(Reactor& reactor) {
    return std::make_unique<Listener<Protocol>>(
        reactor.context(),
        [this, &reactor](Connection::Socket socket) { take(std::move(socket), reactor); },
        [this, &reactor](const boost::system::error_code& error) {
            on_accept_failed(error, reactor);
        });
}

Result<> Frontend::Impl::listen() {
    LEPTON_TRY(auto endpoint, resolve(options.host, options.port));
    const bool shared = reactors.size() > 1;
    if (shared) {
        // A port may be shared with any process of the same user: a second server on it would start
        // without a word and take half of the connections. A plain bind finds out.
        TcpListener probe(reactors.front()->context(), [](const auto&) {}, [](const auto&) {});
        LEPTON_CHECK_OK(probe.open(endpoint, false));
        probe.stop();
    }
    for (const auto& reactor : reactors) {
        auto listener = make_listener<asio::ip::tcp>(*reactor);
        LEPTON_CHECK_OK(listener->open(endpoint, shared));
        endpoint.port(listener->endpoint().port());  // Port 0 was resolved by the first.
        tcp.push_back(std::move(listener));
    }
    if (options.unix_socket.empty()) return {};
    LEPTON_CHECK_OK(free_unix_path(options.unix_socket));
    local = make_listener<asio::local::stream_protocol>(*reactors.front());
    LEPTON_CHECK_OK(local->open(options.unix_socket.string(), false));
    local_file = identity_of(options.unix_socket);
    return {};
}

// The kernel spreads connections by a hash, which leaves reactors idle when there are few; so each
// goes to the reactor that has the fewest.
void Frontend::Impl::take(Connection::Socket socket, Reactor& acceptor) {
    const auto accepted_by = static_cast<std::size_t>(acceptor.index());
    ConnectionTable::Seat seat = table.take(peer_of(socket), accepted_by);
    if (seat.reactor() == accepted_by) return adopt(std::move(socket), std::move(seat));
    // A socket belongs to the context that made it, so only the descriptor moves.
    const auto protocol = socket.local_endpoint().protocol();
    const int descriptor = socket.release();
    Reactor& reactor = *reactors[seat.reactor()];
    asio::post(reactor.context(),
               [this, &reactor, protocol, descriptor, seat = std::move(seat)]() mutable {
                   adopt({reactor.context(), protocol, descriptor}, std::move(seat));
               });
}

// On the seat's reactor.
void Frontend::Impl::adopt(Connection::Socket socket, ConnectionTable::Seat seat) {
    using Room = ConnectionTable::Seat::Room;
    Reactor& reactor = *reactors[seat.reactor()];
    if (seat.room() != Room::kFree &&
        !reactor.make_room(seat.room() == Room::kOfPeer ? seat.peer() : nullptr)) {
        table.on_ended(Ending::kRefused);
        return;  // Closed by the socket's destructor.
    }
    auto connection = std::make_unique<Connection>(
        std::move(socket), table, std::move(seat), reactor, pool, handler, options.limits);
    if (draining) connection->drain();
    reactor.adopt(std::move(connection));
}

// Most likely there are no descriptors left, though there should be enough for max_connections.
void Frontend::Impl::on_accept_failed(const boost::system::error_code& error, Reactor& acceptor) {
    table.on_accept_failed();
    acceptor.make_room(nullptr);
    const Clock::rep now = Clock::now().time_since_epoch().count();
    Clock::rep due = warn_again_at.load(std::memory_order_relaxed);
    if (now < due || !warn_again_at.compare_exchange_strong(due, now + kWarnEvery.count())) return;
    spdlog::warn("accept_failed reason={} connections={} failures={}",
                 observe::quoted(error.message()),
                 table.size(),
                 table.accept_failures());
}

template <class Do>
void Frontend::Impl::on_each_reactor(const Do& step) {
    for (const auto& reactor : reactors) {
        asio::post(reactor->context(), [&reactor, step] { step(*reactor); });
    }
}

void Frontend::Impl::remove_socket_file() {
    // Another server may have its own there by now.
    if (!local_file || socket_file_removed.exchange(true)) return;
    if (identity_of(options.unix_socket) != local_file) return;
    std::error_code ignored;
    std::filesystem::remove(options.unix_socket, ignored);
}

void Frontend::Impl::wait_for_end(Clock::time_point until) const {
    while ((drained < reactors.size() || table.size() > 0) && Clock::now() < until) {
        std::this_thread::sleep_for(kDrainPoll);
    }
}

Result<std::unique_ptr<Frontend>> Frontend::open(const FrontendOptions& options,
                                                 Handler& handler,
                                                 memory::BufferPool& pool) {
    auto impl = std::make_unique<Impl>(options, handler, pool);
    LEPTON_CHECK_OK(impl->listen());
    return std::unique_ptr<Frontend>(new Frontend(std::move(impl)));
}

Frontend::Frontend(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Frontend::~Frontend() { stop(); }

void Frontend::start() {
    for (std::size_t i = 0; i < impl_->reactors.size(); ++i) {
        impl_->tcp[i]->start();
        if (i == 0 && impl_->local != nullptr) impl_->local->start();
        // A thread that spins would crowd out what shares its core.
        const bool sleeps = impl_->options.busy_poll == Clock::duration::zero();
        impl_->threads.emplace_back([reactor = impl_->reactors[i].get(), sleeps] {
            if (sleeps) run_promptly();
            reactor->run();
        });
        ::pthread_setname_np(impl_->threads.back().native_handle(),
                             ("reactor-" + std::to_string(i)).c_str());
    }
}

void Frontend::drain(Clock::time_point deadline) {
    const Clock::duration time = deadline - Clock::now();
    impl_->draining = true;
    impl_->on_each_reactor([impl = impl_.get()](Reactor& reactor) {
        const auto index = static_cast<std::size_t>(reactor.index());
        reactor.for_each_connection([](Connection& connection) { connection.drain(); });
        impl->tcp[index]->stop();
        if (index == 0 && impl->local != nullptr) {
            impl->local->stop();
            impl->remove_socket_file();
        }
        ++impl->drained;
    });
    impl_->wait_for_end(Clock::now() + std::min(kDrainGrace, time / 2));
    impl_->on_each_reactor([](Reactor& reactor) {
        reactor.for_each_connection([](Connection& connection) { connection.last_call(); });
    });
    impl_->wait_for_end(deadline - std::min(kLastWords, time / 4));
    impl_->on_each_reactor([](Reactor& reactor) {
        reactor.for_each_connection([](Connection& connection) { connection.abandon(); });
    });
    impl_->wait_for_end(deadline);
}

void Frontend::stop() {
    for (const auto& reactor : impl_->reactors) reactor->stop();
    for (std::thread& thread : impl_->threads) thread.join();
    impl_->threads.clear();
    impl_->remove_socket_file();
}

std::uint16_t Frontend::port() const { return impl_->tcp.front()->endpoint().port(); }

const ConnectionTable& Frontend::connections() const { return impl_->table; }

}  // namespace lepton::net
