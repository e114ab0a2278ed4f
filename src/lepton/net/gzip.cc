#include "lepton/net/gzip.h"

#include <algorithm>
#include <limits>
#include <string>

#include <zlib.h>

#include "lepton/core/check.h"

namespace lepton::net {
namespace {

// zlib.h: 16 more asks for gzip's header and trailer, 32 more for whichever of both is there.
constexpr int kGzipWindowBits = 15 + 16;
constexpr int kAnyWindowBits = 15 + 32;
constexpr int kMemoryLevel = 8;
constexpr std::size_t kFirstRoom = std::size_t{4} << 10;

// A zlib state costs 40 to 270 KB to make, so that each thread keeps one of each kind.
class Inflater {
public:
    Inflater() { LEPTON_CHECK(inflateInit2(&stream_, kAnyWindowBits) == Z_OK); }
    ~Inflater() { inflateEnd(&stream_); }
    Inflater(const Inflater&) = delete;
    Inflater& operator=(const Inflater&) = delete;
    z_stream& fresh() {
        inflateReset(&stream_);
        return stream_;
    }

private:
    z_stream stream_{};
};

class Deflater {
public:
    Deflater() {
        LEPTON_CHECK(deflateInit2(&stream_,
                                  Z_BEST_SPEED,
                                  Z_DEFLATED,
                                  kGzipWindowBits,
                                  kMemoryLevel,
                                  Z_DEFAULT_STRATEGY) == Z_OK);
    }
    ~Deflater() { deflateEnd(&stream_); }
    Deflater(const Deflater&) = delete;
    Deflater& operator=(const Deflater&) = delete;
    z_stream& fresh() {
        deflateReset(&stream_);
        return stream_;
    }

private:
    z_stream stream_{};
};

void set_input(z_stream& stream, std::span<const std::byte> bytes) {
    LEPTON_CHECK(bytes.size() <= std::numeric_limits<uInt>::max());
    // zlib reads through a pointer to mutable bytes, unless ZLIB_CONST is set for all of its users.
    stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());
}

void set_output(z_stream& stream, std::byte* at, std::size_t bytes) {
    stream.next_out = reinterpret_cast<Bytef*>(at);
    stream.avail_out = static_cast<uInt>(bytes);
}

tl::unexpected<Error> corrupt(const z_stream& stream) {
    return fail(
        ErrorCode::kInvalidArgument,
        "compressed message is corrupt or cut short at byte " + std::to_string(stream.total_in));
}

}  // namespace

Result<> gunzip(std::span<const std::byte> packed, std::size_t max_bytes, memory::Buffer& out) {
    thread_local Inflater inflater;
    z_stream& stream = inflater.fresh();
    set_input(stream, packed);
    const std::size_t start = out.size();
    std::size_t inflated = 0;
    int status = Z_OK;
    while (status == Z_OK) {
        // One byte of room over the bound tells a message of exactly max_bytes from a longer one.
        const std::size_t room =
            std::min(std::max({kFirstRoom, 4 * packed.size(), inflated}), max_bytes + 1 - inflated);
        set_output(stream, out.extend(room), room);
        status = inflate(&stream, Z_NO_FLUSH);
        inflated += room - stream.avail_out;
        out.resize(start + inflated);
        if (inflated > max_bytes) {
            return fail(ErrorCode::kPayloadTooLarge,
                        "compressed message holds more than the " + std::to_string(max_bytes) +
                            " bytes allowed");
        }
        if (status == Z_OK && stream.avail_out > 0) return corrupt(stream);  // Wants more input.
    }
    if (status != Z_STREAM_END || stream.avail_in > 0) return corrupt(stream);
    return {};
}

bool gzip(std::span<const std::byte> plain, memory::Buffer& out) {
    if (plain.empty()) return false;
    thread_local Deflater deflater;
    z_stream& stream = deflater.fresh();
    set_input(stream, plain);
    const std::size_t start = out.size();
    const std::size_t room = plain.size() - 1;
    set_output(stream, out.extend(room), room);
    const int status = deflate(&stream, Z_FINISH);
    out.resize(status == Z_STREAM_END ? start + room - stream.avail_out : start);
    return status == Z_STREAM_END;
}

}  // namespace lepton::net
