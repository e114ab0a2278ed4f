#include "lepton/server/trace_export.h"

#include <cstdlib>
#include <string>

#include "lepton/net/http_post.h"
#include "lepton/observe/log.h"

namespace lepton::server {
namespace {

// A collector is near and only takes notes; one that needs longer is in trouble.
constexpr auto kTimeout = std::chrono::seconds(5);

Result<> post(const net::HttpResource& to, const std::string& body) {
    LEPTON_TRY(const int status, net::http_post(to, "application/x-protobuf", body, kTimeout));
    if (status >= 200 && status < 300) return {};
    // See https://opentelemetry.io/docs/specs/otlp/#retryable-response-codes
    const bool retryable = status == 429 || status == 502 || status == 503 || status == 504;
    return fail(retryable ? ErrorCode::kUnavailable : ErrorCode::kInternal,
                "the collector at http://" + to.host + ":" + std::to_string(to.port) + to.path +
                    " answered with status " + std::to_string(status));
}

}  // namespace

Result<std::optional<observe::TraceOptions>> trace_options(const Config& config) {
    return observe::trace_options_of(config.otlp_endpoint, [](const char* name) {
        // Nobody writes to the environment of a server.
        const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): see above
        return std::string(value == nullptr ? "" : value);
    });
}

std::unique_ptr<observe::SpanExporter> make_span_exporter(const observe::TraceOptions& options) {
    observe::SpanExporter::Options exporting;
    exporting.resource = options.resource;
    exporting.delay = options.delay;
    const net::HttpResource collector{options.host, options.port, options.path};
    spdlog::info("exporting_traces endpoint=http://{}:{}{} ratio={} parent_decides={}",
                 options.host,
                 options.port,
                 options.path,
                 options.sampling.ratio,
                 options.sampling.parent_decides);
    return std::make_unique<observe::SpanExporter>(
        std::move(exporting),
        [collector](const std::string& body) { return post(collector, body); });
}

}  // namespace lepton::server
