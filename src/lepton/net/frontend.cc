#include "lepton/net/frontend.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
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

namespace lepton::net {
namespace {

namespace asio = boost::asio;

constexpr auto kDrainPoll = std::chrono::milliseconds(5);

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
        : options(chosen), handler(handles), pool(buffers) {
        for (int i = 0; i < std::max(1, options.reactors); ++i) {
            reactors.push_back(std::make_unique<Reactor>(i, options.busy_poll));
        }
    }

    Result<> listen();
    void take(Connection::Socket socket, Reactor& acceptor);

    const FrontendOptions options;
    Handler& handler;
    memory::BufferPool& pool;
    std::vector<std::unique_ptr<Reactor>> reactors;
    std::vector<std::unique_ptr<TcpListener>> tcp;  // One per reactor, same index.
    std::unique_ptr<UnixListener> local;            // On the first reactor.
    std::optional<FileIdentity> local_file;         // What `local` listens on.
    std::atomic<std::size_t> drained{0};            // Reactors that take no more connections.
    std::vector<std::thread> threads;
};

Result<> Frontend::Impl::listen() {
    LEPTON_TRY(auto endpoint, resolve(options.host, options.port));
    const bool shared = reactors.size() > 1;
    if (shared) {
        // A port may be shared with any process of the same user: a second server on it would start
        // without a word and take half of the connections. A plain bind finds out.
        TcpListener probe(reactors.front()->context(), nullptr);
        LEPTON_CHECK_OK(probe.open(endpoint, false));
        probe.stop();
    }
    for (const auto& reactor : reactors) {
        auto listener = std::make_unique<TcpListener>(
            reactor->context(),
            [this, &reactor](Connection::Socket socket) { take(std::move(socket), *reactor); });
        LEPTON_CHECK_OK(listener->open(endpoint, shared));
        endpoint.port(listener->endpoint().port());  // Port 0 was resolved by the first.
        tcp.push_back(std::move(listener));
    }
    if (options.unix_socket.empty()) return {};
    LEPTON_CHECK_OK(free_unix_path(options.unix_socket));
    Reactor& first = *reactors.front();
    local = std::make_unique<UnixListener>(
        first.context(),
        [this, &first](Connection::Socket socket) { take(std::move(socket), first); });
    LEPTON_CHECK_OK(local->open(options.unix_socket.string(), false));
    local_file = identity_of(options.unix_socket);
    return {};
}

// The kernel spreads connections by a hash, which leaves reactors idle when there are few; so each
// goes to the reactor that has the fewest.
void Frontend::Impl::take(Connection::Socket socket, Reactor& acceptor) {
    std::size_t total = 0;
    Reactor* least = &acceptor;
    for (const auto& reactor : reactors) {
        const std::size_t count = reactor->connection_count().load(std::memory_order_relaxed);
        total += count;
        if (count < least->connection_count().load(std::memory_order_relaxed))
            least = reactor.get();
    }
    if (total >= options.limits.max_connections) return;  // Closed at once, by its destructor.
    least->connection_count().fetch_add(1, std::memory_order_relaxed);
    if (least == &acceptor) {
        acceptor.adopt(std::make_unique<Connection>(
            std::move(socket), acceptor, pool, handler, options.limits));
        return;
    }
    // A socket belongs to the context that made it, so only the descriptor moves.
    const auto protocol = socket.local_endpoint().protocol();
    const int descriptor = socket.release();
    asio::post(least->context(), [this, least, protocol, descriptor] {
        Connection::Socket moved(least->context(), protocol, descriptor);
        least->adopt(
            std::make_unique<Connection>(std::move(moved), *least, pool, handler, options.limits));
    });
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
    for (std::size_t i = 0; i < impl_->reactors.size(); ++i) {
        asio::post(impl_->reactors[i]->context(), [this, i] {
            impl_->tcp[i]->stop();
            if (i == 0 && impl_->local != nullptr) impl_->local->stop();
            impl_->reactors[i]->drain_connections();
            ++impl_->drained;
        });
    }
    while ((impl_->drained < impl_->reactors.size() || connections() > 0) &&
           Clock::now() < deadline) {
        std::this_thread::sleep_for(kDrainPoll);
    }
}

void Frontend::stop() {
    for (const auto& reactor : impl_->reactors) reactor->stop();
    for (std::thread& thread : impl_->threads) thread.join();
    impl_->threads.clear();
    // Another server may have its own there by now.
    if (impl_->local_file && identity_of(impl_->options.unix_socket) == impl_->local_file) {
        std::error_code ignored;
        std::filesystem::remove(impl_->options.unix_socket, ignored);
    }
}

std::uint16_t Frontend::port() const { return impl_->tcp.front()->endpoint().port(); }

std::size_t Frontend::connections() const {
    std::size_t total = 0;
    for (const auto& reactor : impl_->reactors) {
        total += reactor->connection_count().load(std::memory_order_relaxed);
    }
    return total;
}

}  // namespace lepton::net
