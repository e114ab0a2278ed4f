#include "lepton/net/outbound_body.h"

#include <algorithm>

#include "lepton/core/check.h"

namespace lepton::net {

void OutboundBody::push_framed(std::span<const std::byte> prefix, memory::Buffer& body) {
    if (available() > 0) {
        if (backlog_.capacity() == 0) backlog_ = pool_.take(prefix.size() + body.size());
        backlog_.append(prefix);
        backlog_.append(body.bytes());
        body.clear();
        return;
    }
    std::copy(prefix.begin(), prefix.end(), prefix_.begin());
    prefix_bytes_ = prefix.size();
    taken_ = 0;
    current_.clear();
    current_.swap(body);
}

void OutboundBody::reset(std::size_t keep_bytes) {
    prefix_bytes_ = taken_ = 0;
    ended_ = false;
    current_.clear();
    if (current_.capacity() > keep_bytes) current_ = pool_.take(0);
    backlog_.release();
}

std::size_t OutboundBody::available() {
    if (taken_ == size() && !backlog_.empty()) {
        prefix_bytes_ = taken_ = 0;
        current_.clear();
        current_.swap(backlog_);
    }
    return size() - taken_;
}

bool OutboundBody::ends_with(std::size_t count) {
    return ended_ && count == available() && backlog_.empty();
}

OutboundBody::Pieces OutboundBody::take(std::size_t count) {
    LEPTON_CHECK(count <= available());
    Pieces pieces;
    if (taken_ < prefix_bytes_) {
        pieces.first = std::span(prefix_).subspan(taken_, std::min(count, prefix_bytes_ - taken_));
        taken_ += pieces.first.size();
        count -= pieces.first.size();
    }
    if (count > 0) pieces.second = current_.bytes().subspan(taken_ - prefix_bytes_, count);
    taken_ += count;
    return pieces;
}

}  // namespace lepton::net
