// Reads any bytes as a client's HTTP/1.1, once all at once and once in pieces, with answers that
// come at once or later. However the bytes arrive, the requests in them are the same. The first
// byte chooses the size of the pieces and when they are answered.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lepton/net/http1/http1_protocol.h"
#include "unit/net/http2/http2_peer.h"

namespace lepton::net::test {
namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

// What the handler learns about one request.
std::string summary(const Exchange& exchange) {
    const Message& message = exchange.message;
    std::string text = std::to_string(static_cast<int>(message.method)) + message.path + '?' +
                       message.query + '\n';
    for (std::size_t i = 0; i < message.fields.size(); ++i) {
        const std::string_view name = message.fields.name(i);
        require(name != "transfer-encoding" || message.fields.find("content-length").empty());
        text.append(name).append(":").append(message.fields.value(i)).append("\n");
    }
    return text.append(message.body.text());
}

// Feeds `input` in pieces of at most `piece` bytes, and returns the resulting requests.
std::vector<std::string> requests_of(std::string_view input, std::size_t piece, bool at_once) {
    FakeWire wire;
    wire.the_limits.max_head_bytes = 1'000;
    wire.the_limits.max_body_bytes = 4'096;
    wire.the_limits.max_unsent_bytes = 200;
    std::vector<std::string> requests;
    const auto answer = [&requests](Exchange& exchange) {
        requests.push_back(summary(exchange));
        exchange.reply.body.append("{}");
        exchange.send();
    };
    if (at_once) wire.the_handler.answer = answer;
    const auto settle = [&](WireProtocol& session) {
        while (!wire.the_handler.waiting.empty()) answer(wire.the_handler.next());
        wire.kernel_takes = !wire.kernel_takes;
        while (std::exchange(wire.unsent, 0) > 0) session.on_writable();
        while (!wire.the_handler.waiting.empty()) answer(wire.the_handler.next());
    };
    const Clock::time_point now = Clock::time_point() + std::chrono::hours(1);
    memory::Buffer first = wire.the_pool.take(4096);
    first.append(input.substr(0, std::min<std::size_t>(piece, 4096)));
    input.remove_prefix(first.size());
    const std::unique_ptr<WireProtocol> session = make_http1_protocol(wire, std::move(first), now);
    while (!input.empty() && !wire.closing) {
        settle(*session);
        const std::span<std::byte> space = session->read_space();
        require(!space.empty());
        const std::size_t count = std::min({space.size(), input.size(), piece});
        std::memcpy(space.data(), input.data(), count);
        input.remove_prefix(count);
        session->on_read(count, now);
    }
    settle(*session);
    // A client that shuts down its side gets the answers that it is owed, and then nothing.
    if (session->on_end()) {
        session->probe();
        settle(*session);
    }
    session->on_closed();
    settle(*session);
    require(session->idle());
    return requests;
}

void run(std::string_view input) {
    const auto how = static_cast<std::uint8_t>(input[0]);
    input.remove_prefix(1);
    const auto whole = requests_of(input, SIZE_MAX, true);
    const auto pieces = requests_of(input, 1 + how % 64, how < 128);
    // A limit may be noticed earlier or later, so one of them may have ended sooner.
    const std::size_t both = std::min(whole.size(), pieces.size());
    require(std::equal(
        whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(both), pieces.begin()));
}

}  // namespace
}  // namespace lepton::net::test

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    lepton::net::test::run({reinterpret_cast<const char*>(data), size});
    return 0;
}
