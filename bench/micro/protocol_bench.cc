// The cost of the wire format: from a complete message to a complete reply, around a model that
// answers at once. 128 numbers in and 10 out per row, like the benchmark's mlp.

#include <string>

#include <benchmark/benchmark.h>

#include "bench_exchange.h"
#include "lepton/observe/request_watch.h"
#include "lepton/protocol/kserve/grpc_infer_decode.h"
#include "lepton/protocol/kserve/infer_fields.h"
#include "lepton/protocol/kserve/rest_infer_decode.h"
#include "lepton/protocol/router.h"
#include "question.h"

namespace lepton::bench {
namespace {

constexpr std::int64_t kIn = 128;
constexpr std::int64_t kOut = 10;

Question question_of(std::int64_t rows) {
    Question question{.model = "mlp", .inputs = {}, .output_bytes = 0};
    std::string tensor = "x:FP32:";
    tensor.append(std::to_string(rows)).append("x").append(std::to_string(kIn));
    question.inputs.push_back(parse_tensor(tensor));
    return question;
}

Received http_json(std::int64_t rows) {
    return {.grpc = false,
            .path = "/v2/models/mlp/infer",
            .fields = {{"host", "127.0.0.1:8000"}, {"content-type", "application/json"}},
            .body = json_body(question_of(rows))};
}

Received http_binary(std::int64_t rows) {
    BinaryBody body = binary_body(question_of(rows));
    return {.grpc = false,
            .path = "/v2/models/mlp/infer",
            .fields = {{"host", "127.0.0.1:8000"},
                       {"content-type", "application/octet-stream"},
                       {"inference-header-content-length", std::to_string(body.json_bytes)}},
            .body = std::move(body.bytes)};
}

Received grpc(std::int64_t rows) {
    return {.grpc = true,
            .path = "/inference.GRPCInferenceService/ModelInfer",
            .fields = {{"te", "trailers"}, {"content-type", "application/grpc"}},
            .body = protobuf_body(question_of(rows))};
}

Received http_traced(std::int64_t rows) {
    Received received = http_binary(rows);
    received.fields.emplace_back("traceparent",
                                 "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00");
    return received;
}

void set_bytes(benchmark::State& state, const Received& received) {
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(received.body.size()));
}

template <auto make_received>
void answer(benchmark::State& state) {
    const std::int64_t rows = state.range(0);
    const Received received = make_received(rows);
    memory::BufferPool pool;
    const auto spec = make_spec(kIn, kOut);
    InstantService service(spec, rows);
    const OneModelCatalog catalog(spec);
    observe::SlowRequests slow;
    observe::RequestWatch watch(slow);
    protocol::Router router(
        {.inference = service, .catalog = catalog, .buffers = pool, .observer = &watch}, {});
    BenchExchange exchange;
    for (auto _ : state) {
        exchange.receive(received, pool);
        router.handle(exchange);
        if (!exchange.answered || exchange.reply.status != 200 || exchange.reply.grpc_status != 0) {
            return state.SkipWithError("the request was refused");
        }
    }
    set_bytes(state, received);
}
BENCHMARK(answer<http_json>)->Name("answer/http_json")->Arg(1)->Arg(16);
BENCHMARK(answer<http_binary>)->Name("answer/http_binary")->Arg(1)->Arg(16);
BENCHMARK(answer<http_traced>)->Name("answer/http_traced")->Arg(1);
BENCHMARK(answer<grpc>)->Name("answer/grpc")->Arg(1)->Arg(16);

template <auto make_received>
void decode(benchmark::State& state) {
    const Received received = make_received(state.range(0));
    memory::BufferPool pool;
    const OneModelCatalog catalog(make_spec(kIn, kOut));
    BenchExchange exchange;
    InferCall call;
    for (auto _ : state) {
        exchange.receive(received, pool);
        const auto fields = protocol::find_infer_fields(exchange.message.fields);
        call.reset();
        const auto decoded =
            received.grpc
                ? protocol::decode_grpc_infer(exchange, call.request, pool)
                : protocol::decode_rest_infer(exchange, call.request, fields, pool, catalog);
        if (!decoded) return state.SkipWithError(decoded.error().message.c_str());
        benchmark::DoNotOptimize(call.request.inputs.data());
    }
    set_bytes(state, received);
}
BENCHMARK(decode<http_json>)->Name("decode/http_json")->Arg(1)->Arg(16);
BENCHMARK(decode<http_binary>)->Name("decode/http_binary")->Arg(1)->Arg(16);
BENCHMARK(decode<grpc>)->Name("decode/grpc")->Arg(1)->Arg(16);

}  // namespace
}  // namespace lepton::bench

BENCHMARK_MAIN();
