#include "http_request.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <variant>

#include "lepton/core/check.h"
#include "lepton/core/float_text.h"
#include "request_check.h"

namespace lepton::client {
namespace {

template <class Number>
void append(std::string& text, Number number) {
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    text.append(digits, static_cast<std::size_t>(end - digits));
}

// Written as Lepton, Triton and Python's json read them: infinity is a word, and a float never
// looks like an integer.
void append_real(std::string& json, double number) {
    if (!std::isfinite(number)) {
        json += std::isnan(number) ? kNanText : number > 0 ? kInfinityText : kMinusInfinityText;
        return;
    }
    const std::size_t before = json.size();
    append(json, number);
    if (json.find_first_not_of("-0123456789", before) == std::string::npos) json += ".0";
}

// Appends a JSON string, in quotes.
void append_string(std::string& json, std::string_view text) {
    json += '"';
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            json += '\\';
            json += c;
        } else if (static_cast<unsigned char>(c) < 0x20) {
            constexpr std::string_view kHex = "0123456789abcdef";
            json += "\\u00";
            json += kHex[static_cast<unsigned char>(c) >> 4];
            json += kHex[static_cast<unsigned char>(c) & 15];
        } else {
            json += c;
        }
    }
    json += '"';
}

// Appends one segment of a path, percent-encoded by RFC 3986 §2.3.
void append_segment(std::string& target, std::string_view text) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
        if (plain) {
            target += c;
        } else {
            target += '%';
            target += kHex[static_cast<unsigned char>(c) >> 4];
            target += kHex[static_cast<unsigned char>(c) & 15];
        }
    }
}

void append_model(std::string& target, std::string_view model, std::string_view version) {
    target += "/v2/models/";
    append_segment(target, model);
    if (!version.empty()) {
        target += "/versions/";
        append_segment(target, version);
    }
}

void append_parameters(std::string& json,
                       const InferRequest& request,
                       std::chrono::microseconds left) {
    json += "\"parameters\":{\"binary_data_output\":true,\"timeout\":";
    append(json, std::max<std::int64_t>(1, left.count()));
    if (request.priority != 0) {
        json += ",\"priority\":";
        append(json, request.priority);
    }
    for (const Parameter& parameter : request.parameters) {
        json += ',';
        append_string(json, parameter.name);
        json += ':';
        std::visit(
            [&json](auto value) {
                using Value = decltype(value);
                if constexpr (std::is_same_v<Value, bool>)
                    json += value ? "true" : "false";
                else if constexpr (std::is_same_v<Value, std::string_view>)
                    append_string(json, value);
                else if constexpr (std::is_same_v<Value, double>)
                    append_real(json, value);
                else
                    append(json, value);
            },
            parameter.value);
    }
    json += "},";
}

void append_input(std::string& json, const Input& input) {
    json += "{\"name\":";
    append_string(json, input.name);
    json += ",\"datatype\":\"";
    json += to_string(input.dtype);
    json += "\",\"shape\":[";
    for (std::size_t i = 0; i < input.shape.rank(); ++i) {
        if (i > 0) json += ',';
        append(json, input.shape[i]);
    }
    json += "],\"parameters\":{\"binary_data_size\":";
    append(json, input.data.size());
    json += "}}";
}

iovec span_of(std::string& text) { return {text.data(), text.size()}; }

}  // namespace

Result<> HttpRequest::write(const Operation& operation) {
    clear();
    const InferRequest* const request = operation.request;
    LEPTON_CHECK((operation.kind == Operation::Kind::kInfer) == (request != nullptr));
    if (request != nullptr) LEPTON_RETURN_IF_ERROR(check_inputs(*request));
    head_.clear();
    head_ += request == nullptr ? "GET " : "POST ";
    write_target(operation);
    head_ += " HTTP/1.1\r\nHost: ";
    head_ += host_;
    if (request != nullptr) {
        write_json(*request, operation.told_deadline());
        std::size_t content_length = json_.size();
        for (const Input& input : request->inputs) content_length += input.data.size();
        head_ +=
            "\r\nContent-Type: application/octet-stream"
            "\r\nInference-Header-Content-Length: ";
        append(head_, json_.size());
        head_ += "\r\nContent-Length: ";
        append(head_, content_length);
    }
    head_ += "\r\n\r\n";

    spans_.push_back(span_of(head_));
    if (request == nullptr) return {};
    spans_.push_back(span_of(json_));
    for (const Input& input : request->inputs) {
        if (input.data.empty()) continue;
        // sendmsg() only reads what it is given, though iovec has no const.
        spans_.push_back({const_cast<std::byte*>(input.data.data()), input.data.size()});
    }
    return {};
}

void HttpRequest::write_target(const Operation& operation) {
    switch (operation.kind) {
        case Operation::Kind::kInfer:
            append_model(head_, operation.request->model, operation.request->version);
            head_ += "/infer";
            return;
        case Operation::Kind::kServerLive:
            head_ += "/v2/health/live";
            return;
        case Operation::Kind::kServerReady:
            head_ += "/v2/health/ready";
            return;
        case Operation::Kind::kModelReady:
            append_model(head_, operation.model, operation.version);
            head_ += "/ready";
            return;
        case Operation::Kind::kModelMetadata:
            append_model(head_, operation.model, operation.version);
            return;
        case Operation::Kind::kListModels:
            head_ += '/';
            return;
    }
}

void HttpRequest::write_json(const InferRequest& request, Clock::time_point deadline) {
    json_.clear();
    json_ += '{';
    if (!request.id.empty()) {
        json_ += "\"id\":";
        append_string(json_, request.id);
        json_ += ',';
    }
    const auto left =
        std::chrono::duration_cast<std::chrono::microseconds>(deadline - Clock::now());
    append_parameters(json_, request, left);
    json_ += "\"inputs\":[";
    for (const Input& input : request.inputs) {
        if (&input != request.inputs.data()) json_ += ',';
        append_input(json_, input);
    }
    json_ += ']';
    if (!request.outputs.empty()) {
        json_ += ",\"outputs\":[";
        for (const std::string_view& name : request.outputs) {
            json_ += &name == request.outputs.data() ? "{\"name\":" : ",{\"name\":";
            append_string(json_, name);
            json_ += '}';
        }
        json_ += ']';
    }
    json_ += '}';
}

void HttpRequest::sent(std::size_t bytes) {
    while (bytes > 0) {
        iovec& span = spans_[first_unsent_];
        const std::size_t part = std::min(bytes, span.iov_len);
        span.iov_base = static_cast<char*>(span.iov_base) + part;
        span.iov_len -= part;
        bytes -= part;
        if (span.iov_len == 0) ++first_unsent_;
    }
}

void HttpRequest::clear() {
    spans_.clear();
    first_unsent_ = 0;
}

}  // namespace lepton::client
