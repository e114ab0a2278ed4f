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

// An IPv4 address as such, also where an IPv6 socket tells it.
asio::ip::address plain(const asio::ip::address& address) {
    if (!address.is_v6() || !address.to_v6().is_v4_mapped()) return address;
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
}

asio::ip::tcp::endpoint tcp_endpoint(const Connection::Socket::endpoint_type& generic) {
    asio::ip::tcp::endpoint endpoint;
    std::memcpy(endpoint.data(), generic.data(), std::min(generic.size(), endpoint.capacity()));
    return {plain(endpoint.address()), endpoint.port()};
}

std::string to_text(const asio::ip::tcp::endpoint& endpoint) {
    const std::string address = endpoint.address().to_string();
    return (endpoint.address().is_v6() ? "[" + address + "]" : address) + ":" +
           std::to_string(endpoint.port());
}

// For a client of this machine, which no address that stands for all of them is one for.
std::string url_here(asio::ip::tcp::endpoint at) {
    if (at.address() == asio::ip::address_v4::any()) at.address(asio::ip::address_v4::loopback());
    if (at.address() == asio::ip::address_v6::any()) at.address(asio::ip::address_v6::loopback());
    return "http://" + to_text(at);
}

// The kernel noted it when the client connected.
std::string user_behind(int unix_socket) {
    ucred user{};
    socklen_t size = sizeof user;
    if (::getsockopt(unix_socket, SOL_SOCKET, SO_PEERCRED, &user, &size) != 0) return "uid:?";
    return "uid:" + std::to_string(user.uid);
}

struct Caller {
    Peer peer;
    PeerKey key;
};

Caller caller_behind(Connection::Socket& socket, Door door) {
    Caller caller;
    caller.peer.door = door;
    caller.key.admin = door == Door::kAdmin;
    boost::system::error_code error;
    const auto remote = socket.remote_endpoint(error);
    if (error || remote.protocol().family() == AF_UNIX) {
        const bool of_unix_socket = !error;  // Else a TCP client that has left already.
        caller.peer.unix_socket = of_unix_socket;
        caller.peer.on_this_machine = of_unix_socket;
        caller.peer.name = of_unix_socket ? user_behind(socket.native_handle()) : "gone";
        caller.key.local = true;
        return caller;
    }
    const asio::ip::tcp::endpoint from = tcp_endpoint(remote);
    caller.peer.on_this_machine = from.address().is_loopback();
    caller.peer.name = to_text(from);
    const auto local = socket.local_endpoint(error);
    if (!error) caller.peer.reached_at = tcp_endpoint(local).address().to_string();
    if (caller.key.admin) return caller;
    caller.key = from.address().is_v4() ? peer_of_ipv4(from.address().to_v4().to_bytes())
                                        : peer_of_ipv6(from.address().to_v6().to_bytes());
    return caller;
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

    // A Unix socket that is listened on, on the first reactor.
    struct LocalDoor {
        std::filesystem::path path;
        std::unique_ptr<UnixListener> listener;
        std::optional<FileIdentity> file = std::nullopt;  // What it made.
    };

    Result<> listen();
    Result<> listen_at(const std::filesystem::path& unix_socket, Door door);
    Result<> listen_for_admin(const AdminAddress& address);
    template <class Protocol>
    std::unique_ptr<Listener<Protocol>> make_listener(Reactor& reactor, Door door);
    void take(Connection::Socket socket, Reactor& acceptor, Door door);
    void adopt(Connection::Socket socket, Peer peer, ConnectionTable::Seat seat);
    void on_accept_failed(const boost::system::error_code& error, Reactor& acceptor);
    template <class Do>
    void on_each_reactor(const Do& step);
    void remove_socket_files();
    void wait_for_end(Clock::time_point until) const;

    const FrontendOptions options;
    Handler& handler;
    memory::BufferPool& pool;
    ConnectionTable table;  // Before the connections, which give their seats up.
    std::vector<std::unique_ptr<Reactor>> reactors;
    std::vector<std::unique_ptr<TcpListener>> tcp;  // One per reactor, same index.
    std::unique_ptr<TcpListener> admin;             // On the first reactor.
    std::string admin_url;
    std::vector<LocalDoor> local;
    std::atomic<bool> draining{false};
    std::atomic<bool> socket_files_removed{false};
    std::atomic<std::size_t> drained{0};  // Reactors that take no more connections.
    std::atomic<Clock::rep> warn_again_at{0};
    std::vector<std::thread> threads;
};

template <class Protocol>
std::unique_ptr<Listener<Protocol>> Frontend::Impl::make_listener(Reactor& reactor, Door door) {
    return std::make_unique<Listener<Protocol>>(
        reactor.context(),
        [this, &reactor, door](Connection::Socket socket) {
            take(std::move(socket), reactor, door);
        },
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
        LEPTON_RETURN_IF_ERROR(probe.open(endpoint, false));
        probe.stop();
    }
    for (const auto& reactor : reactors) {
        auto listener = make_listener<asio::ip::tcp>(*reactor, Door::kData);
        LEPTON_RETURN_IF_ERROR(listener->open(endpoint, shared));
        endpoint.port(listener->endpoint().port());  // Port 0 was resolved by the first.
        tcp.push_back(std::move(listener));
    }
    if (!options.unix_socket.empty()) {
        LEPTON_RETURN_IF_ERROR(listen_at(options.unix_socket, Door::kData));
    }
    return options.admin ? listen_for_admin(*options.admin) : Result<>();
}

Result<> Frontend::Impl::listen_at(const std::filesystem::path& unix_socket, Door door) {
    LEPTON_RETURN_IF_ERROR(free_unix_path(unix_socket));
    LocalDoor opened{unix_socket,
                     make_listener<asio::local::stream_protocol>(*reactors.front(), door)};
    LEPTON_RETURN_IF_ERROR(opened.listener->open(unix_socket.string(), false));
    opened.file = identity_of(unix_socket);
    local.push_back(std::move(opened));
    return {};
}

Result<> Frontend::Impl::listen_for_admin(const AdminAddress& address) {
    if (!address.unix_socket.empty()) {
        admin_url = "unix:" + address.unix_socket.string();
        return listen_at(address.unix_socket, Door::kAdmin);
    }
    LEPTON_TRY(auto endpoint, resolve(address.host, address.port));
    const auto open = [&] {
        admin = make_listener<asio::ip::tcp>(*reactors.front(), Door::kAdmin);
        return admin->open(endpoint, false);
    };
    Result<> opened = open();
    if (!opened && address.or_any_port) {
        endpoint.port(0);
        opened = open();
    }
    if (opened) admin_url = url_here(admin->endpoint());
    return opened;
}

// The kernel spreads connections by a hash, which leaves reactors idle when there are few; so each
// goes to the reactor that has the fewest.
void Frontend::Impl::take(Connection::Socket socket, Reactor& acceptor, Door door) {
    const auto accepted_by = static_cast<std::size_t>(acceptor.index());
    Caller caller = caller_behind(socket, door);
    ConnectionTable::Seat seat = table.take(caller.key, accepted_by);
    if (seat.reactor() == accepted_by) {
        return adopt(std::move(socket), std::move(caller.peer), std::move(seat));
    }
    // A socket belongs to the context that made it, so only the descriptor moves.
    const auto protocol = socket.local_endpoint().protocol();
    const int descriptor = socket.release();
    Reactor& reactor = *reactors[seat.reactor()];
    asio::post(reactor.context(),
               [this,
                &reactor,
                protocol,
                descriptor,
                peer = std::move(caller.peer),
                seat = std::move(seat)]() mutable {
                   adopt(
                       {reactor.context(), protocol, descriptor}, std::move(peer), std::move(seat));
               });
}

// On the seat's reactor.
void Frontend::Impl::adopt(Connection::Socket socket, Peer peer, ConnectionTable::Seat seat) {
    using Room = ConnectionTable::Seat::Room;
    Reactor& reactor = *reactors[seat.reactor()];
    if (seat.room() != Room::kFree &&
        !reactor.make_room(seat.room() == Room::kOfPeer ? seat.peer() : nullptr)) {
        table.on_ended(Ending::kRefused);
        return;  // Closed by the socket's destructor.
    }
    auto connection = std::make_unique<Connection>(std::move(socket),
                                                   std::move(peer),
                                                   table,
                                                   std::move(seat),
                                                   reactor,
                                                   pool,
                                                   handler,
                                                   options.limits);
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

void Frontend::Impl::remove_socket_files() {
    if (socket_files_removed.exchange(true)) return;
    for (const LocalDoor& door : local) {
        // Another server may have its own there by now.
        if (!door.file || identity_of(door.path) != door.file) continue;
        std::error_code ignored;
        std::filesystem::remove(door.path, ignored);
    }
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
    if (const Result<> listening = impl->listen(); !listening) {
        impl->remove_socket_files();
        return tl::unexpected(listening.error());
    }
    return std::unique_ptr<Frontend>(new Frontend(std::move(impl)));
}

Frontend::Frontend(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Frontend::~Frontend() { stop(); }

void Frontend::start() {
    for (std::size_t i = 0; i < impl_->reactors.size(); ++i) {
        impl_->tcp[i]->start();
        if (i == 0 && impl_->admin != nullptr) impl_->admin->start();
        if (i == 0) {
            for (const auto& door : impl_->local) door.listener->start();
        }
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
        if (index == 0) {
            if (impl->admin != nullptr) impl->admin->stop();
            for (const auto& door : impl->local) door.listener->stop();
            impl->remove_socket_files();
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
    impl_->remove_socket_files();
}

std::uint16_t Frontend::port() const { return impl_->tcp.front()->endpoint().port(); }

const std::string& Frontend::admin_url() const { return impl_->admin_url; }

bool Frontend::is_open_to_network() const {
    return !impl_->tcp.front()->endpoint().address().is_loopback();
}

bool Frontend::is_admin_open_to_network() const {
    return impl_->admin != nullptr && !impl_->admin->endpoint().address().is_loopback();
}

const ConnectionTable& Frontend::connections() const { return impl_->table; }

}  // namespace lepton::net
