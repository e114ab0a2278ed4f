#include "lepton/observe/trace_options.h"

#include <map>
#include <string>

#include <gtest/gtest.h>

namespace lepton::observe {
namespace {

using Variables = std::map<std::string, std::string>;

Result<std::optional<TraceOptions>> options_of(const std::string& endpoint,
                                               Variables variables = {}) {
    return trace_options_of(endpoint, [variables = std::move(variables)](const char* name) {
        const auto found = variables.find(name);
        return found == variables.end() ? std::string() : found->second;
    });
}

std::string value_of(const TraceOptions& options, const std::string& key) {
    std::string value;
    for (const auto& [name, text] : options.resource) {
        if (name == key) value += text;
    }
    return value;
}

TEST(TraceOptions, NothingIsExportedUnlessACollectorIsNamed) {
    EXPECT_FALSE(*options_of(""));
    EXPECT_FALSE(*options_of("", {{"OTEL_SERVICE_NAME", "x"}}));
    const std::string url = "http://c:4318";
    EXPECT_FALSE(
        *options_of("", {{"OTEL_EXPORTER_OTLP_ENDPOINT", url}, {"OTEL_SDK_DISABLED", "true"}}));
    EXPECT_FALSE(
        *options_of("", {{"OTEL_EXPORTER_OTLP_ENDPOINT", url}, {"OTEL_TRACES_EXPORTER", "none"}}));
    EXPECT_TRUE(*options_of("", {{"OTEL_EXPORTER_OTLP_ENDPOINT", url}}));
}

TEST(TraceOptions, ABaseGetsThePathAndASignalsOwnEndpointKeepsIts) {
    const auto path = [](const Result<std::optional<TraceOptions>>& options) {
        return (*options)->host + ":" + std::to_string((*options)->port) + (*options)->path;
    };
    EXPECT_EQ(path(options_of("http://c:4318")), "c:4318/v1/traces");
    EXPECT_EQ(path(options_of("http://c:4318/")), "c:4318/v1/traces");
    EXPECT_EQ(path(options_of("http://c:4318/v1/traces")), "c:4318/v1/traces");
    EXPECT_EQ(path(options_of("http://c/otel")), "c:80/otel/v1/traces");
    EXPECT_EQ(path(options_of("http://[::1]:4318")), "::1:4318/v1/traces");
    EXPECT_EQ(path(options_of("", {{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:1/x/"}})),
              "c:1/x/v1/traces");
    EXPECT_EQ(path(options_of("",
                              {{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://t:1/x"},
                               {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:1"}})),
              "t:1/x");
    EXPECT_EQ(path(options_of("", {{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://t:1"}})), "t:1/");
}

TEST(TraceOptions, EndpointsThatMakeNoSenseAreRefusedByName) {
    for (const char* endpoint : {"https://c:4318",
                                 "c:4318",
                                 "ftp://c",
                                 "http://",
                                 "http://:4318",
                                 "http://c:0",
                                 "http://c:70000",
                                 "http://c:",
                                 "http://c:1x",
                                 "http://[::1",
                                 "http://user@c:1",
                                 "http://c:1/a b",
                                 "http://c:1/?x=1"}) {
        const auto options = options_of(endpoint);
        ASSERT_FALSE(options) << endpoint;
        EXPECT_EQ(options.error().code, ErrorCode::kInvalidArgument);
        EXPECT_NE(options.error().message.find(endpoint), std::string::npos);
    }
}

TEST(TraceOptions, TheServiceIsNamedByTheMoreSpecificVariable) {
    EXPECT_EQ(value_of(**options_of("http://c"), "service.name"), "lepton");
    EXPECT_EQ(value_of(**options_of(
                           "http://c",
                           {{"OTEL_RESOURCE_ATTRIBUTES", "service.name=a,team=vision,broken,=x"}}),
                       "service.name"),
              "a");
    const auto both = options_of(
        "http://c",
        {{"OTEL_RESOURCE_ATTRIBUTES", "service.name=a,k=v=w"}, {"OTEL_SERVICE_NAME", "b"}});
    EXPECT_EQ(value_of(**both, "service.name"), "b");
    EXPECT_EQ(value_of(**both, "k"), "v=w");
}

TEST(TraceOptions, SamplersAreOpenTelemetrysAndUnknownOnesAreTheDefault) {
    struct Case {
        const char* sampler;
        const char* argument;
        bool parent_decides;
        double ratio;
    };
    for (const Case& each : {Case{"", "", true, 1},
                             Case{"always_on", "", false, 1},
                             Case{"always_off", "", false, 0},
                             Case{"parentbased_always_on", "0.5", true, 1},
                             Case{"parentbased_always_off", "", true, 0},
                             Case{"traceidratio", "0.25", false, 0.25},
                             Case{"parentbased_traceidratio", "0.25", true, 0.25},
                             Case{"parentbased_traceidratio", "", true, 1},
                             Case{"parentbased_traceidratio", "2", true, 1},
                             Case{"parentbased_traceidratio", "-1", true, 1},
                             Case{"parentbased_traceidratio", "nan", true, 1},
                             Case{"jaeger_remote", "", true, 1}}) {
        const auto options = options_of(
            "http://c",
            {{"OTEL_TRACES_SAMPLER", each.sampler}, {"OTEL_TRACES_SAMPLER_ARG", each.argument}});
        EXPECT_EQ((*options)->sampling.parent_decides, each.parent_decides) << each.sampler;
        EXPECT_EQ((*options)->sampling.ratio, each.ratio) << each.sampler << each.argument;
    }
}

}  // namespace
}  // namespace lepton::observe
