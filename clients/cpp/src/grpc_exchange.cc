#include "grpc_exchange.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include "grpc_answer.h"
#include "grpc_request.h"
#include "grpc_session.h"
#include "grpc_status.h"

namespace lepton::client {
namespace {

using Cause = Failure::Cause;

constexpr std::size_t kSpaceBytes = std::size_t{64} << 10;
// The head of each gRPC message: a flag, and the length in four bytes.
constexpr std::size_t kPrefixBytes = 5;
// Room after an answer to align its outputs in; an answer with more outputs is moved to more.
constexpr std::size_t kAlignmentRoom = 64 * kOutputAlignment;

nghttp2_nv field(std::string_view name, std::string_view value) {
    const auto bytes = [](std::string_view text) {
        return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
    };
    return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

Failure broken(std::string message) {
    return {Cause::kProtocol, {ErrorCode::kInternal, std::move(message)}, std::nullopt};
}

class GrpcExchange final : public Exchange, private GrpcSessionListener {
public:
    explicit GrpcExchange(GrpcEndpoint endpoint)
        : endpoint_(std::move(endpoint)), space_(kSpaceBytes), session_(*this, request_) {}

    Result<> begin(const Operation& operation, Answer& answer) override;
    std::span<const iovec> to_send() override;
    void sent(std::size_t bytes) override;
    std::span<std::byte> space() override { return space_; }
    void received(std::size_t bytes) override;
    void received_end() override;
    [[nodiscard]] bool done() const override { return answer_ == nullptr; }
    [[nodiscard]] const Failure* failure() const override {
        return failure_ ? &*failure_ : nullptr;
    }
    bool abandon() override;
    [[nodiscard]] bool reusable() const override { return usable_ && session_.takes_streams(); }

private:
    void on_field(std::string_view name, std::string_view value) override {
        if (answer_ != nullptr) status_.on_field(name, value);
    }
    void on_data(std::span<const std::byte> data) override;
    void on_end() override;
    void on_reset(std::uint32_t code) override;

    // The buffer for the message that the answer consists of.
    [[nodiscard]] ByteBuffer& body() {
        return kind_ == Operation::Kind::kInfer ? answer_->result.contents().bytes : other_body_;
    }
    [[nodiscard]] Result<> begin_message();
    [[nodiscard]] Result<> read_message();
    [[nodiscard]] Result<> read_infer_message();
    [[nodiscard]] std::optional<Failure> verdict();
    void finish(std::optional<Failure> failure);
    void drop_stream();

    GrpcEndpoint endpoint_;
    std::vector<std::byte> space_;
    GrpcRequest request_;
    GrpcStatus status_;

    Operation::Kind kind_ = Operation::Kind::kInfer;
    Answer* answer_ = nullptr;  // Null: nothing is asked.
    std::optional<Failure> failure_;
    bool usable_ = true;
    bool heard_ = false;  // Whether anything came from this server.

    std::array<std::byte, kPrefixBytes> prefix_{};
    std::size_t prefix_read_ = 0;
    std::size_t body_bytes_ = 0;  // The size that body() will have.
    // The part of it before an inference's message: see begin_message().
    std::size_t lead_ = 0;
    ByteBuffer other_body_;  // For answers other than inferences.

    GrpcSession session_;  // The last member: it calls the rest.
};

// By its precondition, the connection takes another stream.
Result<> GrpcExchange::begin(const Operation& operation, Answer& answer) {
    LEPTON_RETURN_IF_ERROR(request_.write(operation));
    failure_.reset();
    status_.clear();
    prefix_read_ = 0;
    body_bytes_ = 0;
    kind_ = operation.kind;
    answer_ = &answer;
    answer.result.contents().clear();
    const std::array fields{field(":method", "POST"),
                            field(":scheme", endpoint_.tls ? "https" : "http"),
                            field(":path", request_.path()),
                            field(":authority", endpoint_.authority),
                            field("te", "trailers"),
                            field("content-type", "application/grpc"),
                            field("user-agent", "lepton-cpp/" LEPTON_VERSION)};
    session_.open(fields, to_grpc_timeout(operation.told_deadline() - Clock::now()).view());
    return {};
}

std::span<const iovec> GrpcExchange::to_send() {
    session_.pump();
    return session_.frames().unsent();
}

void GrpcExchange::sent(std::size_t bytes) { session_.frames().sent(bytes); }

void GrpcExchange::received(std::size_t bytes) {
    const std::span<const std::byte> heard = std::span(space_).first(bytes);
    const std::string_view text(reinterpret_cast<const char*>(heard.data()), heard.size());
    if (!std::exchange(heard_, true) && text.starts_with("HTTP/")) {
        usable_ = false;
        finish(broken("the endpoint answers in HTTP/1; gRPC needs HTTP/2, without an upgrade"));
        return;
    }
    if (session_.received(heard)) return;
    usable_ = false;
    finish(broken("the endpoint's answer is not HTTP/2"));
}

void GrpcExchange::received_end() {
    usable_ = false;
    finish(Failure{
        Cause::kCut,
        {ErrorCode::kUnavailable, "the connection was closed before the answer was complete"},
        std::nullopt});
}

bool GrpcExchange::abandon() {
    if (answer_ != nullptr) {
        answer_ = nullptr;
        drop_stream();
    }
    return reusable();
}

// Ends our side of the stream if it is open. The caller's tensors are no longer ours: if some are
// still to be sent, the connection has to be closed.
void GrpcExchange::drop_stream() {
    if (session_.frames().refers()) usable_ = false;
    session_.reset();
    request_.clear();
}

void GrpcExchange::finish(std::optional<Failure> failure) {
    if (answer_ == nullptr) return;
    if (failure) answer_->result.contents().clear();
    failure_ = std::move(failure);
    answer_ = nullptr;
}

void GrpcExchange::on_data(std::span<const std::byte> data) {
    if (answer_ == nullptr || !status_.is_grpc()) return;
    if (prefix_read_ < kPrefixBytes) {
        const std::size_t part = std::min(kPrefixBytes - prefix_read_, data.size());
        std::memcpy(prefix_.data() + prefix_read_, data.data(), part);
        prefix_read_ += part;
        data = data.subspan(part);
        if (prefix_read_ < kPrefixBytes) return;
        if (auto begun = begin_message(); !begun) {
            finish(broken(std::move(begun.error().message)));
            drop_stream();
            return;
        }
    }
    if (data.empty()) return;
    ByteBuffer& to = body();
    if (data.size() > body_bytes_ - to.size()) {
        finish(broken("the server's answer goes on behind its message"));
        drop_stream();
        return;
    }
    std::memcpy(to.room().data(), data.data(), data.size());
    to.grow_by(data.size());
}

Result<> GrpcExchange::begin_message() {
    if (prefix_[0] != std::byte{0}) {
        return fail(ErrorCode::kInternal, "the server's answer is compressed, which was not asked");
    }
    std::size_t size = 0;
    for (std::size_t i = 1; i < kPrefixBytes; ++i) {
        size = size << 8 | std::to_integer<std::size_t>(prefix_[i]);
    }
    if (size > endpoint_.max_answer_bytes) {
        return fail(ErrorCode::kInternal,
                    "the server's answer has " + std::to_string(size) +
                        " bytes, the client takes at most " +
                        std::to_string(endpoint_.max_answer_bytes) + "; raise max_answer_bytes");
    }
    // Protobuf puts the first output's data at any address. Answers of one model are alike, so a
    // lead of a few bytes, learned from the last one, puts the data where it can stay.
    const std::size_t lead = kind_ == Operation::Kind::kInfer ? lead_ : 0;
    body_bytes_ = lead + size;
    ByteBuffer& to = body();
    to.clear();
    to.reserve(body_bytes_ + kAlignmentRoom);
    to.resize(lead);
    return {};
}

void GrpcExchange::on_end() {
    if (answer_ == nullptr) return;
    finish(verdict());
    if (session_.frames().refers()) usable_ = false;
    // The server answered before it had the whole request, so it wants no more of it.
    if (request_.left() > 0) drop_stream();
}

void GrpcExchange::on_reset(std::uint32_t code) {
    finish(failure_of_reset(code));
    if (session_.frames().refers()) usable_ = false;
}

std::optional<Failure> GrpcExchange::verdict() {
    if (auto failure = status_.failure()) return failure;
    if (prefix_read_ < kPrefixBytes || body().size() < body_bytes_) {
        return broken("the server's answer ends before its message does");
    }
    auto read = read_message();
    if (read) return std::nullopt;
    const bool says_no = read.error().code == ErrorCode::kUnavailable;
    return Failure{
        says_no ? Cause::kAnswered : Cause::kProtocol, std::move(read).error(), std::nullopt};
}

Result<> GrpcExchange::read_message() {
    if (kind_ == Operation::Kind::kInfer) return read_infer_message();
    if (kind_ == Operation::Kind::kModelMetadata) {
        LEPTON_TRY(answer_->model, read_model_metadata(other_body_.view()));
        return {};
    }
    LEPTON_TRY(const bool yes, read_yes_or_no(other_body_.view()));
    if (yes) return {};
    return fail(ErrorCode::kUnavailable, "the server answers that it is not ready");
}

Result<> GrpcExchange::read_infer_message() {
    InferResult::Contents& contents = answer_->result.contents();
    LEPTON_TRY(const std::size_t first, read_infer_answer(contents, lead_));
    lead_ = (kOutputAlignment - first % kOutputAlignment) % kOutputAlignment;
    contents.timing = parse_server_timing(status_.server_timing());
    return {};
}

}  // namespace

std::unique_ptr<Exchange> make_grpc_exchange(GrpcEndpoint endpoint) {
    return std::make_unique<GrpcExchange>(std::move(endpoint));
}

}  // namespace lepton::client
