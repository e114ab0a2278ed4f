// Drives a session with anything that a client, the kernel, the handler and the clock may do, in
// any order. The input is a list of steps: one byte that chooses the step, one argument, one
// length, and that many bytes for it.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "fakes/told_state.h"
#include "unit/net/http2/http2_peer.h"

namespace lepton::net::test {
namespace {

constexpr std::string_view kPreface("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33);

enum class Step : std::uint8_t {
    kRaw,
    kGrpcHead,
    kHttpHead,
    kData,
    kMessage,
    kReset,
    kWindow,
    kSettings,
    kAnswer,
    kPush,
    kEndTurn,
    kKernel,
    kTimeout,
    kDrain,
    kCount,
};

std::string frame(std::uint8_t type,
                  std::uint8_t flags,
                  std::uint32_t stream,
                  std::string_view body) {
    std::string out;
    for (int shift = 16; shift >= 0; shift -= 8) {
        out.push_back(static_cast<char>((body.size() >> shift) & 0xff));
    }
    out.push_back(static_cast<char>(type));
    out.push_back(static_cast<char>(flags));
    for (int shift = 24; shift >= 0; shift -= 8) {
        out.push_back(static_cast<char>((stream >> shift) & 0xff));
    }
    return out.append(body);
}

// Encodes a header block that leaves the dynamic table alone, so that any number may be sent.
std::string encoded(const Fields& fields) {
    std::string out;
    const auto text = [&out](std::string_view value) {
        out.push_back(static_cast<char>(value.size()));  // All are below 127 bytes.
        out.append(value);
    };
    for (const auto& [name, value] : fields) {
        out.push_back('\x10');  // RFC 7541 section 6.2.3: never indexed, with a new name.
        text(name);
        text(value);
    }
    return out;
}

class Driver {
public:
    Driver() {
        wire_.the_limits.max_head_bytes = 1'000;
        wire_.the_limits.max_body_bytes = 4'096;
        wire_.the_limits.max_streams = 8;
        wire_.the_limits.max_unsent_bytes = 8'192;
    }

    void begin(std::string_view bytes) {
        session_ = make_http2_protocol(wire_, std::as_bytes(std::span(bytes)), now_);
    }

    void run(Step step, std::uint8_t argument, std::string_view bytes) {
        const std::uint32_t stream = 1 + 2 * (argument & 0x0fu);
        const std::uint8_t end_stream = argument >> 7;
        switch (step) {
            case Step::kRaw:
                return read(bytes);
            case Step::kGrpcHead: {
                Fields fields = Http2Peer::grpc_fields(
                    {{"grpc-encoding", (argument & 0x40) != 0 ? "gzip" : "identity"},
                     {"grpc-accept-encoding", "gzip"}});
                return read(frame(1, 4 | end_stream, stream, encoded(fields)));
            }
            case Step::kHttpHead:
                return read(frame(1, 4 | end_stream, stream, encoded(kPost) + std::string(bytes)));
            case Step::kData:
                return read(frame(0, end_stream, stream, bytes));
            case Step::kMessage:
                return read(frame(0, end_stream, stream, framed(bytes, (argument & 0x40) != 0)));
            case Step::kReset:
                return read(frame(3, 0, stream, std::string_view("\0\0\0\x8", 4)));
            case Step::kWindow:
                return read(frame(8, 0, (argument & 0x10) != 0 ? 0 : stream, bytes.substr(0, 4)));
            case Step::kSettings:
                return read(frame(4, 0, 0, bytes.substr(0, bytes.size() / 6 * 6)));
            case Step::kAnswer:
                return answer(argument, bytes);
            case Step::kPush:
                if (!held_.empty()) push(*held_[argument % held_.size()], bytes);
                return;
            case Step::kEndTurn:
                return wire_.the_loop.end_turn();
            case Step::kKernel:
                wire_.kernel_takes = (argument & 1) != 0;
                if (!wire_.kernel_takes || wire_.unsent == 0) return;
                wire_.unsent = 0;
                return session_->on_writable();
            case Step::kTimeout:
                now_ += std::chrono::seconds(argument);
                if (now_ >= session_->read_deadline()) session_->on_timeout(now_);
                return;
            case Step::kDrain:
                return session_->on_drain();
            case Step::kCount:
                return;
        }
    }

    // The client goes away: once everything that is owed was sent, nothing may be left.
    void finish() {
        session_->on_closed();
        if (!held_.empty()) std::abort();
        while (!wire_.the_handler.waiting.empty()) wire_.the_handler.next().send();
        wire_.the_loop.end_turn();
        if (!session_->idle()) std::abort();
    }

private:
    void read(std::string_view bytes) {
        while (!bytes.empty()) {
            const std::span<std::byte> space = session_->read_space();
            const std::size_t count = std::min(space.size(), bytes.size());
            std::memcpy(space.data(), bytes.data(), count);
            bytes.remove_prefix(count);
            session_->on_read(count, now_);
            while (session_->has_unread()) session_->on_read(0, now_);
        }
        wire_.sent.clear();
    }

    void answer(std::uint8_t how, std::string_view body) {
        if (wire_.the_handler.waiting.empty()) return;
        Exchange& exchange = wire_.the_handler.next();
        const bool is_held = exchange.held;
        // The half-close of a call that is held needs no answer.
        if (is_held && !exchange.message.has_body) return;
        exchange.reply.body.append(body);
        exchange.reply.has_body = (how & 1) != 0;
        exchange.reply.last = !exchange.message.grpc || (how & 2) != 0;
        exchange.reply.grpc_status = how >> 4;
        const bool holds = !exchange.reply.last && !exchange.client_gone && (how & 4) != 0;
        if (is_held && exchange.reply.last) forget(exchange);
        if (!is_held && holds) {
            held_.push_back(&exchange);
            fakes::hold(exchange, [this](Exchange& gone) { end_held(gone); });
        }
        exchange.send();
    }

    // A held call is handed over again for each further message, whether or not we answered it.
    void forget(Exchange& exchange) {
        std::erase(held_, &exchange);
        std::erase(wire_.the_handler.waiting, &exchange);
    }

    static void push(Exchange& exchange, std::string_view body) {
        exchange.reply.body.append(body);
        exchange.reply.last = false;
        exchange.send();
    }

    void end_held(Exchange& exchange) {
        forget(exchange);
        exchange.reply.last = true;
        exchange.send();
    }

    FakeWire wire_;
    Clock::time_point now_ = Clock::time_point() + std::chrono::hours(1);
    std::vector<Exchange*> held_;
    std::unique_ptr<WireProtocol> session_;
};

void run(std::string_view input) {
    Driver driver;
    driver.begin(kPreface);
    while (input.size() >= 3) {
        const auto step = static_cast<Step>(static_cast<std::uint8_t>(input[0]) %
                                            static_cast<std::uint8_t>(Step::kCount));
        const auto argument = static_cast<std::uint8_t>(input[1]);
        const std::size_t length =
            std::min<std::size_t>(static_cast<std::uint8_t>(input[2]), input.size() - 3);
        driver.run(step, argument, input.substr(3, length));
        input.remove_prefix(3 + length);
    }
    driver.finish();
}

}  // namespace
}  // namespace lepton::net::test

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    lepton::net::test::run({reinterpret_cast<const char*>(data), size});
    return 0;
}
