#include "lepton/observe/metrics.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include <prometheus/client_metric.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include "lepton/core/utf8.h"

namespace lepton::observe {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Models = std::vector<std::shared_ptr<ModelMetrics>>;

constexpr double kNanosPerSecond = 1e9;

std::vector<ClientMetric::Label> labels_of(const ModelMetrics& of) {
    // Prometheus drops a whole page that is not UTF-8, and a folder's name need not be UTF-8.
    return {{"model", to_utf8(of.model)}, {"version", of.version}};
}

template <std::size_t kBounds>
ClientMetric to_metric(const Histogram<kBounds>& histogram, double unit) {
    const auto snapshot = histogram.snapshot();
    ClientMetric metric;
    metric.histogram.sample_count = snapshot.count;
    metric.histogram.sample_sum = static_cast<double>(snapshot.sum) / unit;
    std::uint64_t cumulative = 0;
    for (std::size_t i = 0; i <= kBounds; ++i) {
        cumulative += snapshot.buckets[i];
        const double bound = i < kBounds ? static_cast<double>(histogram.bounds()[i]) / unit
                                         : std::numeric_limits<double>::infinity();
        metric.histogram.bucket.push_back({cumulative, bound});
    }
    return metric;
}

template <class Histogram>
MetricFamily histograms(const Models& models,
                        const char* name,
                        const char* help,
                        Histogram ModelMetrics::* member,
                        double unit) {
    MetricFamily family{name, help, MetricType::Histogram, {}};
    for (const auto& model : models) {
        ClientMetric metric = to_metric((*model).*member, unit);
        metric.label = labels_of(*model);
        family.metric.push_back(std::move(metric));
    }
    return family;
}

MetricFamily counters(const Models& models,
                      const char* name,
                      const char* help,
                      const std::function<double(const ModelMetrics&)>& read,
                      MetricType type = MetricType::Counter) {
    MetricFamily family{name, help, type, {}};
    for (const auto& model : models) {
        ClientMetric metric;
        metric.label = labels_of(*model);
        (type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = read(*model);
        family.metric.push_back(std::move(metric));
    }
    return family;
}

MetricFamily outcomes(const Models& models) {
    MetricFamily family{"lepton_requests_total",
                        "Requests by outcome: ok, or the label of the error",
                        MetricType::Counter,
                        {}};
    const auto add = [&family](
                         const ModelMetrics& model, std::string_view outcome, std::uint64_t n) {
        ClientMetric metric;
        metric.label = labels_of(model);
        metric.label.push_back({"outcome", std::string(outcome)});
        metric.counter.value = static_cast<double>(n);
        family.metric.push_back(std::move(metric));
    };
    for (const auto& model : models) {
        add(*model, "ok", model->requests_ok.load(std::memory_order_relaxed));
        for (const ErrorTraits& traits : all_error_traits()) {
            const auto index = static_cast<std::size_t>(traits.code);
            const auto count = model->requests_failed[index].load(std::memory_order_relaxed);
            if (count > 0) add(*model, traits.label, count);
        }
    }
    return family;
}

constexpr std::array<const char*, kRefusalCount> kRefusalNames = {
    "hopeless", "overloaded", "queue_full", "expired", "made_room"};

MetricFamily refusals(const Models& models) {
    MetricFamily family{"lepton_refused_total",
                        "Requests that the scheduler refused, by reason",
                        MetricType::Counter,
                        {}};
    for (const auto& model : models) {
        for (std::size_t i = 0; i < kRefusalCount; ++i) {
            ClientMetric metric;
            metric.label = labels_of(*model);
            metric.label.push_back({"reason", kRefusalNames[i]});
            metric.counter.value =
                static_cast<double>(model->refused[i].load(std::memory_order_relaxed));
            family.metric.push_back(std::move(metric));
        }
    }
    return family;
}

std::optional<Refusal> refusal_of(ErrorCode code, bool admitted) {
    switch (code) {
        case ErrorCode::kDeadlineExceeded:
            return admitted ? Refusal::kExpired : Refusal::kHopeless;
        case ErrorCode::kOverloaded:
            return admitted ? Refusal::kMadeRoom : Refusal::kOverloaded;
        case ErrorCode::kQueueFull:
            return admitted ? Refusal::kMadeRoom : Refusal::kQueueFull;
        default:
            return std::nullopt;
    }
}

double failed(const ModelMetrics& model) {
    std::uint64_t count = 0;
    for (const auto& of_code : model.requests_failed) {
        count += of_code.load(std::memory_order_relaxed);
    }
    return static_cast<double>(count);
}

double microseconds(const DurationHistogram& histogram) {
    return static_cast<double>(histogram.snapshot().sum) / 1e3;
}

// Adds the names that dashboards made for Triton look for.
void add_triton_names(const Models& models, std::vector<MetricFamily>& page) {
    page.push_back(
        counters(models, "nv_inference_request_success", "Answered requests", [](const auto& m) {
            return double(m.requests_ok.load());
        }));
    page.push_back(counters(models, "nv_inference_request_failure", "Failed requests", failed));
    page.push_back(counters(models, "nv_inference_count", "Rows inferred", [](const auto& m) {
        return double(m.rows_ok.load());
    }));
    page.push_back(
        counters(models, "nv_inference_exec_count", "Runs of the engine", [](const auto& m) {
            return double(m.batch_rows.snapshot().count);
        }));
    page.push_back(counters(models,
                            "nv_inference_request_duration_us",
                            "Cumulative time in the server",
                            [](const auto& m) { return microseconds(m.total); }));
    page.push_back(counters(models,
                            "nv_inference_queue_duration_us",
                            "Cumulative time in the queue",
                            [](const auto& m) { return microseconds(m.queue); }));
    page.push_back(counters(models,
                            "nv_inference_compute_infer_duration_us",
                            "Cumulative time in the engine",
                            [](const auto& m) { return microseconds(m.compute); }));
    page.push_back(counters(
        models,
        "nv_inference_pending_request_count",
        "Requests not answered yet",
        [](const auto& m) { return double(m.pending.load()); },
        MetricType::Gauge));
}

}  // namespace

void ModelMetrics::on_run(std::int64_t rows, Clock::duration predicted, Clock::duration took) {
    batch_rows.observe(rows);
    run_ns.fetch_add(took.count(), std::memory_order_relaxed);  // Relaxed: a counter.
    if (predicted <= Clock::duration::zero()) return;           // No prediction yet.
    const std::int64_t percent = (took - predicted) * 100 / predicted;
    if (percent >= 0) {
        under_predicted.observe(percent);
    } else {
        over_predicted.observe(-percent);
    }
}

void ModelMetrics::on_finished(const Timeline& timeline,
                               Clock::time_point deadline,
                               const ErrorCode* error,
                               std::int64_t rows) {
    if (error != nullptr) {
        requests_failed[static_cast<std::size_t>(*error)].fetch_add(1, std::memory_order_relaxed);
        const bool admitted = timeline.admitted != Clock::time_point{};
        if (const auto reason = refusal_of(*error, admitted)) {
            refused[static_cast<std::size_t>(*reason)].fetch_add(1, std::memory_order_relaxed);
        }
        return;
    }
    requests_ok.fetch_add(1, std::memory_order_relaxed);
    rows_ok.fetch_add(static_cast<std::uint64_t>(rows), std::memory_order_relaxed);
    request.observe(timeline.compute_end - timeline.received);
    queue.observe(timeline.dispatched - timeline.decoded);
    compute.observe(timeline.compute_end - timeline.compute_start);
    total.observe(timeline.written - timeline.received);
    if (deadline == kNoDeadline) return;
    if (timeline.written <= deadline) {
        slack.observe(deadline - timeline.written);
    } else {
        deadlines_missed.fetch_add(1, std::memory_order_relaxed);
        lateness.observe(timeline.written - deadline);
    }
}

std::shared_ptr<ModelMetrics> Metrics::of(std::string_view model, std::string_view version) {
    const MutexLock lock(mutex_);
    for (const auto& known : models_) {
        if (known->model == model && known->version == version) return known;
    }
    models_.push_back(std::make_shared<ModelMetrics>(model, version));
    return models_.back();
}

void Metrics::add_gauge(std::string name, std::string help, std::function<double()> read) {
    const MutexLock lock(mutex_);
    values_.push_back({std::move(name), std::move(help), false, {}, {{{}, std::move(read)}}});
}

void Metrics::add_counter(std::string name, std::string help, std::function<double()> read) {
    const MutexLock lock(mutex_);
    values_.push_back({std::move(name), std::move(help), true, {}, {{{}, std::move(read)}}});
}

void Metrics::add_counters(std::string name,
                           std::string help,
                           std::string label,
                           std::vector<Labelled> counters) {
    const MutexLock lock(mutex_);
    values_.push_back(
        {std::move(name), std::move(help), true, std::move(label), std::move(counters)});
}

std::string Metrics::page() const {
    Models models;
    std::vector<Value> values;
    {
        const MutexLock lock(mutex_);
        models = models_;
        values = values_;
    }
    std::vector<MetricFamily> page;
    page.push_back(outcomes(models));
    page.push_back(refusals(models));
    page.push_back(histograms(models,
                              "lepton_request_seconds",
                              "From the last byte received to the computed answer",
                              &ModelMetrics::request,
                              kNanosPerSecond));
    page.push_back(histograms(models,
                              "lepton_queue_seconds",
                              "Waiting for an instance",
                              &ModelMetrics::queue,
                              kNanosPerSecond));
    page.push_back(histograms(models,
                              "lepton_compute_seconds",
                              "In the engine",
                              &ModelMetrics::compute,
                              kNanosPerSecond));
    page.push_back(histograms(models,
                              "lepton_total_seconds",
                              "From the last byte received to the answer handed to the kernel",
                              &ModelMetrics::total,
                              kNanosPerSecond));
    page.push_back(histograms(models,
                              "lepton_deadline_slack_seconds",
                              "Left until the deadline when the answer was handed to the kernel",
                              &ModelMetrics::slack,
                              kNanosPerSecond));
    page.push_back(histograms(models,
                              "lepton_deadline_lateness_seconds",
                              "By how much late answers were late when handed to the kernel",
                              &ModelMetrics::lateness,
                              kNanosPerSecond));
    page.push_back(counters(models,
                            "lepton_deadline_missed_total",
                            "Requests answered after their deadline",
                            [](const auto& m) { return double(m.deadlines_missed.load()); }));
    page.push_back(histograms(models,
                              "lepton_under_predicted_percent",
                              "By how much runs took longer than predicted",
                              &ModelMetrics::under_predicted,
                              1));
    page.push_back(histograms(models,
                              "lepton_over_predicted_percent",
                              "By how much runs were shorter than predicted",
                              &ModelMetrics::over_predicted,
                              1));
    page.push_back(histograms(models,
                              "lepton_core_wait_seconds",
                              "Waiting for cores that other models had, with an instance idle",
                              &ModelMetrics::core_wait,
                              kNanosPerSecond));
    page.push_back(
        counters(models,
                 "lepton_core_seconds_total",
                 "Time in the engine, times the threads of the instance",
                 [](const auto& m) { return double(m.core_nanoseconds.load()) * 1e-9; }));
    page.push_back(histograms(
        models, "lepton_batch_rows", "Rows per run of the engine", &ModelMetrics::batch_rows, 1));
    page.push_back(counters(
        models,
        "lepton_pending_requests",
        "Requests queued or running",
        [](const auto& m) { return double(m.pending.load()); },
        MetricType::Gauge));
    for (const Value& value : values) {
        const auto type = value.counter ? MetricType::Counter : MetricType::Gauge;
        MetricFamily family{value.name, value.help, type, {}};
        for (const Labelled& one : value.read) {
            ClientMetric metric;
            if (!value.label.empty()) metric.label.push_back({value.label, one.value});
            (value.counter ? metric.counter.value : metric.gauge.value) = one.read();
            family.metric.push_back(std::move(metric));
        }
        page.push_back(std::move(family));
    }
    add_triton_names(models, page);
    return prometheus::TextSerializer().Serialize(page);
}

}  // namespace lepton::observe
