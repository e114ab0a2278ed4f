#include "result_json.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include <nlohmann/json.hpp>

namespace lepton::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<std::pair<const char*, double>, 8> kPercentiles{{{"p50", 0.5},
                                                                      {"p75", 0.75},
                                                                      {"p90", 0.9},
                                                                      {"p95", 0.95},
                                                                      {"p99", 0.99},
                                                                      {"p99.5", 0.995},
                                                                      {"p99.9", 0.999},
                                                                      {"p99.99", 0.9999}}};

// How late a generator may be (p99) before its figures are doubtful, as a share of the latency's
// p99 or of the shortest deadline, whichever is less.
constexpr double kTolerableLateness = 0.1;

double in_us(std::uint64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1e3; }
double in_us(std::chrono::nanoseconds time) { return static_cast<double>(time.count()) / 1e3; }
double in_seconds(std::chrono::nanoseconds time) {
    return std::chrono::duration<double>(time).count();
}

// Null for a histogram without values.
Json summary(const Histogram& histogram) {
    if (histogram.count() == 0) return nullptr;
    Json json{{"count", histogram.count()}, {"mean", std::round(histogram.mean()) / 1e3}};
    for (const auto& [name, fraction] : kPercentiles) {
        json[name] = in_us(histogram.quantile(fraction));
    }
    json["max"] = in_us(histogram.max());
    return json;
}

Json buckets(const Histogram& histogram) {
    Json json = Json::array();
    histogram.each([&json](std::uint64_t highest, std::uint64_t count) {
        json.push_back(highest);
        json.push_back(count);
    });
    return json;
}

Json errors(const Tally& tally) {
    Json json = Json::object();
    for (std::size_t i = 0; i < kErrorCodeCount; ++i) {
        const Tally::ErrorCount& errors = tally.errors()[i];
        if (errors.count == 0) continue;
        const std::string label(traits_of(static_cast<ErrorCode>(i)).label);
        json[label] = {{"count", errors.count}, {"example", errors.example}};
    }
    return json;
}

Json section(const Tally& tally, double seconds, bool with_buckets) {
    Json json{{"requests", tally.requests()},
              {"answered", tally.answered()},
              {"in_time", tally.of(Outcome::kInTime)},
              {"late", tally.of(Outcome::kLate)},
              {"refused", tally.of(Outcome::kRefused)},
              {"expired", tally.of(Outcome::kExpired)},
              {"failed", tally.of(Outcome::kFailed)},
              {"attainment", tally.attainment()},
              {"attainment_of_admitted", tally.attainment_of_admitted()},
              {"offered_per_second", static_cast<double>(tally.requests()) / seconds},
              {"answered_per_second", static_cast<double>(tally.answered()) / seconds},
              {"goodput", static_cast<double>(tally.of(Outcome::kInTime)) / seconds},
              {"errors", errors(tally)},
              {"latency_us", summary(tally.latency())},
              {"latency_since_sent_us", summary(tally.since_sent())},
              {"refusal_us", summary(tally.refusal())},
              {"refusal_since_sent_us", summary(tally.refusal_since_sent())},
              {"server_queue_us", summary(tally.queue())},
              {"server_compute_us", summary(tally.compute())}};
    if (with_buckets) json["latency_buckets_ns"] = buckets(tally.latency());
    return json;
}

std::string number(double value) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), value < 100 ? "%.3g" : "%.0f", value);
    return text.data();
}

Json warnings(const Options& options,
              const Plan& plan,
              const Measurement& seen,
              const Tally& total) {
    Json json = Json::array();
    if (seen.fell_behind) {
        json.push_back("the generator could not send " + number(options.arrivals.rate) +
                       " a second: it sent " + number(seen.sent_per_second) +
                       " and gave up 2 s behind; what it measured is itself");
    }
    if (seen.waited_for_connection > 0) {
        json.push_back(std::to_string(seen.waited_for_connection) + " requests found all " +
                       std::to_string(plan.connections) +
                       " connections busy and were sent late; raise --connections");
    }
    double matters_us = in_us(total.latency().quantile(0.99));
    for (const LoadClass& load_class : plan.classes) {
        if (load_class.deadline.count() == 0) continue;
        matters_us = std::min(matters_us == 0 ? in_us(load_class.deadline) : matters_us,
                              in_us(load_class.deadline));
    }
    const double late_us = in_us(seen.lateness.quantile(0.99));
    if (matters_us > 0 && late_us > kTolerableLateness * matters_us &&
        !options.target.url.empty()) {
        json.push_back("the load generator sent up to " + number(late_us) +
                       " us late (p99), which distorts what is measured beside " +
                       number(matters_us) + " us: give it a core of its own, or a lower rate");
    }
    if (total.of(Outcome::kFailed) > 0) {
        json.push_back(std::to_string(total.of(Outcome::kFailed)) + " requests failed; see errors");
    }
    return json;
}

Json load(const Options& options) {
    if (options.concurrency > 0) {
        return {{"loop", "closed"}, {"concurrency", options.concurrency}};
    }
    Json json{{"loop", "open"}, {"arrivals", to_string(options.arrivals.pattern)}};
    if (options.arrivals.rate > 0) json["rate"] = options.arrivals.rate;
    if (options.arrivals.pattern == Pattern::kBursty) {
        json["burst_lasts_s"] = in_seconds(options.arrivals.burst_lasts);
    }
    if (!options.trace_file.empty()) json["trace"] = options.trace_file;
    return json;
}

Json about(const ModelInfo& model) {
    Json properties = Json::object();
    for (const auto& [name, value] : model.properties) properties[name] = value;
    return {{"name", model.name},
            {"versions", model.versions},
            {"platform", model.platform},
            {"properties", properties}};
}

}  // namespace

std::string to_json(const Options& options,
                    const ModelInfo& model,
                    const Plan& plan,
                    const Measurement& seen) {
    const Tally total = seen.total();
    Json json{{"what", "lepton-bench"},
              {"version", LEPTON_VERSION},
              {"target", options.target.url.empty() ? options.target.service : options.target.url},
              {"in_process", options.target.url.empty()},
              {"model", about(model)},
              {"load", load(options)},
              {"seed", options.arrivals.seed},
              {"rows", std::max<std::int64_t>(options.inputs.rows, 1)},
              {"warmup_s", in_seconds(options.warmup)},
              {"duration_s", in_seconds(options.duration)},
              {"measured_s", seen.seconds},
              {"total", section(total, seen.seconds, options.buckets)}};
    Json classes = Json::array();
    for (std::size_t i = 0; i < plan.classes.size(); ++i) {
        const LoadClass& load_class = plan.classes[i];
        Json described{{"name", load_class.name},
                       {"share", load_class.share},
                       {"priority", load_class.priority}};
        described["deadline_us"] =
            load_class.deadline.count() > 0 ? Json(in_us(load_class.deadline)) : Json(nullptr);
        described.update(section(seen.by_class[i], seen.seconds, options.buckets));
        classes.push_back(std::move(described));
    }
    json["classes"] = std::move(classes);
    json["generator"] = {{"sent", seen.sent},
                         {"sent_per_second", seen.sent_per_second},
                         {"fell_behind", seen.fell_behind},
                         {"late_us", summary(seen.lateness)},
                         {"max_in_flight", seen.max_in_flight},
                         {"connections", plan.connections},
                         {"waited_for_connection", seen.waited_for_connection}};
    json["warnings"] = warnings(options, plan, seen, total);
    // A server may have written anything into its messages.
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string to_json(const Plan::Progress& progress) {
    return Json{{"elapsed_s", in_seconds(progress.elapsed)},
                {"total_s", in_seconds(progress.total)},
                {"sent", progress.sent},
                {"in_time", progress.in_time},
                {"in_flight", progress.in_flight}}
        .dump();
}

}  // namespace lepton::bench
