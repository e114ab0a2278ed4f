#include "lepton/net/connection.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include "lepton/net/frontend.h"

namespace lepton::net {
namespace {

namespace asio = boost::asio;

class PathHandler final : public Handler {
public:
    void handle(Exchange& exchange) noexcept override {
        exchange.reply.body.append(exchange.message.path);
        exchange.send();
    }
};

class ConnectionTest : public testing::Test {
protected:
    void SetUp() override {
        auto opened = Frontend::open({.host = "127.0.0.1", .port = 0}, handler_, pool_);
        ASSERT_TRUE(opened);
        frontend_ = std::move(*opened);
        frontend_->start();
    }

    // Sends `bytes`, and returns everything that comes until the server closes.
    std::string exchange(std::string_view bytes) {
        asio::ip::tcp::socket socket(context_);
        socket.connect({asio::ip::make_address("127.0.0.1"), frontend_->port()});
        asio::write(socket, asio::buffer(bytes));
        std::string answer;
        boost::system::error_code error;
        asio::read(socket, asio::dynamic_buffer(answer), error);
        return answer;
    }

    memory::BufferPool pool_;
    PathHandler handler_;
    asio::io_context context_;
    std::unique_ptr<Frontend> frontend_;
};

TEST_F(ConnectionTest, FirstBytesThatEndTheirSessionAtOnceLeaveTheServerWhole) {
    EXPECT_EQ(exchange("INVALID CONNECTION PREFACE\r\n\r\n"), "");
    EXPECT_NE(exchange("GET / HTTP/9.9\r\n\r\n").find("505"), std::string::npos);
    // Nothing but frames: SETTINGS, then GOAWAY (type 7).
    const std::string answer = exchange("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n");
    ASSERT_GT(answer.size(), 17u);
    EXPECT_EQ(answer[3], '\x4');
    EXPECT_EQ(answer[answer.size() - 17 + 3], '\x7');
    EXPECT_NE(
        exchange("GET /alive HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").find("/alive"),
        std::string::npos);
}

}  // namespace
}  // namespace lepton::net
