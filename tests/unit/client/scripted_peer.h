#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "lepton/core/sync.h"

namespace lepton::client {

// One accepted connection of a ScriptedPeer; its methods block.
class PeerSocket {
public:
    explicit PeerSocket(int socket) : socket_(socket) {}
    ~PeerSocket();
    PeerSocket(const PeerSocket&) = delete;
    PeerSocket& operator=(const PeerSocket&) = delete;

    // Returns a whole HTTP/1.1 request, head and body; empty when the client closed instead.
    std::string read_request();
    void send(std::string_view bytes);
    // Returns when the client has closed.
    void wait_closed();
    // Ends the connection with a reset instead of an orderly close.
    void reset();

private:
    int socket_;
    std::string left_;
};

// A server that treats each connection as a test tells it: the first script is for the first
// connection, and so on; the last one for all that follow. Each connection has a thread.
class ScriptedPeer {
public:
    using Script = std::function<void(PeerSocket&)>;

    explicit ScriptedPeer(std::vector<Script> scripts);
    explicit ScriptedPeer(Script script) : ScriptedPeer(std::vector<Script>{std::move(script)}) {}
    ~ScriptedPeer();
    ScriptedPeer(const ScriptedPeer&) = delete;
    ScriptedPeer& operator=(const ScriptedPeer&) = delete;

    [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
    [[nodiscard]] int connections() const { return connections_; }

private:
    void accept_all();

    std::vector<Script> scripts_;
    int port_ = 0;
    int listener_ = -1;  // Declared after its port, which listening sets.
    std::atomic<int> connections_{0};
    Mutex mutex_;
    std::vector<int> open_ LEPTON_GUARDED_BY(mutex_);
    std::vector<std::thread> threads_;  // Used by the accepting thread, until it has ended.
    std::thread acceptor_;
};

// A URL with a loopback port that nobody listens on.
[[nodiscard]] std::string dead_url();

[[nodiscard]] std::string http_answer(std::string_view status,
                                      std::string_view fields,
                                      std::string_view body);
// The answer to an inference: output "y", FP32 [1,n].
[[nodiscard]] std::string infer_answer(const std::vector<float>& values);

// Answers each request of a connection with `answer`, until the client closes.
[[nodiscard]] ScriptedPeer::Script answering(std::string answer);

}  // namespace lepton::client
