// Reads any bytes as a compressed body, and any as the fields that choose an encoding. The first
// byte says how many of the bytes after it are a field.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "lepton/memory/buffer_pool.h"
#include "lepton/protocol/content_encoding.h"

namespace lepton::protocol {
namespace {

constexpr std::size_t kMostBytes = std::size_t{64} << 10;

void require(bool condition) {
    if (!condition) std::abort();
}

void decompress_as(ContentEncoding encoding, std::string_view bytes) {
    static memory::BufferPool pool;
    memory::Buffer body = pool.take(bytes.size());
    body.append(bytes);
    if (!decompress(body, encoding, kMostBytes, pool)) return;
    require(body.size() <= kMostBytes);
    const std::string plain(body.text());
    if (!compress(body, encoding, pool)) return;
    require(decompress(body, encoding, plain.size(), pool).has_value());
    require(body.text() == plain);
}

void run(std::string_view field, std::string_view body) {
    const auto sent = parse_content_encoding(field);
    if (sent) decompress_as(*sent, body);
    decompress_as(ContentEncoding::kGzip, body);
    decompress_as(ContentEncoding::kDeflate, body);
    // No encoding is chosen that the client does not name, except by "*".
    const ContentEncoding chosen = preferred_encoding(field);
    if (chosen == ContentEncoding::kIdentity) return;
    const std::string_view letter = chosen == ContentEncoding::kGzip ? "zZ" : "fF";
    require(field.find_first_of(letter) != std::string_view::npos ||
            field.find('*') != std::string_view::npos);
}

}  // namespace
}  // namespace lepton::protocol

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
    const std::size_t field_size = std::min<std::size_t>(data[0], input.size());
    lepton::protocol::run(input.substr(0, field_size), input.substr(field_size));
    return 0;
}
