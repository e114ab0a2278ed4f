#include "lepton/net/http_post.h"

#include <string>
#include <thread>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

#include <gtest/gtest.h>

namespace lepton::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;

// Takes one connection and says `answer` once it has read a head and its body.
class OneAnswer {
public:
    explicit OneAnswer(std::string answer) : answer_(std::move(answer)) {}

    HttpResource resource(std::string path = "/v1/traces") {
        return {"127.0.0.1", acceptor_.local_endpoint().port(), std::move(path)};
    }
    // Everything that was read.
    std::string serve(std::size_t body_bytes) {
        tcp::socket socket = acceptor_.accept();
        std::string said;
        const std::size_t head = asio::read_until(socket, asio::dynamic_buffer(said), "\r\n\r\n");
        if (said.size() < head + body_bytes) {
            asio::read(socket,
                       asio::dynamic_buffer(said),
                       asio::transfer_exactly(head + body_bytes - said.size()));
        }
        boost::system::error_code ignored;
        asio::write(socket, asio::buffer(answer_), ignored);
        if (answer_.empty()) socket.read_some(asio::buffer(rest_), ignored);  // Until it gives up.
        return said;
    }

private:
    std::string answer_;
    char rest_[16] = {};
    asio::io_context context_;
    tcp::acceptor acceptor_{context_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)};
};

TEST(HttpPost, SendsTheBodyWithItsTypeAndLengthAndGivesTheStatus) {
    OneAnswer server("HTTP/1.1 503 Busy\r\ncontent-length: 2\r\n\r\nno");
    std::string said;
    std::jthread serving([&] { said = server.serve(4); });
    const auto status = http_post(server.resource(), "application/x-protobuf", "body", 10s);
    serving.join();
    ASSERT_TRUE(status) << status.error().message;
    EXPECT_EQ(*status, 503);
    EXPECT_TRUE(said.starts_with("POST /v1/traces HTTP/1.1\r\n")) << said;
    EXPECT_NE(said.find("Content-Type: application/x-protobuf\r\n"), std::string::npos);
    EXPECT_NE(said.find("Content-Length: 4\r\n"), std::string::npos);
    EXPECT_TRUE(said.ends_with("\r\n\r\nbody"));
}

TEST(HttpPost, AServerThatSaysNothingIsGivenUpInTime) {
    OneAnswer server("");
    std::jthread serving([&] { server.serve(4); });
    const auto before = Clock::now();
    const auto status = http_post(server.resource(), "text/plain", "body", 50ms);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, ErrorCode::kUnavailable);
    EXPECT_GE(Clock::now() - before, 50ms);
    EXPECT_LT(Clock::now() - before, 10s);
}

TEST(HttpPost, WhatIsNoAnswerIsAnError) {
    for (const char* answer : {"what?\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n"}) {
        OneAnswer server(answer);
        std::jthread serving([&] { server.serve(4); });
        const auto status = http_post(server.resource(), "text/plain", "body", 10s);
        ASSERT_FALSE(status) << answer;
        EXPECT_EQ(status.error().code, ErrorCode::kUnavailable);
        EXPECT_NE(status.error().message.find("/v1/traces"), std::string::npos);
    }
}

TEST(HttpPost, NobodyThereIsAnErrorThatNamesTheAddress) {
    HttpResource to;
    {
        OneAnswer gone("");
        to = gone.resource("/x");
    }
    const auto status = http_post(to, "text/plain", "body", 10s);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, ErrorCode::kUnavailable);
    EXPECT_NE(status.error().message.find("http://127.0.0.1:" + std::to_string(to.port) + "/x"),
              std::string::npos);
}

}  // namespace
}  // namespace lepton::net
