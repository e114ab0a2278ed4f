#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lepton/core/result.h"
#include "lepton/memory/buffer_pool.h"
#include "lepton/net/message.h"

namespace lepton::protocol {

enum class ContentEncoding : std::uint8_t { kIdentity, kGzip, kDeflate };

// The header's value; empty is the identity. HTTP's "deflate" is zlib's format (RFC 9110, 8.4.1.2).
// Errors: kInvalidArgument for an encoding that is not offered, or for more than one.
Result<ContentEncoding> parse_content_encoding(std::string_view value);

// How to answer, by a list of RFC 9110 section 12.5.3: gzip or deflate where the client names them,
// whichever is more welcome, but never "*" alone.
[[nodiscard]] ContentEncoding preferred_encoding(std::string_view accept_encoding);
// The same for a message, whose list may come in several fields.
[[nodiscard]] ContentEncoding preferred_encoding(const net::FieldList& fields);

[[nodiscard]] std::string_view to_string(ContentEncoding encoding);

// What the body holds, for gzip all members one after the other. Precondition: the encoding is not
// kIdentity. Errors: kInvalidArgument for a malformed body, kPayloadTooLarge when more than
// `max_bytes` come out.
Result<memory::Buffer> decompressed(const memory::Buffer& body,
                                    ContentEncoding encoding,
                                    std::size_t max_bytes,
                                    memory::BufferPool& pool);

// Replaces the body by what it holds, whatever its encoding. Errors: as above.
Result<> decompress(memory::Buffer& body,
                    ContentEncoding encoding,
                    std::size_t max_bytes,
                    memory::BufferPool& pool);

// Replaces the body by its compressed form, quickly rather than well. False, and unchanged, for
// kIdentity and for bodies above 4 GiB, which zlib does not take at once.
bool compress(memory::Buffer& body, ContentEncoding encoding, memory::BufferPool& pool);

}  // namespace lepton::protocol
