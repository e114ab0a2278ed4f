#include "lepton/net/frontend.h"

#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include "fakes/told_state.h"
#include "support/eventually.h"

namespace lepton::net {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using lepton::testing::eventually;

// Answers with its loop's number; counts clients that went away while `hold` kept them waiting.
class LoopHandler final : public Handler {
public:
    void handle(Exchange& exchange) noexcept override {
        {
            const std::lock_guard lock(mutex);
            loops.insert(exchange.loop->index());
            clients.insert(exchange.peer->number);
        }
        if (hold) {
            exchange.state<fakes::ToldState>().gone = [](Exchange& gone) {
                LoopHandler::gone_clients += gone.client_gone ? 1 : 0;
                gone.send();
            };
            ++held;
            return;
        }
        exchange.reply.body.append("loop " + std::to_string(exchange.loop->index()));
        exchange.send();
    }

    static inline std::atomic<int> gone_clients = 0;
    std::atomic<bool> hold = false;
    std::atomic<int> held = 0;
    std::mutex mutex;
    std::set<int> loops;
    std::set<std::uint64_t> clients;
};

// Answers with more than the kernel buffers.
class BigHandler final : public Handler {
public:
    void handle(Exchange& exchange) noexcept override {
        exchange.reply.body.resize(std::size_t{8} << 20);
        exchange.send();
    }
};

// Answers with who asks.
class PeerHandler final : public Handler {
public:
    void handle(Exchange& exchange) noexcept override {
        const Peer& peer = *exchange.peer;
        exchange.reply.body.append(peer.door == Door::kAdmin ? "admin " : "data ");
        exchange.reply.body.append(peer.on_this_machine ? "here " : "elsewhere ");
        exchange.reply.body.append(peer.name + " at " + peer.reached_at + " loop ");
        exchange.send();
    }
};

class FrontendTest : public ::testing::Test {
protected:
    void start(FrontendOptions options) {
        options.host = "127.0.0.1";
        options.port = 0;
        auto opened = Frontend::open(options, handler_, pool_);
        ASSERT_TRUE(opened) << opened.error().message;
        frontend_ = std::move(*opened);
        frontend_->start();
    }
    asio::ip::tcp::socket connect() {
        asio::ip::tcp::socket socket(context_);
        socket.connect({asio::ip::make_address("127.0.0.1"), frontend_->port()});
        return socket;
    }
    template <class Socket>
    static std::string ask(Socket& socket) {
        asio::write(socket, asio::buffer(std::string_view("GET / HTTP/1.1\r\nHost: h\r\n\r\n")));
        std::string answer;
        char chunk[512];
        while (answer.find("loop ") == std::string::npos) {
            boost::system::error_code error;
            const std::size_t count = socket.read_some(asio::buffer(chunk), error);
            if (error) return "closed";
            answer.append(chunk, count);
        }
        return answer;
    }

    LoopHandler handler_;
    memory::BufferPool pool_;
    asio::io_context context_;
    std::unique_ptr<Frontend> frontend_;
};

TEST_F(FrontendTest, FewConnectionsAreSpreadOverAllReactors) {
    start({.reactors = 3});
    std::vector<asio::ip::tcp::socket> clients;
    for (int i = 0; i < 6; ++i) {
        clients.push_back(connect());
        EXPECT_NE(ask(clients.back()).find("200 OK"), std::string::npos);
    }
    EXPECT_EQ(handler_.loops.size(), 3U);
    EXPECT_EQ(handler_.clients.size(), 6U);
    EXPECT_EQ(handler_.clients.count(0), 0U);
    EXPECT_EQ(frontend_->connections().size(), 6U);
}

TEST_F(FrontendTest, AnswersOnAUnixSocketToo) {
    const auto path = std::filesystem::temp_directory_path() /
                      ("lepton_frontend_test_" + std::to_string(::getpid()));
    start({.unix_socket = path, .reactors = 2});
    asio::local::stream_protocol::socket client(context_);
    client.connect(path.string());
    EXPECT_NE(ask(client).find("200 OK"), std::string::npos);
    frontend_->stop();
    EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(FrontendTest, PortInUseIsAnErrorThatNamesIt) {
    for (const int reactors : {1, 2}) {
        start({.reactors = reactors});
        const auto second =
            Frontend::open({.host = "127.0.0.1", .port = frontend_->port(), .reactors = reactors},
                           handler_,
                           pool_);
        ASSERT_FALSE(second);
        EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
        EXPECT_NE(second.error().message.find(std::to_string(frontend_->port())),
                  std::string::npos);
        EXPECT_NE(second.error().message.find("in use"), std::string::npos);
    }
}

TEST_F(FrontendTest, AnAdminListenerTellsItsClientsApart) {
    const auto path = std::filesystem::temp_directory_path() /
                      ("lepton_frontend_test_admin_" + std::to_string(::getpid()));
    PeerHandler peers;
    for (const bool on_unix_socket : {false, true}) {
        AdminAddress address{.port = 0};
        if (on_unix_socket) address.unix_socket = path;
        auto opened = Frontend::open({.port = 0, .admin = address, .reactors = 2}, peers, pool_);
        ASSERT_TRUE(opened) << opened.error().message;
        frontend_ = std::move(*opened);
        frontend_->start();
        auto data = connect();
        EXPECT_NE(ask(data).find("data here 127.0.0.1:"), std::string::npos);
        EXPECT_FALSE(frontend_->is_open_to_network());
        EXPECT_FALSE(frontend_->is_admin_open_to_network());
        if (on_unix_socket) {
            EXPECT_EQ(frontend_->admin_url(), "unix:" + path.string());
            asio::local::stream_protocol::socket admin(context_);
            admin.connect(path.string());
            const std::string uid = "uid:" + std::to_string(::getuid());
            EXPECT_NE(ask(admin).find("admin here " + uid + " at  loop"), std::string::npos);
            frontend_->stop();
            EXPECT_FALSE(std::filesystem::exists(path));
            continue;
        }
        const std::string url = frontend_->admin_url();
        ASSERT_TRUE(url.starts_with("http://127.0.0.1:")) << url;
        asio::ip::tcp::socket admin(context_);
        const auto port = static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
        EXPECT_NE(port, frontend_->port());
        admin.connect({asio::ip::make_address("127.0.0.1"), port});
        EXPECT_NE(ask(admin).find(" at 127.0.0.1 loop"), std::string::npos);
    }
}

TEST_F(FrontendTest, AnAdminPortThatIsTakenIsReplacedUnlessItWasChosen) {
    start({});
    AdminAddress taken{.port = frontend_->port()};
    const FrontendOptions options{.port = 0, .admin = taken};
    const auto elsewhere = Frontend::open(options, handler_, pool_);
    ASSERT_TRUE(elsewhere) << elsewhere.error().message;
    EXPECT_NE((*elsewhere)->admin_url(), "http://127.0.0.1:" + std::to_string(taken.port));
    taken.or_any_port = false;
    const auto refused = Frontend::open({.port = 0, .admin = taken}, handler_, pool_);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("in use"), std::string::npos);
}

TEST_F(FrontendTest, WhatListensBeyondTheMachineSaysSo) {
    const auto opened = Frontend::open(
        {.host = "0.0.0.0", .port = 0, .admin = AdminAddress{.host = "0.0.0.0", .port = 0}},
        handler_,
        pool_);
    ASSERT_TRUE(opened) << opened.error().message;
    EXPECT_TRUE((*opened)->is_open_to_network());
    EXPECT_TRUE((*opened)->is_admin_open_to_network());
    EXPECT_TRUE((*opened)->admin_url().starts_with("http://127.0.0.1:"));
}

TEST_F(FrontendTest, HostThatIsNoAddressIsRefused) {
    const auto opened = Frontend::open({.host = "nowhere.example"}, handler_, pool_);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(FrontendTest, ClientThatLeavesIsNoticedWhileItsRequestRuns) {
    start({});
    handler_.hold = true;
    LoopHandler::gone_clients = 0;
    {
        auto client = connect();
        asio::write(client, asio::buffer(std::string_view("GET / HTTP/1.1\r\nHost: h\r\n\r\n")));
        ASSERT_TRUE(eventually([&] { return handler_.held > 0; }));
    }
    ASSERT_TRUE(eventually([&] { return LoopHandler::gone_clients > 0; }));
    ASSERT_TRUE(eventually([&] { return frontend_->connections().size() == 0; }));
}

TEST_F(FrontendTest, OneMoreThanTheBoundEndsTheOneThatWaitedForLongest) {
    for (const int reactors : {1, 2}) {
        FrontendOptions options;
        options.reactors = reactors;
        options.limits.max_connections = 2;
        start(options);
        auto first = connect();
        EXPECT_NE(ask(first).find("200 OK"), std::string::npos);
        auto second = connect();
        EXPECT_NE(ask(second).find("200 OK"), std::string::npos);
        EXPECT_NE(ask(first).find("200 OK"), std::string::npos);
        auto third = connect();
        EXPECT_NE(ask(third).find("200 OK"), std::string::npos);
        if (reactors == 1) {
            EXPECT_NE(ask(first).find("200 OK"), std::string::npos);
            EXPECT_EQ(ask(second), "closed");
        }
        EXPECT_EQ(frontend_->connections().size(), 2U);
        EXPECT_EQ(frontend_->connections().ended(Ending::kMadeRoom), 1U);
        EXPECT_EQ(frontend_->connections().opened(), 3U);
    }
}

TEST_F(FrontendTest, WhatHasWorkToDoIsNotEndedForAnother) {
    FrontendOptions options;
    options.limits.max_connections = 1;
    start(options);
    handler_.hold = true;
    auto first = connect();
    asio::write(first, asio::buffer(std::string_view("GET / HTTP/1.1\r\nHost: h\r\n\r\n")));
    ASSERT_TRUE(eventually([&] { return handler_.held > 0; }));
    auto second = connect();
    char byte = 0;
    boost::system::error_code error;
    second.read_some(asio::buffer(&byte, 1), error);
    EXPECT_EQ(error, asio::error::eof);
    ASSERT_TRUE(eventually([&] { return frontend_->connections().size() <= 1; }));
    EXPECT_EQ(frontend_->connections().ended(Ending::kRefused), 1U);
}

TEST_F(FrontendTest, APeersBoundIsForItsOwnConnections) {
    const auto path = std::filesystem::temp_directory_path() /
                      ("lepton_frontend_peer_test_" + std::to_string(::getpid()));
    FrontendOptions options;
    options.unix_socket = path;
    options.reactors = 2;
    options.limits.max_connections_per_peer = 1;
    start(options);
    std::vector<asio::local::stream_protocol::socket> local;
    for (int i = 0; i < 3; ++i) {
        local.emplace_back(context_).connect(path.string());
        EXPECT_NE(ask(local.back()).find("200 OK"), std::string::npos);
    }
    auto first = connect();
    EXPECT_NE(ask(first).find("200 OK"), std::string::npos);
    auto second = connect();
    EXPECT_NE(ask(second).find("200 OK"), std::string::npos);
    EXPECT_EQ(ask(first), "closed");
    for (auto& client : local) EXPECT_NE(ask(client).find("200 OK"), std::string::npos);
}

TEST_F(FrontendTest, ConnectionsWithoutARequestAreEndedAfterTheIdleTimeout) {
    FrontendOptions options;
    options.limits.idle_timeout = 50ms;
    start(options);
    auto silent = connect();
    auto answered = connect();
    EXPECT_NE(ask(answered).find("200 OK"), std::string::npos);
    for (auto* client : {&silent, &answered}) {
        char byte = 0;
        boost::system::error_code error;
        client->read_some(asio::buffer(&byte, 1), error);
        EXPECT_EQ(error, asio::error::eof);
        client->close();
    }
    ASSERT_TRUE(eventually([&] { return frontend_->connections().size() == 0; }));
    EXPECT_EQ(frontend_->connections().ended(Ending::kIdle), 2U);
}

// The connection's memory was given back meanwhile.
TEST_F(FrontendTest, AClientThatPausesIsAnsweredAfterwards) {
    start({});
    auto client = connect();
    constexpr std::size_t kBody = 300'000;
    for (int i = 0; i < 2; ++i) {
        std::string large = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n";
        large.resize(large.size() + kBody);
        asio::write(client, asio::buffer(large));
        EXPECT_NE(ask(client).find("200 OK"), std::string::npos);
        ASSERT_TRUE(eventually([&] { return pool_.idle_bytes() >= kBody; }));
    }
}

TEST_F(FrontendTest, ARequestUnderWayWhenTheDrainBeginsIsTheLastOne) {
    start({});
    auto client = connect();
    EXPECT_NE(ask(client).find("200 OK"), std::string::npos);
    const std::uint16_t port = frontend_->port();
    std::jthread drain([this] { frontend_->drain(Clock::now() + 10s); });
    // Once the listener is gone the drain has begun. Too many at once would have the kernel drop
    // one, whose next try comes a second later, when the drain is over.
    ASSERT_TRUE(eventually([&] {
        boost::system::error_code refused;
        asio::ip::tcp::socket late(context_);
        late.connect({asio::ip::make_address("127.0.0.1"), port}, refused);
        return refused.failed();
    }));
    const std::string answer = ask(client);
    EXPECT_NE(answer.find("200 OK"), std::string::npos);
    EXPECT_NE(answer.find("connection: close"), std::string::npos);
}

TEST_F(FrontendTest, WhatStillRunsWhenTheDrainIsOverIsAnsweredAsUnavailable) {
    start({});
    handler_.hold = true;
    LoopHandler::gone_clients = 0;
    auto client = connect();
    asio::write(client, asio::buffer(std::string_view("GET / HTTP/1.1\r\nHost: h\r\n\r\n")));
    ASSERT_TRUE(eventually([&] { return handler_.held > 0; }));
    std::jthread drain([this] { frontend_->drain(Clock::now() + 400ms); });
    std::string answer;
    boost::system::error_code error;
    asio::read(client, asio::dynamic_buffer(answer), error);
    EXPECT_EQ(error, asio::error::eof);
    EXPECT_NE(answer.find("503 Service Unavailable"), std::string::npos) << answer;
    client.close();
    ASSERT_TRUE(eventually([&] { return LoopHandler::gone_clients > 0; }));
}

TEST_F(FrontendTest, DrainClosesIdleConnectionsAndTakesNoNewOnes) {
    start({.reactors = 2});
    auto client = connect();
    EXPECT_NE(ask(client).find("200 OK"), std::string::npos);
    const std::uint16_t port = frontend_->port();
    std::jthread reader([&client] {
        char byte = 0;
        boost::system::error_code error;
        while (!error) client.read_some(asio::buffer(&byte, 1), error);
        client.close();
    });
    frontend_->drain(Clock::now() + 10s);
    EXPECT_EQ(frontend_->connections().size(), 0U);
    asio::ip::tcp::socket late(context_);
    boost::system::error_code error;
    late.connect({asio::ip::make_address("127.0.0.1"), port}, error);
    EXPECT_TRUE(error);
}

TEST_F(FrontendTest, ClientThatDoesNotReadItsAnswerIsClosed) {
    BigHandler big;
    const Limits limits{.write_idle_timeout = 50ms};
    auto opened = Frontend::open({.host = "127.0.0.1", .port = 0, .limits = limits}, big, pool_);
    ASSERT_TRUE(opened);
    (*opened)->start();
    asio::ip::tcp::socket client(context_);
    client.connect({asio::ip::make_address("127.0.0.1"), (*opened)->port()});
    asio::write(client, asio::buffer(std::string_view("GET / HTTP/1.1\r\nHost: h\r\n\r\n")));
    ASSERT_TRUE(eventually([&] { return (*opened)->connections().size() > 0; }));
    ASSERT_TRUE(eventually([&] { return (*opened)->connections().size() == 0; }));
}

TEST_F(FrontendTest, LargeAnswerReachesASlowReader) {
    BigHandler big;
    auto opened = Frontend::open({.host = "127.0.0.1", .port = 0}, big, pool_);
    ASSERT_TRUE(opened);
    (*opened)->start();
    asio::ip::tcp::socket client(context_);
    client.connect({asio::ip::make_address("127.0.0.1"), (*opened)->port()});
    asio::write(
        client,
        asio::buffer(std::string_view("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")));
    std::size_t total = 0;
    std::vector<char> chunk(10'000);
    boost::system::error_code error;
    while (!error) total += client.read_some(asio::buffer(chunk), error);
    EXPECT_EQ(error, asio::error::eof);
    EXPECT_GT(total, std::size_t{8} << 20);
}

}  // namespace
}  // namespace lepton::net
