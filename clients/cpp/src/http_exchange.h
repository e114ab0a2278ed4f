#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "chunked_body.h"
#include "exchange.h"
#include "http_head.h"
#include "http_request.h"
#include "json_answer.h"

namespace lepton::client {

// Asks questions over HTTP/1.1 with binary tensors, one after the other on one connection. The
// answer is received straight into the result's storage, placed so that its first tensor is
// aligned:
//
//   | head | gap | JSON part | outputs' data | tail |
//                            ^ at a multiple of 64
//
// Not thread-safe; its connection owns it.
class HttpExchange final : public Exchange {
public:
    // `host` is the value of the header Host.
    HttpExchange(std::string host, std::size_t max_answer_bytes)
        : request_(std::move(host)), max_answer_bytes_(max_answer_bytes) {}

    Result<> begin(const Operation& operation, Answer& answer) override;
    std::span<const iovec> to_send() override { return request_.unsent(); }
    void sent(std::size_t bytes) override { request_.sent(bytes); }
    std::span<std::byte> space() override;
    void received(std::size_t bytes) override;
    void received_end() override;
    [[nodiscard]] bool done() const override { return state_ == State::kIdle; }
    [[nodiscard]] const Failure* failure() const override { return failed_ ? &failure_ : nullptr; }
    bool abandon() override;
    [[nodiscard]] bool reusable() const override { return reusable_; }

private:
    enum class State : std::uint8_t { kIdle, kHead, kSized, kChunked, kUntilEnd };

    ByteBuffer& bytes() { return answer_->result.contents().bytes; }
    void receive_head();
    void place_body(std::size_t head_bytes);
    void receive_chunks();
    void finish();
    Result<> read_answer();
    void fail_as_answered();
    void end_with(Failure::Cause cause, Error error);

    HttpRequest request_;
    JsonAnswer json_;
    ChunkedBody chunks_;
    std::size_t max_answer_bytes_;

    Answer* answer_ = nullptr;
    Operation::Kind kind_ = Operation::Kind::kInfer;
    State state_ = State::kIdle;
    bool reusable_ = true;
    bool failed_ = false;
    Failure failure_;

    HttpHead head_;
    std::size_t searched_ = 0;  // Bytes that are known not to hold the end of the head.
    std::size_t body_at_ = 0;
    std::size_t body_bytes_ = 0;
    std::array<std::byte, 256> unasked_{};  // Room for what comes between questions.
};

// The error for an answer whose status is not 200.
[[nodiscard]] ErrorCode error_code_of_http(int status);

}  // namespace lepton::client
