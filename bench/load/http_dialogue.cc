#include "http_dialogue.h"

#include <charconv>
#include <stdexcept>

namespace lepton::bench {
namespace {

constexpr std::string_view kEndOfHead = "\r\n\r\n";
constexpr std::string_view kStatusLine = "HTTP/1.1 ";

// Reads the number after `name` if the line starts with it, in any case; `name` is in lower case.
bool read_number(std::string_view line, std::string_view name, std::size_t& number) {
    if (line.size() <= name.size()) return false;
    for (std::size_t i = 0; i < name.size(); ++i) {
        const char c = line[i];
        if ((c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c) != name[i]) return false;
    }
    line.remove_prefix(name.size());
    while (!line.empty() && line.front() == ' ') line.remove_prefix(1);
    return std::from_chars(line.data(), line.data() + line.size(), number).ec == std::errc();
}

std::string request_of(const Question& question, HttpBody kind, std::string_view host) {
    std::string head = "POST /v2/models/" + question.model + "/infer HTTP/1.1\r\nHost: ";
    head.append(host);
    std::string body;
    if (kind == HttpBody::kJson) {
        body = json_body(question);
        head += "\r\nContent-Type: application/json";
    } else {
        BinaryBody binary = binary_body(question);
        head += "\r\nContent-Type: application/octet-stream\r\nInference-Header-Content-Length: " +
                std::to_string(binary.json_bytes);
        body = std::move(binary.bytes);
    }
    return head + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace

HttpDialogue::HttpDialogue(const Question& question, HttpBody body, std::string_view host)
    : request_(request_of(question, body, host)),
      unsent_from_(request_.size()),
      output_bytes_(question.output_bytes),
      kind_(body),
      answer_(4096) {}

std::span<std::byte> HttpDialogue::space() {
    if (heard_ == answer_.size()) answer_.resize(2 * answer_.size());
    return std::as_writable_bytes(std::span(answer_)).subspan(heard_);
}

Heard HttpDialogue::hear(std::size_t count) {
    heard_ += count;
    if (head_bytes_ == 0) {
        const std::string_view text(answer_.data(), heard_);
        const std::size_t end = text.find(kEndOfHead);
        if (end == std::string_view::npos) return Heard::kPart;
        head_bytes_ = end + kEndOfHead.size();
        read_head(text.substr(0, end));
    }
    if (heard_ < head_bytes_ + content_length_) return Heard::kPart;
    if (heard_ > head_bytes_ + content_length_) {
        throw std::runtime_error("the server sent more than the answer");
    }
    bool well = status_ == 200;
    if (well && left_to_verify_ > 0) {
        --left_to_verify_;
        well = right();
    }
    heard_ = 0;
    head_bytes_ = 0;
    return well ? Heard::kAnswer : Heard::kRefused;
}

void HttpDialogue::read_head(std::string_view head) {
    if (!head.starts_with(kStatusLine)) throw std::runtime_error("the answer is not HTTP/1.1");
    const char* const code = head.data() + kStatusLine.size();
    std::from_chars(code, head.data() + head.size(), status_);
    bool sized = false;
    json_bytes_ = 0;
    while (true) {
        const std::size_t end = head.find("\r\n");
        const std::string_view line = head.substr(0, end);
        sized = read_number(line, "content-length:", content_length_) || sized;
        read_number(line, "inference-header-content-length:", json_bytes_);
        if (end == std::string_view::npos) break;
        head.remove_prefix(end + 2);
    }
    if (!sized) throw std::runtime_error("the answer has no Content-Length");
}

bool HttpDialogue::right() const {
    if (output_bytes_ == 0) return true;
    if (kind_ == HttpBody::kBinary) return content_length_ == json_bytes_ + output_bytes_;
    const std::string body(answer_.data() + head_bytes_, content_length_);
    return output_bytes_of_json(body) == output_bytes_;
}

}  // namespace lepton::bench
