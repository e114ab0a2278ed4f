#include "grpc_frames.h"

#include <algorithm>

namespace lepton::client {

void GrpcFrames::append(std::span<const std::byte> bytes) {
    const bool joins = pieces_.size() > first_ && pieces_.back().data == nullptr;
    if (!joins) pieces_.push_back({nullptr, copied_.size(), 0});
    pieces_.back().size += bytes.size();
    copied_.insert(copied_.end(), bytes.begin(), bytes.end());
}

void GrpcFrames::refer(std::span<const std::byte> bytes) {
    pieces_.push_back({bytes.data(), 0, bytes.size()});
    ++referred_;
}

std::span<const iovec> GrpcFrames::unsent() {
    unsent_.clear();
    for (std::size_t i = first_; i < pieces_.size(); ++i) {
        const Piece& piece = pieces_[i];
        const std::byte* const data =
            piece.data != nullptr ? piece.data : copied_.data() + piece.offset;
        // sendmsg() only reads what it is given, though iovec has no const.
        unsent_.push_back({const_cast<std::byte*>(data), piece.size});
    }
    return unsent_;
}

void GrpcFrames::sent(std::size_t bytes) {
    while (bytes > 0) {
        Piece& piece = pieces_[first_];
        const std::size_t part = std::min(bytes, piece.size);
        bytes -= part;
        piece.size -= part;
        if (piece.data != nullptr) {
            piece.data += part;
        } else {
            piece.offset += part;
        }
        if (piece.size > 0) return;
        if (piece.data != nullptr) --referred_;
        ++first_;
    }
    if (first_ < pieces_.size()) return;
    first_ = 0;
    pieces_.clear();
    copied_.clear();
}

}  // namespace lepton::client
