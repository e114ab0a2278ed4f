#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "lepton/core/clock.h"
#include "lepton/core/result.h"
#include "lepton/memory/buffer_pool.h"
#include "lepton/net/connection_table.h"
#include "lepton/net/limits.h"
#include "lepton/net/message.h"

namespace lepton::net {

// Where what changes the server is asked for.
struct AdminAddress {
    std::string host = "127.0.0.1";
    std::uint16_t port = 8003;            // 0: any free one. Triton's are 8000 to 8002.
    std::filesystem::path unix_socket{};  // In place of host and port, if not empty.
    bool or_any_port = true;              // Where that one is taken.
};

struct FrontendOptions {
    std::string host = "127.0.0.1";
    std::uint16_t port = 8000;            // 0: any free one.
    std::filesystem::path unix_socket{};  // Listened on as well, if not empty.
    std::optional<AdminAddress> admin{};  // The listener of Door::kAdmin, if any.
    int reactors = 1;                     // Threads that read, run small models, and write.
    Clock::duration busy_poll{};          // Spin this long before sleeping.
    Limits limits{};
};

// The listeners and the reactor threads: every client comes in here, whatever protocol it speaks.
// Not thread-safe; the owner serialises.
class Frontend {
public:
    // Binds, and answers nothing yet: connections wait in the backlog until start(). `handler` and
    // `pool` must outlive the frontend. Errors: kUnavailable for an address that cannot be had,
    // kInvalidArgument for one that makes no sense.
    static Result<std::unique_ptr<Frontend>> open(const FrontendOptions& options,
                                                  Handler& handler,
                                                  memory::BufferPool& pool);
    ~Frontend();  // stop(), if need be.

    void start();
    // Takes no new connections; clients are told that the next answer is the last one, have a
    // moment to hear of it, and what is running is answered: as unavailable, where it runs until
    // shortly before `deadline`. Returns when every connection has closed, or at `deadline`.
    void drain(Clock::time_point deadline);
    void stop();

    [[nodiscard]] std::uint16_t port() const;
    // How a client of this machine gets to the admin listener: "http://127.0.0.1:8003",
    // "unix:/run/lepton"; empty where there is none.
    [[nodiscard]] const std::string& admin_url() const;  // Thread-safe.
    // Whether others than this machine can reach the port, or the admin listener.
    [[nodiscard]] bool is_open_to_network() const;
    [[nodiscard]] bool is_admin_open_to_network() const;
    [[nodiscard]] const ConnectionTable& connections() const;

private:
    struct Impl;
    explicit Frontend(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace lepton::net
