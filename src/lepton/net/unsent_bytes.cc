#include "lepton/net/unsent_bytes.h"

#include "lepton/core/check.h"

namespace lepton::net {

void UnsentBytes::append(std::span<const std::byte> bytes) {
    if (bytes.empty()) return;
    if (parts_.empty() || parts_.back().size() >= kLargePart) {
        parts_.push_back(pool_.take(bytes.size()));
    }
    parts_.back().append(bytes);
    bytes_ += bytes.size();
}

void UnsentBytes::append(memory::Buffer& body, std::size_t sent) {
    const std::size_t rest = body.size() - sent;
    if (rest < kLargePart || (sent > 0 && !parts_.empty())) {
        return append(body.bytes().subspan(sent));
    }
    memory::Buffer empty = pool_.take(0);
    parts_.emplace_back().swap(body);
    body.swap(empty);
    if (parts_.size() == 1) sent_ = sent;
    bytes_ += rest;
}

void UnsentBytes::consume(std::size_t count) {
    LEPTON_CHECK(count <= front().size());
    sent_ += count;
    bytes_ -= count;
    if (!front().empty()) return;
    parts_.erase(parts_.begin());
    sent_ = 0;
}

}  // namespace lepton::net
