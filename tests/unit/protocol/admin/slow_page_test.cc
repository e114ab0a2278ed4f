#include "lepton/protocol/admin/slow_page.h"

#include <string>

#include <gtest/gtest.h>
#include <simdjson.h>

#include "lepton/memory/buffer_pool.h"

namespace lepton::protocol {
namespace {

using namespace std::chrono_literals;

TEST(SlowQuery, WithoutParametersMeansAll) {
    const auto query = parse_slow_query("");
    ASSERT_TRUE(query);
    EXPECT_EQ(query->model, "");
    EXPECT_EQ(query->limit, SlowQuery::kMostLimit);
}

TEST(SlowQuery, NamesAreUnescaped) {
    EXPECT_EQ(parse_slow_query("model=a%2Fb+c&limit=1")->model, "a/b c");
    EXPECT_EQ(parse_slow_query("&limit=64&")->limit, 64U);
}

TEST(SlowQuery, WhatIsMalformedIsNamed) {
    for (const char* query : {"limit=0",
                              "limit=65",
                              "limit=",
                              "limit",
                              "limit=1x",
                              "model=%",
                              "model=%zz",
                              "x=1",
                              "=1"}) {
        const auto parsed = parse_slow_query(query);
        ASSERT_FALSE(parsed) << query;
        EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidArgument) << query;
    }
}

std::string page_of(const NotableRequests& requests) {
    memory::BufferPool pool;
    memory::Buffer body = pool.take(64);
    write_slow_page(requests, body);
    return std::string(body.text());
}

TEST(SlowPage, IsJsonWhateverAClientCallsItsRequest) {
    RequestRecord record;
    record.id = ShortText("\"\x01\xff\\");
    record.model_name = ShortText("m\n");
    record.timeline.received = Clock::now();
    record.timeline.begun = record.timeline.received - 1ms;
    record.timeline.written = record.timeline.received + 5ms;
    record.deadline = record.timeline.begun + 2ms;
    record.error = ErrorCode::kModelNotFound;
    simdjson::dom::parser parser;
    const simdjson::padded_string text(page_of({{record}, {}}));
    const simdjson::dom::element page = parser.parse(text);
    const simdjson::dom::element entry = page["slowest"].at(0);
    EXPECT_EQ(std::string_view(entry["model"]), "m\n");
    EXPECT_EQ(std::string_view(entry["id"]), "\"\x01\xef\xbf\xbd\\");
    EXPECT_EQ(std::string_view(entry["outcome"]), "model_not_found");
    EXPECT_EQ(double(entry["total_us"]), 5000);
    EXPECT_EQ(double(entry["timeout_us"]), 2000);
    EXPECT_EQ(double(entry["slack_us"]), -4000);
    EXPECT_EQ(std::string_view(entry["received"]).size(),
              std::string_view("2026-11-24T01:34:22.123Z").size());
    EXPECT_EQ(entry["trace_id"].error(), simdjson::NO_SUCH_FIELD);
}

TEST(SlowPage, OfAServerThatHasJustBegunIsEmpty) {
    EXPECT_EQ(page_of({}), R"({"slowest":[],"missed":[]})");
}

}  // namespace
}  // namespace lepton::protocol
