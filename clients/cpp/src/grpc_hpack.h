#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include <nghttp2/nghttp2.h>

#include "lepton/core/block_cache.h"

namespace lepton::client {

// Header compression of one connection in both directions (RFC 7541). nghttp2 does the work, and
// its memory is kept from one call to the next. Not thread-safe; its session owns it.
class GrpcHpack {
public:
    // HTTP/2's size until a peer says otherwise; no larger table is used.
    static constexpr std::size_t kTableBytes = 4096;

    GrpcHpack();
    GrpcHpack(const GrpcHpack&) = delete;
    GrpcHpack& operator=(const GrpcHpack&) = delete;

    // Returns the block of a request's `fields` and its grpc-timeout, valid until the next call.
    // The fields must be the same for the same `path`, which the caller keeps.
    [[nodiscard]] std::span<const std::byte> encode(std::string_view path,
                                                    std::span<const nghttp2_nv> fields,
                                                    std::string_view timeout);
    // Sets how much the peer's decoder keeps at most.
    void limit_table(std::size_t bytes);

    // Calls on_field(name, value) for each field of a whole block. Returns false if it is not a
    // valid block, or expands to more than a server has reason to send.
    template <class OnField>
    [[nodiscard]] bool decode(std::span<const std::byte> block, OnField on_field);

private:
    // Size of one decompressed block: each byte of it may stand for a field of kTableBytes.
    static constexpr std::size_t kMostBytes = std::size_t{256} << 10;

    void encode_fields(std::span<const nghttp2_nv> fields, std::size_t timeout_bytes);

    struct Delete {
        void operator()(nghttp2_hd_deflater* deflater) const { nghttp2_hd_deflate_del(deflater); }
        void operator()(nghttp2_hd_inflater* inflater) const { nghttp2_hd_inflate_del(inflater); }
    };

    BlockCache blocks_;  // These two come first: the others point into their memory.
    nghttp2_mem memory_;
    std::unique_ptr<nghttp2_hd_deflater, Delete> deflater_;
    std::unique_ptr<nghttp2_hd_inflater, Delete> inflater_;
    std::unique_ptr<std::uint8_t[]> encoded_;
    std::size_t encoded_room_ = 0;
    std::size_t encoded_bytes_ = 0;  // Bytes of the fields, before the timeout.
    std::string_view last_path_;
    int repeats_ = 0;  // Consecutive uses of the last path.
};

template <class OnField>
bool GrpcHpack::decode(std::span<const std::byte> block, OnField on_field) {
    const auto* at = reinterpret_cast<const std::uint8_t*>(block.data());
    std::size_t left = block.size();
    std::size_t bytes = 0;
    while (true) {
        nghttp2_nv field;
        int flags = 0;
        const ssize_t used = nghttp2_hd_inflate_hd2(inflater_.get(), &field, &flags, at, left, 1);
        if (used < 0) return false;
        at += used;
        left -= static_cast<std::size_t>(used);
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
            bytes += field.namelen + field.valuelen;
            if (bytes > kMostBytes) return false;
            on_field(std::string_view(reinterpret_cast<const char*>(field.name), field.namelen),
                     std::string_view(reinterpret_cast<const char*>(field.value), field.valuelen));
        }
        if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0 && left == 0) return false;
    }
    nghttp2_hd_inflate_end_headers(inflater_.get());
    return true;
}

}  // namespace lepton::client
