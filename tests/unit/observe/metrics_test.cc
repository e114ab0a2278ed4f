#include "lepton/observe/metrics.h"

#include <string>

#include <gtest/gtest.h>

namespace lepton::observe {
namespace {

using namespace std::chrono_literals;

TEST(Metrics, PageHoldsCumulativeBucketsAndTheSumInSeconds) {
    Metrics metrics;
    const auto model = metrics.of("m", "1");
    const Clock::time_point start = Clock::now();
    const Timeline timeline{.received = start,
                            .decoded = start + 1us,
                            .dispatched = start + 3us,
                            .compute_start = start + 4us,
                            .compute_end = start + 30us,
                            .written = start + 40us};
    model->on_finished(timeline, timeline.written + 3ms, nullptr, 1);
    model->on_run(1, 100us, 107us);
    const std::string page = metrics.page();
    EXPECT_NE(page.find(R"(lepton_compute_seconds_bucket{model="m",version="1",le="2e-05"} 0)"),
              std::string::npos)
        << page;
    EXPECT_NE(page.find(R"(lepton_compute_seconds_bucket{model="m",version="1",le="5e-05"} 1)"),
              std::string::npos);
    EXPECT_NE(page.find(R"(lepton_compute_seconds_bucket{model="m",version="1",le="+Inf"} 1)"),
              std::string::npos);
    EXPECT_NE(page.find(R"(lepton_total_seconds_sum{model="m",version="1"} 4e-05)"),
              std::string::npos);
    EXPECT_NE(page.find(R"(nv_inference_request_success{model="m",version="1"} 1)"),
              std::string::npos);
}

TEST(Metrics, NamesOfFoldersMayBeAnyBytes) {
    Metrics metrics;
    (void)metrics.of("caf\xe9", "1");
    (void)metrics.of("two\nlines\"", "1");
    const std::string page = metrics.page();
    EXPECT_NE(page.find("nv_inference_count{model=\"caf\xEF\xBF\xBD\",version=\"1\"} 0"),
              std::string::npos);
    EXPECT_NE(page.find(R"(nv_inference_count{model="two\nlines\"",version="1"} 0)"),
              std::string::npos);
    EXPECT_EQ(page.find('\xe9'), std::string::npos);
}

TEST(Metrics, DeadlinesThatWereMetAndMissedAndErrorsOfPredictionAreOnThePage) {
    Metrics metrics;
    const auto model = metrics.of("m", "1");
    const Clock::time_point written = Clock::now();
    Timeline timeline;
    timeline.written = written;
    model->on_finished(timeline, written + 3ms, nullptr, 1);
    model->on_finished(timeline, written - 1us, nullptr, 1);
    model->on_finished(timeline, kNoDeadline, nullptr, 1);
    model->on_run(1, 100us, 107us);
    model->on_run(1, 100us, 60us);
    const std::string page = metrics.page();
    const auto has = [&page](const char* line) { return page.find(line) != std::string::npos; };
    EXPECT_TRUE(has(R"(lepton_deadline_slack_seconds_count{model="m",version="1"} 1)")) << page;
    EXPECT_TRUE(has(R"(lepton_deadline_slack_seconds_sum{model="m",version="1"} 0.003)"));
    EXPECT_TRUE(has(R"(lepton_deadline_missed_total{model="m",version="1"} 1)"));
    EXPECT_TRUE(has(R"(lepton_deadline_lateness_seconds_sum{model="m",version="1"} 1e-06)"));
    EXPECT_TRUE(has(R"(lepton_under_predicted_percent_sum{model="m",version="1"} 7)"));
    EXPECT_TRUE(has(R"(lepton_over_predicted_percent_sum{model="m",version="1"} 40)"));
}

TEST(Metrics, RefusalsAreToldApartByWhatHadBeenPromised) {
    Metrics metrics;
    const auto model = metrics.of("m", "1");
    const auto refuse = [&model](ErrorCode code, bool admitted) {
        Timeline timeline;
        if (admitted) timeline.admitted = Clock::now();
        model->on_finished(timeline, kNoDeadline, &code, 1);
    };
    refuse(ErrorCode::kDeadlineExceeded, false);
    for (int i = 0; i < 2; ++i) refuse(ErrorCode::kDeadlineExceeded, true);
    for (int i = 0; i < 3; ++i) refuse(ErrorCode::kOverloaded, false);
    for (int i = 0; i < 4; ++i) refuse(ErrorCode::kQueueFull, false);
    for (int i = 0; i < 5; ++i) refuse(ErrorCode::kQueueFull, true);
    refuse(ErrorCode::kInternal, true);
    const std::string page = metrics.page();
    const auto count_of = [&page](const std::string& reason) {
        const std::string line =
            R"(lepton_refused_total{model="m",version="1",reason=")" + reason + R"("} )";
        const std::size_t at = page.find(line);
        return at == std::string::npos ? -1 : std::stoi(page.substr(at + line.size()));
    };
    EXPECT_EQ(count_of("hopeless"), 1) << page;
    EXPECT_EQ(count_of("expired"), 2);
    EXPECT_EQ(count_of("overloaded"), 3);
    EXPECT_EQ(count_of("queue_full"), 4);
    EXPECT_EQ(count_of("made_room"), 5);
}

TEST(Metrics, FailuresCountByErrorAndLeaveTheTimesAlone) {
    Metrics metrics;
    const auto model = metrics.of("m", "1");
    const ErrorCode code = ErrorCode::kQueueFull;
    model->on_finished({}, kNoDeadline, &code, 1);
    const std::string page = metrics.page();
    EXPECT_NE(page.find(R"(lepton_requests_total{model="m",version="1",outcome="queue_full"} 1)"),
              std::string::npos);
    EXPECT_EQ(model->total.snapshot().count, 0U);
}

TEST(Metrics, AVersionThatIsLoadedAgainGoesOnCounting) {
    Metrics metrics;
    EXPECT_EQ(metrics.of("m", "1"), metrics.of("m", "1"));
    EXPECT_NE(metrics.of("m", "1"), metrics.of("m", "2"));
}

TEST(Metrics, GaugesAreReadWhenThePageIsMade) {
    Metrics metrics;
    double value = 1;
    metrics.add_gauge("lepton_connections", "Open connections", [&value] { return value; });
    value = 7;
    EXPECT_NE(metrics.page().find("lepton_connections 7"), std::string::npos);
}

}  // namespace
}  // namespace lepton::observe
