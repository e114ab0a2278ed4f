#include "socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <stdexcept>
#include <system_error>

namespace lepton::bench {
namespace {

[[noreturn]] void fail(const std::string& what) {
    throw std::system_error(errno, std::generic_category(), what);
}

// An endpoint in the kernel's form.
class Address {
public:
    explicit Address(const Endpoint& endpoint) {
        if (endpoint.path.empty()) {
            auto& tcp = reinterpret_cast<sockaddr_in&>(storage_);
            tcp.sin_family = AF_INET;
            tcp.sin_port = htons(endpoint.port);
            if (inet_pton(AF_INET, endpoint.host.c_str(), &tcp.sin_addr) != 1) {
                throw std::invalid_argument("\"" + endpoint.host + "\" is no IPv4 address");
            }
            size_ = sizeof(tcp);
        } else {
            auto& local = reinterpret_cast<sockaddr_un&>(storage_);
            local.sun_family = AF_UNIX;
            if (endpoint.path.size() >= sizeof(local.sun_path)) {
                throw std::invalid_argument("socket path \"" + endpoint.path + "\" is too long");
            }
            std::strcpy(local.sun_path, endpoint.path.c_str());
            size_ = sizeof(local);
        }
    }
    [[nodiscard]] const sockaddr* get() const {
        return reinterpret_cast<const sockaddr*>(&storage_);
    }
    [[nodiscard]] sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage_); }
    [[nodiscard]] socklen_t size() const { return size_; }

private:
    sockaddr_storage storage_{};
    socklen_t size_ = 0;
};

Socket make_socket(const Endpoint& endpoint) {
    Socket made(::socket(endpoint.path.empty() ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (made.fd() < 0) fail("socket");
    return made;
}

void send_at_once(const Socket& socket) {
    const int on = 1;
    // This fails on a Unix domain socket, which never delays.
    ::setsockopt(socket.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

}  // namespace

std::string Endpoint::to_string() const {
    return path.empty() ? host + ":" + std::to_string(port) : "unix:" + path;
}

Endpoint parse_endpoint(const std::string& text) {
    constexpr std::string_view kUnix = "unix:";
    if (text.starts_with(kUnix)) return {.host = "", .port = 0, .path = text.substr(kUnix.size())};
    const std::size_t colon = text.rfind(':');
    Endpoint endpoint;
    if (colon != std::string::npos) {
        endpoint.host = text.substr(0, colon);
        const char* end = text.data() + text.size();
        const auto parsed = std::from_chars(text.data() + colon + 1, end, endpoint.port);
        if (parsed.ec == std::errc() && parsed.ptr == end) return endpoint;
    }
    throw std::invalid_argument("\"" + text + "\" is neither ADDRESS:PORT nor unix:PATH");
}

Socket::~Socket() {
    if (fd_ >= 0) ::close(fd_);
}

std::size_t Socket::send(std::span<const std::byte> bytes, int flags) const {
    const ssize_t count = ::send(fd_, bytes.data(), bytes.size(), flags | MSG_NOSIGNAL);
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno == EAGAIN || errno == EINTR) return 0;
    fail("send");
}

std::size_t Socket::receive(std::span<std::byte> space, int flags) const {
    const ssize_t count = ::recv(fd_, space.data(), space.size(), flags);
    if (count > 0) return static_cast<std::size_t>(count);
    if (count == 0) throw std::runtime_error("the peer closed the connection");
    if (errno == EAGAIN || errno == EINTR) return 0;
    fail("recv");
}

Socket connect_to(const Endpoint& endpoint) {
    Socket socket = make_socket(endpoint);
    const Address address(endpoint);
    if (::connect(socket.fd(), address.get(), address.size()) != 0) {
        fail("connect to " + endpoint.to_string());
    }
    send_at_once(socket);
    return socket;
}

Socket listen_on(Endpoint& endpoint) {
    Socket socket = make_socket(endpoint);
    Address address(endpoint);
    if (::bind(socket.fd(), address.get(), address.size()) != 0 ||
        ::listen(socket.fd(), 1024) != 0) {
        fail("listen on " + endpoint.to_string());
    }
    if (endpoint.path.empty()) {
        socklen_t size = address.size();
        if (::getsockname(socket.fd(), address.get(), &size) != 0) fail("getsockname");
        endpoint.port = ntohs(reinterpret_cast<sockaddr_in*>(address.get())->sin_port);
    }
    return socket;
}

Socket accept_from(const Socket& listener) {
    Socket accepted(::accept4(listener.fd(), nullptr, nullptr, SOCK_CLOEXEC));
    if (accepted.fd() < 0) fail("accept");
    send_at_once(accepted);
    return accepted;
}

void pin_to(int cpu) {
    if (cpu < 0) return;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<std::size_t>(cpu), &set);
    if (::sched_setaffinity(0, sizeof(set), &set) != 0) fail("pin to cpu " + std::to_string(cpu));
}

}  // namespace lepton::bench
