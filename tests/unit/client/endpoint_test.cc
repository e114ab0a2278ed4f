#include "endpoint.h"

#include <gtest/gtest.h>

namespace lepton::client {
namespace {

TEST(Endpoint, EachSchemeSaysItsWire) {
    const auto http = parse_endpoint("http://host:81/");
    ASSERT_TRUE(http);
    EXPECT_EQ(http->wire, Endpoint::Wire::kHttp);
    EXPECT_EQ(http->authority, "host:81");
    EXPECT_FALSE(http->tls);
    const auto grpcs = parse_endpoint("grpcs://host");
    ASSERT_TRUE(grpcs);
    EXPECT_EQ(grpcs->wire, Endpoint::Wire::kGrpc);
    EXPECT_TRUE(grpcs->tls);
    EXPECT_EQ(grpcs->port, "443");
    const auto local = parse_endpoint("grpc+unix:/run/l.sock");
    ASSERT_TRUE(local);
    EXPECT_EQ(local->wire, Endpoint::Wire::kGrpc);
    EXPECT_EQ(local->path, "/run/l.sock");
}

TEST(Endpoint, AddressOfIpv6StandsInBrackets) {
    const auto endpoint = parse_endpoint("http://[::1]:8000");
    ASSERT_TRUE(endpoint);
    EXPECT_EQ(endpoint->host, "::1");
    EXPECT_EQ(endpoint->authority, "[::1]:8000");
}

TEST(Endpoint, WhatCannotBeIsRefusedByName) {
    for (const std::string url : {"",
                                  "host:8000",
                                  "ftp://host",
                                  "http://",
                                  "http://:8000",
                                  "http://host:0",
                                  "http://host:65536",
                                  "http://host:x",
                                  "http://host:80/v2",
                                  "http://a@host",
                                  "http://[::1",
                                  "unix:",
                                  "http://h\r\nX: y"}) {
        const auto endpoint = parse_endpoint(url);
        ASSERT_FALSE(endpoint) << url;
        EXPECT_EQ(endpoint.error().code, ErrorCode::kInvalidArgument);
        EXPECT_NE(endpoint.error().message.find("endpoint \"" + url + "\""), std::string::npos);
    }
    EXPECT_FALSE(parse_endpoint("unix:/" + std::string(200, 'x')));
}

TEST(Endpoint, UnknownHostIsUnavailable) {
    const auto endpoint = parse_endpoint("http://no-such-host.invalid:80");
    ASSERT_TRUE(endpoint);
    const auto addresses = resolve(*endpoint);
    ASSERT_FALSE(addresses);
    EXPECT_EQ(addresses.error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace lepton::client
