#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

namespace lepton::bench {

// Where a server listens: "127.0.0.1:8000" or "unix:/run/lepton.sock".
struct Endpoint {
    std::string host;
    std::uint16_t port = 0;
    std::string path;  // Not empty: a Unix domain socket, and host and port mean nothing.

    [[nodiscard]] std::string to_string() const;
};

// Throws std::invalid_argument, naming the text.
[[nodiscard]] Endpoint parse_endpoint(const std::string& text);

// Owns a descriptor. Not thread-safe; the owner serialises.
class Socket {
public:
    explicit Socket(int fd = -1) : fd_(fd) {}
    Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Socket& operator=(Socket&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    ~Socket();

    [[nodiscard]] int fd() const { return fd_; }

    // Bytes moved; 0 where the call would block, or was told to. Both throw std::system_error, and
    // receive() throws std::runtime_error when the peer has closed.
    [[nodiscard]] std::size_t send(std::span<const std::byte> bytes, int flags = 0) const;
    [[nodiscard]] std::size_t receive(std::span<std::byte> space, int flags = 0) const;

private:
    int fd_;
};

// Connected and blocking, Nagle's algorithm off. Throws std::system_error, naming the endpoint.
[[nodiscard]] Socket connect_to(const Endpoint& endpoint);

// Listens; a port of 0 is replaced by the one that the kernel chose.
[[nodiscard]] Socket listen_on(Endpoint& endpoint);
[[nodiscard]] Socket accept_from(const Socket& listener);

// Keeps the calling thread on one processor; a negative number changes nothing.
void pin_to(int cpu);

}  // namespace lepton::bench
