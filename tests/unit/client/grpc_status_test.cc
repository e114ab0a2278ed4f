#include "grpc_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>

#include "lepton/core/error.h"

namespace lepton::client {
namespace {

using Cause = Failure::Cause;
using std::chrono::milliseconds;
using ::testing::HasSubstr;

using Field = std::pair<std::string_view, std::string_view>;

std::optional<Failure> failure_of(std::initializer_list<Field> fields) {
    GrpcStatus status;
    status.clear();
    for (const auto& [name, value] : fields) status.on_field(name, value);
    return status.failure();
}

Failure failure_of_status(std::string_view number, std::string_view message = {}) {
    const auto failure = failure_of({{":status", "200"},
                                     {"content-type", "application/grpc+proto"},
                                     {"grpc-status", number},
                                     {"grpc-message", message}});
    EXPECT_TRUE(failure);
    return failure.value_or(Failure{});
}

TEST(GrpcStatus, ZeroIsNoFailure) {
    EXPECT_FALSE(failure_of(
        {{":status", "200"}, {"content-type", "application/grpc"}, {"grpc-status", "0"}}));
}

TEST(GrpcStatus, EveryCodeOfLeptonComesBackAsOneThatIsSentTheSame) {
    for (const ErrorTraits& traits : all_error_traits()) {
        const Failure failure = failure_of_status(std::to_string(traits.grpc_status), "why");
        EXPECT_EQ(traits_of(failure.error.code).grpc_status, traits.grpc_status) << traits.label;
        EXPECT_EQ(failure.error.message, "why");
        // Another attempt makes sense for exactly the codes that the server calls retryable.
        EXPECT_EQ(failure.cause == Cause::kRefused, traits.retryable) << traits.label;
    }
}

TEST(GrpcStatus, MessageIsPercentDecoded) {
    EXPECT_EQ(failure_of_status("3", "input %22x%22 is 50%25 %C3%BC").error.message,
              "input \"x\" is 50% \xC3\xBC");
    EXPECT_EQ(percent_decoded("100% %4 %zz %"), "100% %4 %zz %");
    EXPECT_EQ(percent_decoded("%41%6a%6A"), "Ajj");
    EXPECT_EQ(percent_decoded(""), "");
}

TEST(GrpcStatus, StatusWithoutMessageIsNamed) {
    EXPECT_EQ(failure_of_status("14").error.message,
              "the server answers with gRPC status 14 (UNAVAILABLE)");
    EXPECT_EQ(failure_of_status("99").error.message, "the server answers with gRPC status 99");
    EXPECT_EQ(failure_of_status("99").error.code, ErrorCode::kInternal);
}

TEST(GrpcStatus, MissingOrMalformedStatusBreaksTheProtocol) {
    const auto missing = failure_of({{":status", "200"}, {"content-type", "application/grpc"}});
    ASSERT_TRUE(missing);
    EXPECT_EQ(missing->cause, Cause::kProtocol);
    EXPECT_THAT(missing->error.message, HasSubstr("without a grpc-status"));
    for (const std::string_view number : {"", "-1", "0x0", "1 ", "99999999"}) {
        EXPECT_EQ(failure_of_status(number).cause, Cause::kProtocol) << number;
    }
}

TEST(GrpcStatus, AnswerOfAProxyIsTakenByItsHttpStatus) {
    const auto busy =
        failure_of({{":status", "503"}, {"content-type", "text/html"}, {"retry-after", "2"}});
    ASSERT_TRUE(busy);
    EXPECT_EQ(busy->cause, Cause::kRefused);
    EXPECT_EQ(busy->error.code, ErrorCode::kUnavailable);
    EXPECT_EQ(busy->retry_after, milliseconds(2000));
    EXPECT_THAT(busy->error.message, HasSubstr("HTTP status 503 and content type \"text/html\""));

    EXPECT_EQ(failure_of({{":status", "404"}})->error.code, ErrorCode::kUnsupported);
    EXPECT_EQ(failure_of({{":status", "401"}})->error.code, ErrorCode::kUnauthenticated);
    EXPECT_EQ(failure_of({{":status", "200"}, {"content-type", "text/html"}})->cause,
              Cause::kProtocol);
    EXPECT_EQ(failure_of({})->error.code, ErrorCode::kInternal);
}

TEST(GrpcStatus, PushbackDelaysOrForbidsTheRetry) {
    const auto with_pushback = [](std::string_view value) {
        return *failure_of({{":status", "200"},
                            {"content-type", "application/grpc"},
                            {"grpc-status", "14"},
                            {"grpc-retry-pushback-ms", value}});
    };
    EXPECT_EQ(with_pushback("250").retry_after, milliseconds(250));
    EXPECT_EQ(with_pushback("250").cause, Cause::kRefused);
    EXPECT_EQ(with_pushback("-1").cause, Cause::kAnswered);
    EXPECT_EQ(with_pushback("soon").cause, Cause::kAnswered);
}

TEST(GrpcStatus, OnlyARefusedStreamIsKnownNotToHaveRun) {
    EXPECT_EQ(failure_of_reset(7).cause, Cause::kRefused);
    EXPECT_EQ(failure_of_reset(8).cause, Cause::kCut);
    EXPECT_THAT(failure_of_reset(8).error.message, HasSubstr("CANCEL"));
    EXPECT_EQ(failure_of_reset(11).cause, Cause::kAnswered);
    EXPECT_THAT(failure_of_reset(12345).error.message, HasSubstr("12345"));
}

TEST(GrpcTimeout, HasAtMostEightDigitsAndNeverReadsAsNothing) {
    using namespace std::chrono_literals;
    const auto text = [](Clock::duration left) {
        return std::string(to_grpc_timeout(left).view());
    };
    EXPECT_EQ(text(1500us), "1500u");
    EXPECT_EQ(text(30s), "30000000u");
    EXPECT_EQ(text(99'999'999us), "99999999u");
    EXPECT_EQ(text(100s), "100000m");
    EXPECT_EQ(text(99'999'999ms), "99999999m");
    EXPECT_EQ(text(100'000s), "100000S");
    EXPECT_EQ(text(Clock::duration::max()), "99999999S");
    EXPECT_EQ(text(1ns), "1u");
    EXPECT_EQ(text(-5s), "1u");
}

}  // namespace
}  // namespace lepton::client
