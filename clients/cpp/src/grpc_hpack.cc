#include "grpc_hpack.h"

#include <algorithm>
#include <cstring>

#include "lepton/core/check.h"

namespace lepton::client {
namespace {

constexpr std::string_view kTimeoutName = "grpc-timeout";
constexpr std::size_t kMostTimeoutBytes = 16;

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

std::span<const std::byte> GrpcHpack::encode(std::string_view path,
                                             std::span<const nghttp2_nv> fields,
                                             std::string_view timeout) {
    // The first encoding puts the fields into the peer's table, the second refers to its entries by
    // number. After that nothing changes any more, and the same bytes mean the same.
    constexpr int kSettled = 2;
    repeats_ = path == last_path_ ? std::min(repeats_ + 1, kSettled) : 0;
    last_path_ = path;
    if (repeats_ < kSettled) encode_fields(fields, timeout.size());

    // The timeout differs from call to call, and would push the rest out of the table. It is
    // therefore a literal that is never indexed, RFC 7541, section 6.2.3, as every length here is
    // below 127.
    std::uint8_t* at = encoded_.get() + encoded_bytes_;
    *at++ = 0x10;
    for (const std::string_view text : {kTimeoutName, timeout}) {
        *at++ = static_cast<std::uint8_t>(text.size());
        at = std::copy(text.begin(), text.end(), at);
    }
    return std::as_bytes(std::span(encoded_.get(), at));
}

void GrpcHpack::encode_fields(std::span<const nghttp2_nv> fields, std::size_t timeout_bytes) {
    // Of the timeout field: one byte for its form, two for lengths.
    constexpr std::size_t kHeads = 3;
    const std::size_t bound =
        nghttp2_hd_deflate_bound(deflater_.get(), fields.data(), fields.size());
    // There is room behind the fields for every timeout, even one longer than this.
    const std::size_t room =
        bound + kHeads + kTimeoutName.size() + std::max(timeout_bytes, kMostTimeoutBytes);
    if (room > encoded_room_) {
        encoded_ = std::make_unique_for_overwrite<std::uint8_t[]>(room);
        encoded_room_ = room;
    }
    const ssize_t size =
        nghttp2_hd_deflate_hd(deflater_.get(), encoded_.get(), bound, fields.data(), fields.size());
    LEPTON_CHECK(size >= 0);
    encoded_bytes_ = static_cast<std::size_t>(size);
}

void GrpcHpack::limit_table(std::size_t bytes) {
    LEPTON_CHECK(
        nghttp2_hd_deflate_change_table_size(deflater_.get(), std::min(bytes, kTableBytes)) == 0);
}

}  // namespace lepton::client
