// client_hedged URL...: several servers hold the model "digits". A call that takes longer than most
// is sent a second time, to another server, and the first answer is taken.

#include <array>
#include <cinttypes>
#include <cstdio>

#include <lepton/client.h>

int main(int argc, char** argv) {
    lepton::ClientOptions options;
    options.endpoints.assign(argv + 1, argv + argc);
    options.timeout = std::chrono::milliseconds(200);
    options.hedge.enabled = true;  // After the 95th percentile, for at most 5 % of the calls.
    options.hedge.same_endpoint = options.endpoints.size() == 1;
    auto client = lepton::Client::open(options);
    if (!client) {
        std::fprintf(stderr, "client_hedged: %s\n", client.error().message.c_str());
        return 2;
    }

    const std::array<float, 64> image{};
    lepton::InferRequest request;
    request.model = "digits";
    request.inputs = {lepton::make_input("image", std::span<const float>(image), {1, 1, 8, 8})};
    lepton::InferResult result;
    for (int i = 0; i < 2000; ++i) {
        const auto answered = client->infer(request, result);
        if (answered) continue;
        std::fprintf(stderr, "client_hedged: %s\n", answered.error().message.c_str());
        return 1;
    }
    const lepton::ClientStatistics did = client->statistics();
    std::printf("%" PRIu64 " calls, %" PRIu64 " hedged, of which %" PRIu64 " won; %" PRIu64
                " retries\n",
                did.calls,
                did.hedges,
                did.hedges_won,
                did.retries);
    return 0;
}
