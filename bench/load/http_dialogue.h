#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "dialogue.h"
#include "question.h"

namespace lepton::bench {

enum class HttpBody : std::uint8_t { kJson, kBinary };

// Sends the same HTTP/1.1 request on a kept connection, written out once.
class HttpDialogue final : public Dialogue {
public:
    HttpDialogue(const Question& question, HttpBody body, std::string_view host);

    void ask() override { unsent_from_ = 0; }
    [[nodiscard]] std::span<const std::byte> unsent() const override {
        return std::as_bytes(std::span(request_)).subspan(unsent_from_);
    }
    void sent(std::size_t count) override { unsent_from_ += count; }
    [[nodiscard]] std::span<std::byte> space() override;
    Heard hear(std::size_t count) override;

private:
    void read_head(std::string_view head);
    [[nodiscard]] bool right() const;

    std::string request_;
    std::size_t unsent_from_;
    std::size_t output_bytes_;
    HttpBody kind_;

    std::vector<char> answer_;  // Its first heard_ bytes are here.
    std::size_t heard_ = 0;
    // Of the current answer, once its head is complete:
    std::size_t head_bytes_ = 0;  // Zero until then.
    std::size_t content_length_ = 0;
    std::size_t json_bytes_ = 0;
    int status_ = 0;
    int left_to_verify_ = kAnswersToVerify;
};

}  // namespace lepton::bench
