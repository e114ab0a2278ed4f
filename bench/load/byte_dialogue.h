#pragma once

#include <vector>

#include "dialogue.h"

namespace lepton::bench {

// Sends and receives a number of bytes: what the network itself costs.
class ByteDialogue final : public Dialogue {
public:
    ByteDialogue(std::size_t request_bytes, std::size_t answer_bytes)
        : request_(request_bytes), answer_(answer_bytes), unsent_from_(request_bytes) {}

    void ask() override { unsent_from_ = 0; }
    [[nodiscard]] std::span<const std::byte> unsent() const override {
        return std::span(request_).subspan(unsent_from_);
    }
    void sent(std::size_t count) override { unsent_from_ += count; }
    [[nodiscard]] std::span<std::byte> space() override {
        return std::span(answer_).subspan(heard_);
    }
    Heard hear(std::size_t count) override {
        heard_ += count;
        if (heard_ < answer_.size()) return Heard::kPart;
        heard_ = 0;
        return Heard::kAnswer;
    }

private:
    std::vector<std::byte> request_;
    std::vector<std::byte> answer_;
    std::size_t unsent_from_;
    std::size_t heard_ = 0;
};

}  // namespace lepton::bench
