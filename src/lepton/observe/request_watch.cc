#include "lepton/observe/request_watch.h"

#include <sys/random.h>

#include <array>
#include <cmath>
#include <string>
#include <string_view>

#include "lepton/observe/log.h"

namespace lepton::observe {
namespace {

std::uint64_t seed() {
    std::uint64_t random = 0;
    if (::getrandom(&random, sizeof random, 0) == sizeof random) return random;
    return static_cast<std::uint64_t>(Clock::now().time_since_epoch().count());
}

// SplitMix64 (https://prng.di.unimi.it/splitmix64.c): identifiers must differ, not be secret.
std::uint64_t random_id() {
    thread_local std::uint64_t state = seed();
    std::uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    z ^= z >> 31;
    return z == 0 ? 1 : z;
}

// An engine that fails does so for every request; one line a second says as much.
bool may_log_failure(Clock::time_point now) {
    thread_local Clock::time_point last{};
    if (last != Clock::time_point{} && now - last < std::chrono::seconds(1)) return false;
    last = now;
    return true;
}

void log(const InferCall& call, spdlog::level::level_enum level) {
    const std::string_view outcome =
        call.response.error ? traits_of(call.response.error->code).label : "ok";
    std::array<char, kTraceIdSize> trace;
    write_trace_id(call.trace, trace.data());
    const auto took = call.timeline.written - call.timeline.received;
    spdlog::log(
        level,
        "request model={} id={} outcome={} total_us={} rows={} batch_rows={}{}{} reason={}",
        quoted(call.request.model_name),
        quoted(call.request.id),
        outcome,
        took.count() > 0 ? std::chrono::duration_cast<std::chrono::microseconds>(took).count() : 0,
        call.rows,
        call.batch_rows,
        call.trace.exists() ? " trace_id=" : "",
        call.trace.exists() ? std::string_view(trace.data(), trace.size()) : std::string_view(),
        quoted(call.response.error ? call.response.error->message : "none"));
}

}  // namespace

void RequestWatch::export_to(SpanExporter& exporter, const Sampling& sampling) {
    exporter_ = &exporter;
    parent_decides_ = sampling.parent_decides;
    all_ = sampling.ratio >= 1;
    below_ = all_ ? 0 : static_cast<std::uint64_t>(std::ldexp(sampling.ratio, 64));
}

bool RequestWatch::samples(const TraceContext& trace) const {
    if (exporter_ == nullptr) return false;
    if (trace.parent != 0 && parent_decides_) return trace.parent_sampled;
    return all_ || trace.trace_low < below_;
}

void RequestWatch::on_begin(InferCall& call) noexcept {
    TraceContext& trace = call.trace;
    if (!trace.exists()) {
        if (exporter_ == nullptr) return;
        TraceContext root;
        root.trace_high = random_id();
        root.trace_low = random_id();
        if (!samples(root)) return;
        trace = root;
    }
    trace.span = random_id();
    trace.sampled = samples(trace);
}

// NOLINTNEXTLINE(bugprone-exception-escape): only for want of memory, which is the end.
void RequestWatch::on_written(const InferCall& call) noexcept {
    slow_.note(call);
    if (call.trace.sampled) exporter_->add(call);
    const bool failed = call.response.error && call.response.error->code == ErrorCode::kInternal;
    if (failed) [[unlikely]] {
        if (may_log_failure(call.timeline.written)) log(call, spdlog::level::err);
    } else if (spdlog::should_log(spdlog::level::trace)) [[unlikely]] {
        log(call, spdlog::level::trace);
    }
}

}  // namespace lepton::observe
