#pragma once

#include <memory>
#include <optional>

#include "lepton/core/result.h"
#include "lepton/observe/span_exporter.h"
#include "lepton/observe/trace_options.h"
#include "lepton/server/config.h"

namespace lepton::server {

// Where the configuration and the environment send traces; nothing if they do not. Errors:
// kInvalidArgument.
Result<std::optional<observe::TraceOptions>> trace_options(const Config& config);

// Makes an exporter that sends over the network.
std::unique_ptr<observe::SpanExporter> make_span_exporter(const observe::TraceOptions& options);

}  // namespace lepton::server
