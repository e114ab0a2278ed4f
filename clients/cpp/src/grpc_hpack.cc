#include "grpc_hpack.h"

#include <algorithm>
#include <cstring>

#include "lepton/core/check.h"

namespace lepton::client {
namespace {

nghttp2_mem memory_of(BlockCache& blocks) {
    return {&blocks,
            [](std::size_t bytes, void* cache) noexcept {
                return static_cast<BlockCache*>(cache)->take(bytes);
            },
            [](void* block, void* cache) noexcept {
                static_cast<BlockCache*>(cache)->give_back(block);
            },
            [](std::size_t count, std::size_t bytes, void* cache) noexcept {
                void* const block = static_cast<BlockCache*>(cache)->take(count * bytes);
                return block == nullptr ? nullptr : std::memset(block, 0, count * bytes);
            },
            [](void* block, std::size_t bytes, void* cache) noexcept {
                return static_cast<BlockCache*>(cache)->resize(block, bytes);
            }};
}

}  // namespace

GrpcHpack::GrpcHpack() : memory_(memory_of(blocks_)) {
    nghttp2_hd_deflater* deflater = nullptr;
    LEPTON_CHECK(nghttp2_hd_deflate_new2(&deflater, kTableBytes, &memory_) == 0);
    deflater_.reset(deflater);
    nghttp2_hd_inflater* inflater = nullptr;
    LEPTON_CHECK(nghttp2_hd_inflate_new2(&inflater, &memory_) == 0);
    inflater_.reset(inflater);
}

std::span<const std::byte> GrpcHpack::encode(std::span<const nghttp2_nv> fields) {
    const std::size_t bound =
        nghttp2_hd_deflate_bound(deflater_.get(), fields.data(), fields.size());
    if (bound > encoded_room_) {
        encoded_ = std::make_unique_for_overwrite<std::uint8_t[]>(bound);
        encoded_room_ = bound;
    }
    const ssize_t size = nghttp2_hd_deflate_hd(
        deflater_.get(), encoded_.get(), encoded_room_, fields.data(), fields.size());
    LEPTON_CHECK(size >= 0);
    return std::as_bytes(std::span(encoded_.get(), static_cast<std::size_t>(size)));
}

void GrpcHpack::limit_table(std::size_t bytes) {
    LEPTON_CHECK(
        nghttp2_hd_deflate_change_table_size(deflater_.get(), std::min(bytes, kTableBytes)) == 0);
}

}  // namespace lepton::client
