#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <sys/uio.h>

#include "exchange.h"

namespace lepton::client {

// One HTTP/1.1 request, as spans: its head, the JSON part of an inference, the caller's tensors.
// Keeps its storage from one request to the next. Not thread-safe; its exchange owns it.
class HttpRequest {
public:
    // `host` is the value of the header Host.
    explicit HttpRequest(std::string host) : host_(std::move(host)) {}

    // Errors: kInvalidArgument, for data that does not fit its shape.
    Result<> write(const Operation& operation);

    [[nodiscard]] std::span<const iovec> unsent() const {
        return std::span(spans_).subspan(first_unsent_);
    }
    void sent(std::size_t bytes);
    void clear();

private:
    void write_target(const Operation& operation);
    void write_json(const InferRequest& request, Clock::time_point deadline);

    std::string host_;
    std::string head_;
    std::string json_;
    std::vector<iovec> spans_;
    std::size_t first_unsent_ = 0;
};

}  // namespace lepton::client
