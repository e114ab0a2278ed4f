#include "scripted_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace lepton::client {
namespace {

int listen_on_loopback(int& port) {
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        listen(listener, 64) != 0 ||
        getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        throw std::runtime_error("no port on the loopback");
    }
    port = ntohs(address.sin_port);
    return listener;
}

std::size_t content_length(std::string_view head) {
    const std::size_t at = head.find("\r\nContent-Length: ");
    if (at == std::string_view::npos) return 0;
    return std::stoul(
        std::string(head.substr(at + std::string_view("\r\nContent-Length: ").size())));
}

}  // namespace

PeerSocket::~PeerSocket() {
    // The peer closes the descriptors, since it may still want to shut them down.
    shutdown(socket_, SHUT_RDWR);
}

std::string PeerSocket::read_request() {
    char bytes[4096];
    while (true) {
        const std::size_t end = left_.find("\r\n\r\n");
        if (end != std::string::npos) {
            const std::size_t whole =
                end + 4 + content_length(std::string_view(left_).substr(0, end));
            if (left_.size() >= whole) {
                std::string request = left_.substr(0, whole);
                left_.erase(0, whole);
                return request;
            }
        }
        const ssize_t count = recv(socket_, bytes, sizeof bytes, 0);
        if (count <= 0) return {};
        left_.append(bytes, static_cast<std::size_t>(count));
    }
}

void PeerSocket::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (count <= 0) return;
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
}

void PeerSocket::wait_closed() {
    while (!read_request().empty()) {
    }
}

void PeerSocket::reset() {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    // Connecting to nowhere ends a TCP connection with a reset, and keeps the descriptor.
    sockaddr nowhere{};
    nowhere.sa_family = AF_UNSPEC;
    connect(socket_, &nowhere, sizeof nowhere);
}

ScriptedPeer::ScriptedPeer(std::vector<Script> scripts)
    : scripts_(std::move(scripts)), listener_(listen_on_loopback(port_)) {
    acceptor_ = std::thread([this] { accept_all(); });
}

ScriptedPeer::~ScriptedPeer() {
    shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    {
        const MutexLock lock(mutex_);
        for (const int socket : open_) shutdown(socket, SHUT_RDWR);
    }
    for (std::thread& thread : threads_) thread.join();
    for (const int socket : open_) close(socket);
    close(listener_);
}

void ScriptedPeer::accept_all() {
    while (true) {
        const int socket = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (socket < 0) return;
        {
            const MutexLock lock(mutex_);
            open_.push_back(socket);
        }
        const auto number = static_cast<std::size_t>(connections_++);
        const Script& script = scripts_[std::min(number, scripts_.size() - 1)];
        threads_.emplace_back([&script, socket] {
            PeerSocket peer(socket);
            script(peer);
        });
    }
}

std::string dead_url() {
    int port = 0;
    close(listen_on_loopback(port));
    return "http://127.0.0.1:" + std::to_string(port);
}

std::string http_answer(std::string_view status, std::string_view fields, std::string_view body) {
    std::string answer = "HTTP/1.1 ";
    answer.append(status).append("\r\n").append(fields);
    answer.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n\r\n");
    return answer.append(body);
}

std::string infer_answer(const std::vector<float>& values) {
    const std::size_t bytes = values.size() * sizeof(float);
    const std::string json =
        R"({"model_name":"m","model_version":"3","id":"7","outputs":[{"name":"y","datatype":"FP32",)"
        R"("shape":[1,)" +
        std::to_string(values.size()) + R"(],"parameters":{"binary_data_size":)" +
        std::to_string(bytes) + "}}]}";
    std::string body = json;
    body.append(reinterpret_cast<const char*>(values.data()), bytes);
    return http_answer("200 OK",
                       "Content-Type: application/octet-stream\r\n"
                       "Inference-Header-Content-Length: " +
                           std::to_string(json.size()) +
                           "\r\nServer-Timing: net;dur=0.004, queue;dur=0, compute;dur=0.25\r\n",
                       body);
}

ScriptedPeer::Script answering(std::string answer) {
    return [answer = std::move(answer)](PeerSocket& peer) {
        while (!peer.read_request().empty()) peer.send(answer);
    };
}

}  // namespace lepton::client
