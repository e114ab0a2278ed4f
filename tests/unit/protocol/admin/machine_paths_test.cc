#include "lepton/protocol/admin/machine_paths.h"

#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "lepton/memory/buffer_pool.h"
#include "lepton/protocol/error_reply.h"
#include "unit/protocol/fakes.h"

namespace lepton::protocol {
namespace {

TEST(MachinePaths, OnlyTheLastPartOfAPathIsTold) {
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"/usr/models/a/config.pbtxt:3: unknown field \"x\"",
         "config.pbtxt:3: unknown field \"x\""},
        {"/usr/models/a holds no version folder such as 1", "a holds no version folder such as 1"},
        {"/usr/models/a/ is empty", "a is empty"},
        {"/usr is empty", "usr is empty"},
        {"cannot write \"/tmp/my models/a.new\": no space", "cannot write \"a.new\": no space"},
        {"a (/usr/lib/x.so: cannot open, /usr/y)", "a (x.so: cannot open, y)"},
        {"file=/etc/passwd;next", "file=passwd;next"},
        {"file:///usr/lib/x.so", "file:x.so"},
        {"///usr//lib/x", "x"},
    };
    for (const auto& [text, told] : cases) EXPECT_EQ(without_paths(text), told) << text;
}

TEST(MachinePaths, WhatOnlyLooksLikeOneStays) {
    for (const std::string_view text : {"",
                                        "/",
                                        "//",
                                        "no path at all",
                                        "input \"/embeddings/Add_output_0\" has shape [1]",
                                        "there is no route \"/v3/models\"",
                                        "http://127.0.0.1:8003/usr/lib",
                                        "1 m/s, and/or usr/lib"}) {
        EXPECT_EQ(without_paths(text), text);
    }
}

TEST(MachinePaths, AreToldOnTheAdminListenerAlone) {
    const Error error{ErrorCode::kUnavailable, "model \"a\" failed to load: /usr/a/1 is empty"};
    memory::BufferPool pool;
    FakeExchange exchange(pool);
    const auto told = [&] {
        write_error(exchange, error, ErrorStyle::kLepton, pool);
        return nlohmann::json::parse(exchange.reply.body.text())["error"].get<std::string>();
    };
    EXPECT_EQ(told(), "model \"a\" failed to load: 1 is empty");
    net::Peer admin;
    admin.door = net::Door::kAdmin;
    exchange.peer = &admin;
    EXPECT_EQ(told(), error.message);
    exchange.peer = &net::kNobody;
    exchange.message.grpc = true;
    write_error(exchange, error, ErrorStyle::kLepton, pool);
    EXPECT_EQ(exchange.reply.grpc_message, "model \"a\" failed to load: 1 is empty");
}

}  // namespace
}  // namespace lepton::protocol
