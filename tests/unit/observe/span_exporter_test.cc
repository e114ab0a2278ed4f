#include "lepton/observe/span_exporter.h"

#include <atomic>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <otlp_trace.pb.h>

#include "lepton/observe/request_watch.h"
#include "support/eventually.h"

namespace lepton::observe {
namespace {

using namespace std::chrono_literals;
using lepton::testing::eventually;

InferCall& sampled(InferCall& call) {
    call.trace = *parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    call.trace.span = 0x00f067aa0ba902b7;
    call.trace.sampled = true;
    call.protocol = CallProtocol::kHttp;
    call.route = "/v2/models/{model}/infer";
    call.status = 200;
    call.timeline.received = Clock::now();
    call.timeline.admitted = call.timeline.received + 1ms;
    call.timeline.dispatched = call.timeline.received + 3ms;
    call.timeline.compute_start = call.timeline.received + 4ms;
    call.timeline.compute_end = call.timeline.received + 9ms;
    call.timeline.encoded = call.timeline.received + 10ms;
    call.timeline.written = call.timeline.received + 11ms;
    return call;
}

// What the collector received, and how it answers.
struct Collector {
    SpanExporter::Post post() {
        return [this](const std::string& body) -> Result<> {
            ++posts;
            if (failing) return fail(failing_with, "away");
            otlp::ExportTraceServiceRequest request;
            EXPECT_TRUE(request.ParseFromString(body));
            bodies.push_back(request);
            return {};
        };
    }
    std::atomic<int> posts{0};
    std::atomic<bool> failing{false};
    ErrorCode failing_with = ErrorCode::kUnavailable;
    std::vector<otlp::ExportTraceServiceRequest> bodies;  // Read once the exporter is gone.
};

SpanExporter::Options quick() {
    SpanExporter::Options options;
    options.first_backoff = 1ms;
    options.delay = 1ms;
    return options;
}

TEST(SpanExporter, ARequestIsASpanWithTheStretchesOfItsWayAsChildren) {
    Collector collector;
    {
        SpanExporter exporter({.resource = {{"service.name", "test"}}}, collector.post());
        InferCall call;
        exporter.add(sampled(call));
    }
    ASSERT_EQ(collector.bodies.size(), 1U);
    const auto& resource = collector.bodies[0].resource_spans(0);
    EXPECT_EQ(resource.resource().attributes(0).value().string_value(), "test");
    const auto& spans = resource.scope_spans(0).spans();
    ASSERT_EQ(spans.size(), 4);
    EXPECT_EQ(spans[0].kind(), otlp::Span::SPAN_KIND_SERVER);
    EXPECT_EQ(spans[0].span_id(), std::string("\x00\xf0\x67\xaa\x0b\xa9\x02\xb7", 8));
    EXPECT_EQ(spans[0].parent_span_id(), "\xb7\xad\x6b\x71\x69\x20\x33\x31");
    EXPECT_EQ(spans[0].end_time_unix_nano() - spans[0].start_time_unix_nano(), 11'000'000U);
    const std::vector<std::pair<std::string, std::uint64_t>> expected = {
        {"queue", 2'000'000}, {"gather", 1'000'000}, {"compute", 5'000'000}};
    for (int i = 0; i < 3; ++i) {
        const auto& child = spans[i + 1];
        EXPECT_EQ(child.name(), expected[static_cast<std::size_t>(i)].first);
        EXPECT_EQ(child.end_time_unix_nano() - child.start_time_unix_nano(),
                  expected[static_cast<std::size_t>(i)].second);
        EXPECT_EQ(child.parent_span_id(), spans[0].span_id());
        EXPECT_EQ(child.trace_id(), spans[0].trace_id());
        EXPECT_NE(child.span_id(), spans[0].span_id());
    }
    EXPECT_EQ(spans[0].trace_id().size(), 16U);
}

TEST(SpanExporter, BatchesAreBounded) {
    Collector collector;
    {
        SpanExporter exporter({.batch_spans = 4, .queue_spans = 100}, collector.post());
        InferCall call;
        sampled(call);
        for (int i = 0; i < 10; ++i) exporter.add(call);
    }
    int requests = 0;
    for (const auto& body : collector.bodies) {
        const int in_body = body.resource_spans(0).scope_spans(0).spans_size() / 4;
        EXPECT_LE(in_body, 4);
        requests += in_body;
    }
    EXPECT_EQ(requests, 10);
}

TEST(SpanExporter, WhatDoesNotFitIsCounted) {
    Collector collector;
    SpanExporter exporter({.batch_spans = 1000, .queue_spans = 3, .delay = 1h}, collector.post());
    InferCall call;
    sampled(call);
    for (int i = 0; i < 10; ++i) exporter.add(call);
    EXPECT_EQ(exporter.dropped(), 7U);
}

TEST(SpanExporter, ACollectorThatIsAwayIsAskedAgainAndThenGivenUp) {
    Collector collector;
    collector.failing = true;
    auto options = quick();
    options.attempts = 3;
    SpanExporter exporter(options, collector.post());
    InferCall call;
    exporter.add(sampled(call));
    ASSERT_TRUE(eventually([&] { return exporter.dropped() > 0; }));
    EXPECT_EQ(collector.posts, 3);
    collector.failing = false;
    exporter.add(call);
    ASSERT_TRUE(eventually([&] { return exporter.exported() > 0; }));
    EXPECT_EQ(exporter.dropped(), 1U);
}

TEST(SpanExporter, WhatACollectorRefusesIsNotSentAgain) {
    Collector collector;
    collector.failing = true;
    collector.failing_with = ErrorCode::kInternal;
    SpanExporter exporter(quick(), collector.post());
    InferCall call;
    exporter.add(sampled(call));
    ASSERT_TRUE(eventually([&] { return exporter.dropped() > 0; }));
    EXPECT_EQ(collector.posts, 1);
}

TEST(SpanExporter, AtItsEndItDoesNotWaitForACollectorThatIsAway) {
    Collector collector;
    collector.failing = true;
    const auto before = Clock::now();
    {
        SpanExporter exporter({.batch_spans = 2, .first_backoff = 1h}, collector.post());
        InferCall call;
        sampled(call);
        for (int i = 0; i < 9; ++i) exporter.add(call);
    }
    EXPECT_LE(collector.posts, 2);
    EXPECT_LT(Clock::now() - before, 30s);
}

TEST(RequestWatch, SendersDecideOverTheirTracesAndTheRatioOverTheRest) {
    Collector collector;
    SpanExporter exporter({.delay = 1h}, collector.post());
    SlowRequests slow;
    RequestWatch watch(slow);
    watch.export_to(exporter, {.parent_decides = true, .ratio = 0.25});
    const auto sampled_by = [&watch](const TraceContext& trace) {
        InferCall call;
        call.trace = trace;
        watch.on_begin(call);
        EXPECT_EQ(call.trace.sampled, call.trace.sampled && call.trace.span != 0);
        return call.trace.sampled;
    };
    TraceContext sent =
        *parse_traceparent("00-0af7651916cd43ddffffffffffffffff-b7ad6b7169203331-01");
    EXPECT_TRUE(sampled_by(sent));
    sent.trace_low = 1;
    sent.parent_sampled = false;
    EXPECT_FALSE(sampled_by(sent));
    int roots = 0;
    for (int i = 0; i < 10'000; ++i) roots += sampled_by({}) ? 1 : 0;
    EXPECT_NEAR(roots, 2500, 500);  // More than ten standard deviations.
}

TEST(RequestWatch, WithoutExporterOnlyTracesOfSendersAreFollowed) {
    SlowRequests slow;
    RequestWatch watch(slow);
    InferCall call;
    watch.on_begin(call);
    EXPECT_FALSE(call.trace.exists());
    call.trace = *parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    watch.on_begin(call);
    EXPECT_NE(call.trace.span, 0U);
    EXPECT_FALSE(call.trace.sampled);
}

}  // namespace
}  // namespace lepton::observe
