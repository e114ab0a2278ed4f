// client_async URL: many calls in flight from one thread, to the model "digits" of `lepton demo`.

#include <array>
#include <cstdio>
#include <future>
#include <vector>

#include <lepton/client.h>

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: client_async URL\n");
        return 2;
    }
    auto client = lepton::Client::open(argv[1]);
    if (!client) {
        std::fprintf(stderr, "client_async: %s\n", client.error().message.c_str());
        return 2;
    }

    // Every call asks about this one image, so it lives until the last of them has ended.
    const std::array<float, 64> image{};
    lepton::InferRequest request;
    request.model = "digits";
    request.inputs = {lepton::make_input("image", std::span<const float>(image), {1, 1, 8, 8})};

    // With futures:
    constexpr int kCalls = 100;
    std::vector<std::future<lepton::Result<lepton::InferResult>>> futures;
    futures.reserve(kCalls);
    for (int i = 0; i < kCalls; ++i) futures.push_back(client->infer_future(request));
    int answered = 0;
    for (auto& future : futures) answered += future.get().has_value() ? 1 : 0;
    std::printf("%d of %d answered\n", answered, kCalls);

    // With a callback, which runs on the client's thread, and a handle that can cancel the call:
    std::promise<lepton::ErrorCode> ended;
    const lepton::CallHandle handle =
        client->infer_async(request, [&ended](lepton::Result<lepton::InferResult> result) {
            ended.set_value(result ? lepton::ErrorCode::kInternal : result.error().code);
        });
    handle.cancel();
    const bool cancelled = ended.get_future().get() == lepton::ErrorCode::kCancelled;
    std::printf("%s\n", cancelled ? "cancelled" : "answered before it could be cancelled");
    return answered == kCalls ? 0 : 1;
}
