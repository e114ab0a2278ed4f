// Tests lepton::Client against a real server, which test_cpp_client.py starts: the endpoints are in
// LEPTON_TEST_ENDPOINTS, separated by commas; the models are those of fake_models.py.

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "lepton/client.h"

namespace lepton {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::string environment(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? "" : value;
}

ClientOptions options_of_test() {
    ClientOptions options;
    options.endpoints.clear();
    std::string list = environment("LEPTON_TEST_ENDPOINTS");
    for (std::size_t comma = 0; comma != std::string::npos; list.erase(0, comma + 1)) {
        comma = list.find(',');
        options.endpoints.push_back(list.substr(0, comma));
        if (comma == std::string::npos) break;
    }
    options.tls.ca_file = environment("LEPTON_TEST_CA");
    return options;
}

Client open(ClientOptions options = options_of_test()) {
    Result<Client> client = Client::open(std::move(options));
    EXPECT_TRUE(client) << (client ? "" : client.error().message);
    return *std::move(client);
}

const std::array<float, 8> kValues = {1, 2, 3, 4, 5, 6, 7, 8};

InferRequest four(std::string model = "four", std::int64_t rows = 1) {
    InferRequest request;
    request.model = std::move(model);
    const auto count = static_cast<std::size_t>(4 * rows);
    request.inputs = {make_input("x", std::span<const float>(kValues).first(count), {rows, 4})};
    return request;
}

std::string error_of(const Result<InferResult>& result) {
    return result ? "" : result.error().message;
}

TEST(EachWire, ServerAndModelsAreThere) {
    Client client = open();
    EXPECT_TRUE(client.server_live().value());
    EXPECT_TRUE(client.server_ready().value());
    EXPECT_TRUE(client.model_ready("four").value());
    EXPECT_FALSE(client.model_ready("none").value());
    const auto model = client.model("pair");
    ASSERT_TRUE(model) << model.error().message;
    ASSERT_EQ(model->inputs.size(), 2u);
    EXPECT_EQ(model->inputs[1].name, "b");
    EXPECT_EQ(model->inputs[1].shape, Shape({-1, 3}));
    EXPECT_EQ(model->outputs[0].dtype, DataType::kInt32);
    EXPECT_EQ(model->versions, std::vector<std::string>{"1"});
}

TEST(EachWire, EveryDatatypeComesBackAsItWas) {
    Client client = open();
    std::array<std::byte, 48> bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i % 2);
    InferResult result;
    for (int i = 0; i < kDataTypeCount; ++i) {
        const auto type = static_cast<DataType>(i);
        if (type == DataType::kBytes) continue;
        std::string name(to_string(type));
        for (char& c : name) c = static_cast<char>(std::tolower(c));
        InferRequest request;
        request.model = "identity_" + name;
        request.id = "id \"" + name + "\"";
        request.inputs = {{"x", type, {2, 3}, std::span(bytes).first(6 * element_bytes(type))}};
        const auto answered = client.infer(request, result);
        ASSERT_TRUE(answered) << name << ": " << answered.error().message;
        const Output& y = result["y"];
        EXPECT_EQ(y.dtype, type);
        EXPECT_EQ(y.shape, Shape({2, 3}));
        ASSERT_EQ(y.data.size(), 6 * element_bytes(type));
        EXPECT_EQ(std::memcmp(y.data.data(), bytes.data(), y.data.size()), 0) << name;
        EXPECT_EQ(result.id(), request.id);
        EXPECT_EQ(result.model_name(), request.model);
        EXPECT_EQ(result.model_version(), "1");
        EXPECT_GT(result.timing().total.count(), 0) << "the server says where the time went";
    }
}

TEST(EachWire, StringsComeBackAsTheyWere) {
    Client client = open();
    BytesTensor strings;
    strings.add("one");
    strings.add("");
    strings.add(std::string_view("a\0\xff", 3));
    InferRequest request;
    request.model = "identity_bytes";
    request.inputs = {strings.input("x", {1, 3})};
    const auto result = client.infer(request);
    ASSERT_TRUE(result) << error_of(result);
    EXPECT_EQ((*result)["y"].strings(),
              (std::vector<std::string_view>{"one", "", std::string_view("a\0\xff", 3)}));
}

TEST(EachWire, SeveralTensorsAndTheOnesThatWereAskedFor) {
    Client client = open();
    const std::vector<std::int32_t> a = {1, -2};
    const std::vector<float> b = {0.5, 1.5, 2.5};
    InferRequest request;
    request.model = "pair";
    request.version = "1";
    request.priority = 1;
    request.inputs = {make_input("b", b, {1, 3}), make_input("a", a, {1, 2})};
    auto result = client.infer(request);
    ASSERT_TRUE(result) << error_of(result);
    EXPECT_EQ(result->outputs().size(), 2u);
    EXPECT_EQ((*result)["c"].as<std::int32_t>()[1], -2);
    EXPECT_EQ((*result)["d"].as<float>()[2], 2.5f);
    request.outputs = {"d"};
    result = client.infer(request);
    ASSERT_TRUE(result) << error_of(result);
    ASSERT_EQ(result->outputs().size(), 1u);
    EXPECT_EQ(result->outputs()[0].name, "d");
}

TEST(EachWire, LargeTensorsGoThroughEveryWindow) {
    Client client = open();
    std::vector<std::uint8_t> values(std::size_t{5} << 20);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::uint8_t>(i * 7);
    InferRequest request;
    request.model = "identity_uint8";
    request.inputs = {make_input("x", values, {1, static_cast<std::int64_t>(values.size())})};
    InferResult result;
    for (int i = 0; i < 3; ++i) {
        const auto answered = client.infer(request, result);
        ASSERT_TRUE(answered) << answered.error().message;
        const auto y = result["y"].as<std::uint8_t>();
        ASSERT_EQ(y.size(), values.size());
        EXPECT_EQ(std::memcmp(y.data(), values.data(), y.size()), 0);
    }
    EXPECT_EQ(client.statistics().connections_opened, 1u);
}

TEST(EachWire, RefusalsSayWhatIsWrong) {
    Client client = open();
    auto result = client.infer(four("none"));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kModelNotFound) << error_of(result);
    EXPECT_NE(error_of(result).find("none"), std::string::npos);

    InferRequest request = four();
    request.inputs[0].name = "z";
    result = client.infer(request);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument) << error_of(result);
    EXPECT_NE(error_of(result).find("\"x\" is missing"), std::string::npos);

    request = four("unlucky");
    const std::vector<std::uint8_t> thirteen = {13, 0, 0, 0};
    request.inputs = {make_input("x", thirteen, {1, 4})};
    result = client.infer(request);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kInternal) << error_of(result);
    EXPECT_NE(error_of(result).find("out of luck"), std::string::npos) << error_of(result);

    // The connection is as good as before.
    EXPECT_TRUE(client.infer(four()));
}

TEST(EachWire, DeadlineIsKept) {
    Client client = open();
    InferRequest request;
    request.model = "slow";  // 2 ms for each row.
    const std::vector<float> rows(4 * 200);
    request.inputs = {make_input("x", rows, {200, 4})};
    request.timeout = milliseconds(30);
    const auto before = Clock::now();
    const auto result = client.infer(request);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kDeadlineExceeded) << error_of(result);
    EXPECT_LT(Clock::now() - before, milliseconds(350));
}

TEST(EachWire, ThreadsShareAClient) {
    constexpr std::size_t kThreads = 4;
    Client client = open();
    std::atomic<int> right{0};
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < kThreads; ++i) {
        threads.emplace_back([&client, &right] {
            InferResult result;
            for (int n = 0; n < 100; ++n) {
                if (client.infer(four(), result) && result["y"].as<float>()[3] == 4) ++right;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(right, 400);
    // A thread needs one connection at a time, and may be sent to any of the endpoints.
    EXPECT_LE(client.statistics().connections_opened,
              kThreads * options_of_test().endpoints.size());
}

TEST(EachWire, ManyCallsInFlightOfOneThread) {
    ClientOptions options = options_of_test();
    options.max_connections_per_endpoint = 16;
    Client client = open(options);
    std::vector<std::future<Result<InferResult>>> futures;
    futures.reserve(200);
    const InferRequest request = four("plus_one", 2);
    for (int i = 0; i < 200; ++i) futures.push_back(client.infer_future(request));
    for (auto& future : futures) {
        const auto result = future.get();
        ASSERT_TRUE(result) << error_of(result);
        EXPECT_EQ((*result)["y"].as<float>()[7], 9);
    }
}

TEST(EachWire, CancelledCallLeavesAClientThatWorks) {
    Client client = open();
    InferRequest request;
    request.model = "slow";
    const std::vector<float> rows(4 * 100);
    request.inputs = {make_input("x", rows, {100, 4})};
    std::promise<Result<InferResult>> promise;
    const CallHandle handle = client.infer_async(
        request, [&promise](Result<InferResult> result) { promise.set_value(std::move(result)); });
    handle.cancel();
    EXPECT_EQ(promise.get_future().get().error().code, ErrorCode::kCancelled);
    EXPECT_TRUE(client.infer(four()));
}

// The server behind the first endpoint is killed while this runs; no call may fail.
TEST(Failover, NoCallFailsWhenOneOfTwoServersDies) {
    Client client = open();
    std::printf("running\n");
    std::fflush(stdout);
    const auto until = Clock::now() + seconds(2);
    int calls = 0;
    InferResult result;
    while (Clock::now() < until) {
        const auto answered = client.infer(four(), result);
        ASSERT_TRUE(answered) << "after " << calls << " calls: " << answered.error().message;
        ++calls;
    }
    EXPECT_GT(calls, 100);
    EXPECT_GE(client.statistics().retries, 1u) << "one of the servers was to be killed";
}

TEST(Tls, CertificateOfAnotherNameIsRefused) {
    ClientOptions options = options_of_test();
    options.tls.server_name = "elsewhere.example";
    Client client = open(options);
    const auto result = client.infer(four());
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kUnavailable);
    EXPECT_NE(error_of(result).find("certificate is refused"), std::string::npos)
        << error_of(result);
}

TEST(Tls, UnknownAuthorityIsRefusedUnlessToldOtherwise) {
    ClientOptions options = options_of_test();
    options.tls.ca_file.clear();
    auto result = open(options).infer(four());
    ASSERT_FALSE(result);
    EXPECT_NE(error_of(result).find("certificate is refused"), std::string::npos)
        << error_of(result);
    options.tls.verify = false;
    result = open(options).infer(four());
    EXPECT_TRUE(result) << error_of(result);
}

TEST(Tls, ServerWithoutHttp2IsSaidSo) {
    const auto result = open().infer(four());
    ASSERT_FALSE(result);
    EXPECT_NE(error_of(result).find("ALPN"), std::string::npos) << error_of(result);
}

}  // namespace
}  // namespace lepton
