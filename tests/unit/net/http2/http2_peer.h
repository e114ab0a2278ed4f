#pragma once

#include <algorithm>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nghttp2/nghttp2.h>

#include "lepton/net/http2/http2_protocol.h"

namespace lepton::net::test {

using Fields = std::vector<std::pair<std::string, std::string>>;

inline std::string find(const Fields& fields, std::string_view name) {
    for (const auto& [key, value] : fields) {
        if (key == name) return value;
    }
    return {};
}

class FakeLoop final : public EventLoop {
public:
    [[nodiscard]] int index() const override { return 0; }
    [[nodiscard]] bool on_loop_thread() const override { return true; }
    void at_turn_end(Task& task) override { tasks_.push(task); }
    void post(Task& task) override { tasks_.push(task); }
    void run_at(Clock::time_point, Task&) override {}
    void run_aside(Task& task, std::uint64_t /*client*/) override {
        holds_aside ? aside_.push(task) : task.run();
    }

    // Lets what was put aside be done, and tells the loop.
    void finish_aside() {
        while (Task* task = aside_.pop()) task->run();
        end_turn();
    }
    bool holds_aside = false;

    void end_turn() {
        TaskList tasks;
        tasks.swap(tasks_);
        while (Task* task = tasks.pop()) task->run();
    }

private:
    TaskList tasks_;
    TaskList aside_;
};

// Does with a message what the test says, or keeps it for the test to answer.
class FakeHandler final : public Handler {
public:
    void handle(Exchange& exchange) noexcept override {
        ++handled;
        if (answer) {
            answer(exchange);
        } else {
            waiting.push_back(&exchange);
        }
    }
    Exchange& next() {
        Exchange& exchange = *waiting.front();
        waiting.pop_front();
        return exchange;
    }

    std::function<void(Exchange&)> answer;
    std::deque<Exchange*> waiting;
    int handled = 0;
};

class FakeWire final : public Wire {
public:
    void write(std::span<const std::byte> head, std::span<const std::byte> body) override {
        ++writes;
        for (const auto part : {head, body}) {
            sent.append(reinterpret_cast<const char*>(part.data()), part.size());
        }
        if (!kernel_takes) unsent += head.size() + body.size();
    }
    [[nodiscard]] std::size_t unsent_bytes() const override { return unsent; }
    void close_when_sent() override { closing = true; }
    [[nodiscard]] EventLoop& loop() override { return the_loop; }
    [[nodiscard]] memory::BufferPool& pool() override { return *used_pool; }
    // Before anything is taken of the pool.
    void use_budget(std::size_t bytes) {
        with_budget = std::make_unique<memory::BufferPool>(bytes);
        used_pool = with_budget.get();
    }
    [[nodiscard]] Handler& handler() override { return the_handler; }
    [[nodiscard]] const Limits& limits() const override { return the_limits; }

    FakeLoop the_loop;
    memory::BufferPool the_pool;
    std::unique_ptr<memory::BufferPool> with_budget;
    memory::BufferPool* used_pool = &the_pool;
    FakeHandler the_handler;
    Limits the_limits;
    std::string sent;
    std::size_t unsent = 0;
    int writes = 0;
    bool kernel_takes = true;
    bool closing = false;
};

// What a client saw of one of its streams, and what it still sends.
struct ClientStream {
    Fields head;
    Fields trailers;
    std::string body;
    int informational = 0;  // Status of an interim answer.
    bool ended = false;     // END_STREAM came.
    bool closed = false;
    std::uint32_t error = 0;

    std::string unsent;
    std::size_t sent = 0;  // Of `unsent`.
    bool finishes = true;  // END_STREAM follows `unsent`.
};

// A real HTTP/2 client and the session under test, joined in memory.
class Http2Peer {
public:
    explicit Http2Peer(const Limits& limits = {},
                       std::vector<nghttp2_settings_entry> settings = {}) {
        wire.the_limits = limits;
        nghttp2_session_callbacks* callbacks = nullptr;
        nghttp2_session_callbacks_new(&callbacks);
        nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
        nghttp2_session_client_new(&client, callbacks, this);
        nghttp2_session_callbacks_del(callbacks);
        nghttp2_submit_settings(client, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
    }
    ~Http2Peer() {
        disconnect();
        for (Exchange* exchange : handler.waiting) exchange->send();
        session.reset();
        nghttp2_session_del(client);
    }
    Http2Peer(const Http2Peer&) = delete;
    Http2Peer& operator=(const Http2Peer&) = delete;

    // Starts a request whose body is `body`; if it does not finish, more() goes on.
    std::int32_t start(const Fields& fields, std::string body, bool finishes) {
        std::vector<nghttp2_nv> nva;
        for (const auto& [name, value] : fields) {
            nva.push_back({bytes(name), bytes(value), name.size(), value.size(), 0});
        }
        nghttp2_data_provider provider{};
        provider.read_callback = read_body;
        const bool has_body = !body.empty() || !finishes;
        const std::int32_t id = nghttp2_submit_request(
            client, nullptr, nva.data(), nva.size(), has_body ? &provider : nullptr, nullptr);
        streams[id].unsent = std::move(body);
        streams[id].finishes = finishes;
        return id;
    }
    void more(std::int32_t id, const std::string& body, bool finishes) {
        streams[id].unsent += body;
        streams[id].finishes = finishes;
        nghttp2_session_resume_data(client, id);
        pump();
    }
    ClientStream& request(const Fields& fields, std::string body = {}, bool finishes = true) {
        const std::int32_t id = start(fields, std::move(body), finishes);
        pump();
        return streams[id];
    }
    ClientStream& call(std::string messages, bool finishes = true, const Fields& extra = {}) {
        return request(grpc_fields(extra), std::move(messages), finishes);
    }
    static Fields grpc_fields(const Fields& extra = {}) {
        Fields fields = {{":method", "POST"},
                         {":scheme", "http"},
                         {":path", "/pkg.Service/Method"},
                         {":authority", "host:1"},
                         {"te", "trailers"},
                         {"content-type", "application/grpc"}};
        fields.insert(fields.end(), extra.begin(), extra.end());
        return fields;
    }

    // Bytes to and fro, turn by turn, until nobody has anything to say.
    void pump() {
        bool progress = true;
        while (progress) {
            const std::string to_server = client_output();
            progress = !to_server.empty();
            give_server(to_server);
            wire.the_loop.end_turn();
            progress |= give_client();
        }
    }
    std::string client_output() {
        std::string out;
        const std::uint8_t* data = nullptr;
        for (ssize_t n; (n = nghttp2_session_mem_send(client, &data)) > 0;) {
            out.append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(n));
        }
        return out;
    }
    void give_server(std::string_view input) {
        if (session == nullptr && !input.empty()) {
            const std::string_view first = input.substr(0, 24);
            session = make_http2_protocol(wire, std::as_bytes(std::span(first)), now);
            input.remove_prefix(first.size());
        }
        while (!input.empty()) {
            const std::span<std::byte> space = session->read_space();
            const std::size_t count = std::min({space.size(), input.size(), chunk_bytes});
            std::memcpy(space.data(), input.data(), count);
            input.remove_prefix(count);
            session->on_read(count, now);
            while (session->has_unread()) {
                ++pieces;
                session->on_read(0, now);
            }
        }
    }
    bool give_client() {
        if (wire.sent.empty()) return false;
        const std::string sent = std::exchange(wire.sent, {});
        (void)nghttp2_session_mem_recv(
            client, reinterpret_cast<const std::uint8_t*>(sent.data()), sent.size());
        return true;
    }
    void disconnect() {
        if (session != nullptr) session->on_closed();
    }

    FakeWire wire;
    FakeHandler& handler = wire.the_handler;
    std::unique_ptr<WireProtocol> session;
    nghttp2_session* client = nullptr;
    Clock::time_point now = Clock::time_point() + std::chrono::hours(1);
    std::map<std::int32_t, ClientStream> streams;
    std::size_t chunk_bytes = std::size_t{1} << 20;  // Of what the server reads at once.
    int pieces = 0;                                  // How often it left a part of that for later.
    std::vector<std::pair<std::uint32_t, std::int32_t>> goaways;  // Code and last stream.
    std::vector<std::size_t> data_frames;                         // Sizes of those received.

private:
    static std::uint8_t* bytes(const std::string& text) {
        return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
    }
    static Http2Peer& of(void* user) { return *static_cast<Http2Peer*>(user); }
    static int on_header(nghttp2_session*,
                         const nghttp2_frame* frame,
                         const std::uint8_t* name,
                         std::size_t name_size,
                         const std::uint8_t* value,
                         std::size_t value_size,
                         std::uint8_t,
                         void* user) {
        ClientStream& stream = of(user).streams[frame->hd.stream_id];
        const std::string key(reinterpret_cast<const char*>(name), name_size);
        const std::string text(reinterpret_cast<const char*>(value), value_size);
        if (key == ":status" && text.starts_with('1')) {
            stream.informational = std::stoi(text);
        } else if (frame->headers.cat == NGHTTP2_HCAT_HEADERS && !stream.head.empty()) {
            stream.trailers.emplace_back(key, text);
        } else {
            stream.head.emplace_back(key, text);
        }
        return 0;
    }
    static int on_data(nghttp2_session*,
                       std::uint8_t,
                       std::int32_t id,
                       const std::uint8_t* data,
                       std::size_t size,
                       void* user) {
        of(user).streams[id].body.append(reinterpret_cast<const char*>(data), size);
        return 0;
    }
    static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
        Http2Peer& self = of(user);
        if (frame->hd.type == NGHTTP2_GOAWAY) {
            self.goaways.emplace_back(frame->goaway.error_code, frame->goaway.last_stream_id);
        }
        if (frame->hd.type == NGHTTP2_DATA) self.data_frames.push_back(frame->hd.length);
        if ((frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
            (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
            self.streams[frame->hd.stream_id].ended = true;
        }
        return 0;
    }
    static int on_close(nghttp2_session*, std::int32_t id, std::uint32_t error, void* user) {
        of(user).streams[id].closed = true;
        of(user).streams[id].error = error;
        return 0;
    }
    static ssize_t read_body(nghttp2_session*,
                             std::int32_t id,
                             std::uint8_t* to,
                             std::size_t room,
                             std::uint32_t* flags,
                             nghttp2_data_source*,
                             void* user) {
        ClientStream& stream = of(user).streams[id];
        const std::size_t count = std::min(room, stream.unsent.size() - stream.sent);
        if (count == 0 && !stream.finishes) return NGHTTP2_ERR_DEFERRED;
        std::memcpy(to, stream.unsent.data() + stream.sent, count);
        stream.sent += count;
        if (stream.sent == stream.unsent.size() && stream.finishes) *flags |= NGHTTP2_DATA_FLAG_EOF;
        return static_cast<ssize_t>(count);
    }
};

// A gRPC message as it goes over the wire.
inline std::string framed(std::string_view message, bool compressed = false) {
    std::string out(1, compressed ? '\1' : '\0');
    for (int shift = 24; shift >= 0; shift -= 8) {
        out.push_back(static_cast<char>((message.size() >> shift) & 0xff));
    }
    return out.append(message);
}

inline const Fields kGet = {
    {":method", "GET"}, {":scheme", "http"}, {":path", "/v2?a=b"}, {":authority", "host:1"}};
inline const Fields kPost = {{":method", "POST"},
                             {":scheme", "http"},
                             {":path", "/v2/models/m/infer"},
                             {":authority", "host:1"},
                             {"content-type", "application/json"}};

// Answers with the message itself.
inline void echo(Exchange& exchange) {
    exchange.reply.body.append(exchange.message.body.bytes());
    exchange.send();
}

}  // namespace lepton::net::test
