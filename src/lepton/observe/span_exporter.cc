#include "lepton/observe/span_exporter.h"

#include <pthread.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "lepton/observe/log.h"

namespace lepton::observe {
namespace {

// The length that https://www.w3.org/TR/trace-context/#tracestate-limits asks to pass on.
constexpr std::size_t kLongestState = 512;
constexpr Clock::duration kLongestBackoff = std::chrono::seconds(5);
constexpr Clock::duration kBetweenLogs = std::chrono::minutes(1);

// A tracestate is printable ASCII; any other is dropped, as the recommendation says.
std::string_view valid_state(std::string_view state) {
    const bool printable =
        std::all_of(state.begin(), state.end(), [](char c) { return c >= ' ' && c <= '~'; });
    return printable && state.size() <= kLongestState ? state : std::string_view();
}

}  // namespace

SpanExporter::SpanExporter(Options options, Post post)
    : options_(std::move(options)), post_(std::move(post)) {
    queue_.reserve(options_.queue_spans);
    taken_.reserve(options_.queue_spans);
    thread_ = std::thread([this] { run(); });
    ::pthread_setname_np(thread_.native_handle(), "spans");
}

SpanExporter::~SpanExporter() {
    {
        const MutexLock lock(mutex_);
        stop_ = true;
    }
    wake_.notify_one();
    thread_.join();
}

// NOLINTNEXTLINE(bugprone-exception-escape): only when memory runs out, which ends the process.
void SpanExporter::add(const InferCall& call) noexcept {
    SpanRecord record{record_of(call), std::string(valid_state(call.trace.state))};
    Clock::time_point& written = record.request.timeline.written;
    if (written == Clock::time_point{}) written = Clock::now();  // The client went away.
    bool full_batch = false;
    {
        const MutexLock lock(mutex_);
        if (queue_.size() >= options_.queue_spans) {
            dropped_.fetch_add(1, std::memory_order_relaxed);
            return;
        }
        queue_.push_back(std::move(record));
        full_batch = queue_.size() == options_.batch_spans;
    }
    if (full_batch) wake_.notify_one();
}

void SpanExporter::run() {
    while (take_spans()) {
        std::span<const SpanRecord> rest = taken_;
        while (!rest.empty()) {
            const auto batch = rest.first(std::min(rest.size(), options_.batch_spans));
            // At the end nobody waits for a collector that is away.
            if (!post(batch) && stopping()) {
                dropped_.fetch_add(rest.size() - batch.size(), std::memory_order_relaxed);
                return;
            }
            rest = rest.subspan(batch.size());
        }
    }
}

bool SpanExporter::take_spans() {
    taken_.clear();
    MutexLock lock(mutex_);
    const Clock::time_point until = Clock::now() + options_.delay;
    while (!stop_ && queue_.size() < options_.batch_spans) {
        if (wake_.wait_until(lock.native(), until) == std::cv_status::timeout) break;
    }
    queue_.swap(taken_);
    return !taken_.empty() || !stop_;
}

bool SpanExporter::post(std::span<const SpanRecord> spans) {
    const std::string body = encode_otlp(spans, options_.resource, ClockPair{});
    Clock::duration backoff = options_.first_backoff;
    for (int attempt = 1;; ++attempt) {
        const Result<> posted = post_(body);
        if (posted) {
            exported_.fetch_add(spans.size(), std::memory_order_relaxed);
            return true;
        }
        log_failure(posted.error(), spans.size());
        const bool retryable = posted.error().code == ErrorCode::kUnavailable;
        if (!retryable || attempt >= options_.attempts || !sleep_for(backoff)) break;
        backoff = std::min(2 * backoff, kLongestBackoff);
    }
    dropped_.fetch_add(spans.size(), std::memory_order_relaxed);
    return false;
}

bool SpanExporter::stopping() {
    const MutexLock lock(mutex_);
    return stop_;
}

bool SpanExporter::sleep_for(Clock::duration time) {
    MutexLock lock(mutex_);
    const Clock::time_point until = Clock::now() + time;
    while (!stop_ && Clock::now() < until) wake_.wait_until(lock.native(), until);
    return !stop_;
}

void SpanExporter::log_failure(const Error& error, std::size_t spans) {
    const Clock::time_point now = Clock::now();
    if (last_logged_ != Clock::time_point{} && now - last_logged_ < kBetweenLogs) return;
    last_logged_ = now;
    spdlog::warn("spans_not_exported spans={} dropped={} reason={}",
                 spans,
                 dropped(),
                 quoted(error.message));
}

}  // namespace lepton::observe
