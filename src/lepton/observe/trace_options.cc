#include "lepton/observe/trace_options.h"

#include <unistd.h>

#include <charconv>
#include <string_view>
#include <utility>

#include "lepton/observe/log.h"

namespace lepton::observe {
namespace {

constexpr std::string_view kTracesPath = "/v1/traces";
constexpr std::string_view kHttp = "http://";

template <class Number>
std::optional<Number> parse(std::string_view text) {
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

tl::unexpected<Error> bad_endpoint(std::string_view endpoint, std::string_view why) {
    std::string text = "endpoint of the collector is ";
    return fail(ErrorCode::kInvalidArgument, text.append(quoted(endpoint)).append(why));
}

// Parses http://host[:port][/path].
Result<> parse_endpoint(std::string_view endpoint, TraceOptions& options) {
    if (endpoint.starts_with("https://")) {
        return bad_endpoint(endpoint,
                            ", and https is not offered; run a collector on this machine that "
                            "forwards, and name http://127.0.0.1:4318");
    }
    constexpr std::string_view kExpected = ", expected something like http://127.0.0.1:4318";
    if (!endpoint.starts_with(kHttp)) return bad_endpoint(endpoint, kExpected);
    const std::string_view rest = endpoint.substr(kHttp.size());
    const std::string_view authority = rest.substr(0, rest.find('/'));
    options.path = rest.substr(authority.size());
    std::string_view port;
    if (authority.starts_with('[')) {  // An IPv6 address.
        const std::size_t end = authority.find(']');
        if (end == std::string_view::npos) return bad_endpoint(endpoint, kExpected);
        options.host = authority.substr(1, end - 1);
        port = authority.substr(end + 1);
    } else {
        options.host = authority.substr(0, authority.find(':'));
        port = authority.substr(options.host.size());
    }
    if (options.host.empty() || endpoint.find_first_of("@?# \r\n\t") != std::string_view::npos) {
        return bad_endpoint(endpoint, kExpected);
    }
    options.port = 80;
    if (port.empty()) return {};
    const auto number = parse<std::uint16_t>(port.substr(1));
    if (port.front() != ':' || !number || *number == 0) {
        return bad_endpoint(endpoint, ", whose port must be a whole number from 1 to 65535");
    }
    options.port = *number;
    return {};
}

void strip_slashes(std::string& path) {
    while (path.ends_with('/')) path.pop_back();
}

// Adds the pairs of key=value,key=value.
void add_resource(std::string_view list, ResourceAttributes& resource) {
    while (!list.empty()) {
        const std::string_view pair = list.substr(0, list.find(','));
        list.remove_prefix(std::min(list.size(), pair.size() + 1));
        const std::size_t equals = pair.find('=');
        if (equals == std::string_view::npos || equals == 0) continue;
        resource.emplace_back(pair.substr(0, equals), pair.substr(equals + 1));
    }
}

std::string host_name() {
    std::string name(256, '\0');
    if (::gethostname(name.data(), name.size() - 1) != 0) return {};
    name.resize(name.find('\0'));
    return name;
}

// The first value of a key counts.
ResourceAttributes resource_of(const Environment& environment) {
    ResourceAttributes said;
    if (std::string name = environment("OTEL_SERVICE_NAME"); !name.empty()) {
        said.emplace_back("service.name", std::move(name));
    }
    add_resource(environment("OTEL_RESOURCE_ATTRIBUTES"), said);
    said.emplace_back("service.name", "lepton");
    said.emplace_back("service.version", LEPTON_VERSION);
    said.emplace_back("host.name", host_name());
    ResourceAttributes resource;
    for (auto& [key, value] : said) {
        bool known = false;
        for (const auto& [other, ignored] : resource) known = known || other == key;
        if (!known) resource.emplace_back(std::move(key), std::move(value));
    }
    return resource;
}

// See https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
Sampling sampling_of(const Environment& environment) {
    std::string name = environment("OTEL_TRACES_SAMPLER");
    Sampling sampling;
    if (name.empty()) return sampling;
    constexpr std::string_view kParentBased = "parentbased_";
    sampling.parent_decides = name.starts_with(kParentBased);
    if (sampling.parent_decides) name.erase(0, kParentBased.size());
    if (name == "always_on") return sampling;
    if (name == "always_off") {
        sampling.ratio = 0;
        return sampling;
    }
    if (name != "traceidratio") {
        spdlog::warn("traces_sampler_unknown OTEL_TRACES_SAMPLER={} used=parentbased_always_on",
                     quoted(environment("OTEL_TRACES_SAMPLER")));
        return {};
    }
    const std::string argument = environment("OTEL_TRACES_SAMPLER_ARG");
    if (argument.empty()) return sampling;
    const auto ratio = parse<double>(argument);
    if (ratio && *ratio >= 0 && *ratio <= 1) {
        sampling.ratio = *ratio;
    } else {
        spdlog::warn(
            "traces_sampler_argument OTEL_TRACES_SAMPLER_ARG={} expected=\"0 to 1\" used=1",
            quoted(argument));
    }
    return sampling;
}

}  // namespace

Result<std::optional<TraceOptions>> trace_options_of(const std::string& endpoint,
                                                     const Environment& environment) {
    TraceOptions options;
    std::string base = endpoint;
    if (base.empty()) {
        if (environment("OTEL_SDK_DISABLED") == "true") return std::nullopt;
        const std::string exporter = environment("OTEL_TRACES_EXPORTER");
        if (!exporter.empty() && exporter != "otlp") return std::nullopt;
        const std::string traces = environment("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
        base = traces.empty() ? environment("OTEL_EXPORTER_OTLP_ENDPOINT") : traces;
        if (base.empty()) return std::nullopt;
        LEPTON_RETURN_IF_ERROR(parse_endpoint(base, options));
        if (traces.empty()) {
            strip_slashes(options.path);
            options.path += kTracesPath;
        } else if (options.path.empty()) {
            options.path = "/";
        }
    } else {
        LEPTON_RETURN_IF_ERROR(parse_endpoint(base, options));
        strip_slashes(options.path);
        if (!options.path.ends_with(kTracesPath)) options.path += kTracesPath;
    }
    options.resource = resource_of(environment);
    options.sampling = sampling_of(environment);
    if (const auto delay = parse<std::uint32_t>(environment("OTEL_BSP_SCHEDULE_DELAY"))) {
        options.delay = std::chrono::milliseconds(*delay);
    }
    return options;
}

}  // namespace lepton::observe
