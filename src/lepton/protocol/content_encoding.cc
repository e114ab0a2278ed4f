#include "lepton/protocol/content_encoding.h"

#include <algorithm>
#include <limits>
#include <string>

#include <zlib.h>

#include "lepton/core/check.h"
#include "lepton/protocol/text.h"

namespace lepton::protocol {
namespace {

constexpr int kZlibWindow = 15;
constexpr int kGzipWindow = 15 + 16;  // zlib's way to ask for a gzip wrapper.
constexpr int kFastLevel = 1;
constexpr std::size_t kFirstCapacity = 4096;
constexpr std::size_t kMostInput = std::numeric_limits<uInt>::max();
constexpr std::size_t kMostOutputPerCall = std::size_t{1} << 30;

// zlib's states are several times 10 kB: one of each per thread, taken on first use.
class Inflater {
public:
    Inflater() { LEPTON_CHECK(inflateInit2(&stream_, kGzipWindow) == Z_OK); }
    ~Inflater() { inflateEnd(&stream_); }
    Inflater(const Inflater&) = delete;
    Inflater& operator=(const Inflater&) = delete;

    z_stream& begin(int window) {
        LEPTON_CHECK(inflateReset2(&stream_, window) == Z_OK);
        return stream_;
    }

private:
    z_stream stream_{};
};

class Deflater {
public:
    explicit Deflater(int window) {
        constexpr int kDefaultMemory = 8;
        LEPTON_CHECK(
            deflateInit2(
                &stream_, kFastLevel, Z_DEFLATED, window, kDefaultMemory, Z_DEFAULT_STRATEGY) ==
            Z_OK);
    }
    ~Deflater() { deflateEnd(&stream_); }
    Deflater(const Deflater&) = delete;
    Deflater& operator=(const Deflater&) = delete;

    z_stream& begin() {
        LEPTON_CHECK(deflateReset(&stream_) == Z_OK);
        return stream_;
    }

private:
    z_stream stream_{};
};

int window_of(ContentEncoding encoding) {
    return encoding == ContentEncoding::kGzip ? kGzipWindow : kZlibWindow;
}

void set_input(z_stream& stream, const memory::Buffer& body) {
    // zlib reads through a pointer to mutable bytes, unless ZLIB_CONST is set for all of its users.
    stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(body.data()));
    stream.avail_in = static_cast<uInt>(body.size());
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

bool equal_ignoring_case(std::string_view a, std::string_view lower) {
    return std::equal(a.begin(), a.end(), lower.begin(), lower.end(), [](char x, char y) {
        return (x >= 'A' && x <= 'Z' ? static_cast<char>(x + ('a' - 'A')) : x) == y;
    });
}

// RFC 9110 section 8.4.1.3: "x-gzip" is the same.
bool is_gzip(std::string_view name) {
    return equal_ignoring_case(name, "gzip") || equal_ignoring_case(name, "x-gzip");
}

// Takes what stands before the next separator off `rest`, blanks around it left out.
std::string_view take_item(std::string_view& rest, char separator) {
    const std::size_t size = std::min(rest.find(separator), rest.size());
    const std::string_view item = trim(rest.substr(0, size));
    rest.remove_prefix(std::min(size + 1, rest.size()));
    return item;
}

// How welcome a coding is, in thousandths, by its parameters (RFC 9110 section 12.4.2); a malformed
// weight is none.
int weight_of(std::string_view parameters) {
    constexpr int kFull = 1000;
    while (!parameters.empty()) {
        std::string_view value = take_item(parameters, ';');
        if (!equal_ignoring_case(take_item(value, '='), "q")) continue;
        const std::string_view whole = take_item(value, '.');
        int weight = whole == "1" ? kFull : 0;
        if (whole != "0" && whole != "1") return 0;
        int unit = kFull;
        for (const char digit : value) {
            unit /= 10;
            if (digit < '0' || digit > '9' || unit == 0) return 0;
            weight += unit * (digit - '0');
        }
        return weight <= kFull ? weight : 0;
    }
    return kFull;
}

bool begins_gzip(const z_stream& stream) {
    constexpr Bytef kFirstByte = 0x1F;
    return stream.avail_in > 0 && *stream.next_in == kFirstByte;
}

}  // namespace

std::string_view to_string(ContentEncoding encoding) {
    switch (encoding) {
        case ContentEncoding::kGzip:
            return "gzip";
        case ContentEncoding::kDeflate:
            return "deflate";
        case ContentEncoding::kIdentity:
            break;
    }
    return "identity";
}

Result<ContentEncoding> parse_content_encoding(std::string_view value) {
    const std::string_view name = trim(value);
    if (name.empty() || equal_ignoring_case(name, "identity")) return ContentEncoding::kIdentity;
    if (is_gzip(name)) return ContentEncoding::kGzip;
    if (equal_ignoring_case(name, "deflate")) return ContentEncoding::kDeflate;
    return fail(ErrorCode::kInvalidArgument,
                concat({"header content-encoding is ",
                        in_quotes(value),
                        "; it must be one of identity, gzip, deflate"}));
}

ContentEncoding preferred_encoding(std::string_view accept_encoding) {
    constexpr int kUnnamed = -1;
    int gzip = kUnnamed;
    int deflate = kUnnamed;
    int identity = kUnnamed;
    int any = kUnnamed;
    while (!accept_encoding.empty()) {
        std::string_view parameters = take_item(accept_encoding, ',');
        const std::string_view name = take_item(parameters, ';');
        const int weight = weight_of(parameters);
        if (is_gzip(name)) {
            gzip = std::max(gzip, weight);
        } else if (equal_ignoring_case(name, "deflate")) {
            deflate = weight;
        } else if (equal_ignoring_case(name, "identity")) {
            identity = weight;
        } else if (name == "*") {
            any = weight;
        }
    }
    // "*" is no wish for an encoding, but one has to be found where the plain answer is excluded.
    if (identity == 0) {
        if (gzip == kUnnamed) gzip = any;
        if (deflate == kUnnamed) deflate = any;
    }
    const int best = std::max(gzip, deflate);
    if (best <= 0 || identity > best) return ContentEncoding::kIdentity;
    return gzip == best ? ContentEncoding::kGzip : ContentEncoding::kDeflate;
}

ContentEncoding preferred_encoding(const net::FieldList& fields) {
    std::string_view first;
    std::string list;
    for (std::size_t i = 0; i < fields.size(); ++i) {
        if (fields.name(i) != "accept-encoding") continue;
        if (first.empty()) {
            first = fields.value(i);
            continue;
        }
        if (list.empty()) list = first;
        list.append(",").append(fields.value(i));
    }
    return preferred_encoding(list.empty() ? first : std::string_view(list));
}

Result<memory::Buffer> decompressed(const memory::Buffer& body,
                                    ContentEncoding encoding,
                                    std::size_t max_bytes,
                                    memory::BufferPool& pool) {
    LEPTON_CHECK(encoding != ContentEncoding::kIdentity);
    if (body.size() > kMostInput) {
        return fail(ErrorCode::kPayloadTooLarge, "the compressed body is larger than 4 GiB");
    }
    thread_local Inflater inflater;
    z_stream& stream = inflater.begin(window_of(encoding));
    set_input(stream, body);
    // One byte above the bound tells a body that is as long from one that is longer.
    const std::size_t most = max_bytes + 1;
    memory::Buffer plain = pool.take(std::min(most, std::max(body.size() * 4, kFirstCapacity)));
    int status = Z_OK;
    while (plain.size() < most) {
        // RFC 1952 section 2.2: one member may follow the other.
        if (status == Z_STREAM_END && encoding == ContentEncoding::kGzip && begins_gzip(stream)) {
            status = inflateReset(&stream);
        }
        if (status != Z_OK) break;
        if (plain.size() == plain.capacity()) plain.reserve(std::min(most, plain.capacity() * 2));
        const std::size_t room =
            std::min({plain.capacity() - plain.size(), most - plain.size(), kMostOutputPerCall});
        stream.next_out = reinterpret_cast<Bytef*>(plain.extend(room));
        stream.avail_out = static_cast<uInt>(room);
        status = inflate(&stream, Z_NO_FLUSH);
        plain.resize(plain.size() - stream.avail_out);
    }
    if (plain.size() > max_bytes) {
        return fail(ErrorCode::kPayloadTooLarge,
                    concat({"the body is larger than ",
                            std::to_string(max_bytes),
                            " bytes once its ",
                            to_string(encoding),
                            " encoding is off"}));
    }
    if (status != Z_STREAM_END || stream.avail_in > 0) {
        return fail(ErrorCode::kInvalidArgument,
                    concat({"the body is not well-formed ",
                            to_string(encoding),
                            ": ",
                            status == Z_STREAM_END  ? "bytes follow its end"
                            : status == Z_BUF_ERROR ? "it is truncated"
                                                    : "its data is corrupt"}));
    }
    return plain;
}

Result<> decompress(memory::Buffer& body,
                    ContentEncoding encoding,
                    std::size_t max_bytes,
                    memory::BufferPool& pool) {
    if (encoding == ContentEncoding::kIdentity) return {};
    LEPTON_TRY(body, decompressed(body, encoding, max_bytes, pool));
    return {};
}

bool compress(memory::Buffer& body, ContentEncoding encoding, memory::BufferPool& pool) {
    if (encoding == ContentEncoding::kIdentity || body.size() > kMostInput) return false;
    thread_local Deflater gzip(kGzipWindow);
    thread_local Deflater zlib(kZlibWindow);
    z_stream& stream = (encoding == ContentEncoding::kGzip ? gzip : zlib).begin();
    set_input(stream, body);
    const std::size_t bound = deflateBound(&stream, body.size());
    memory::Buffer packed = pool.take(bound);
    stream.next_out = reinterpret_cast<Bytef*>(packed.extend(bound));
    stream.avail_out = static_cast<uInt>(bound);
    LEPTON_CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    packed.resize(bound - stream.avail_out);
    body = std::move(packed);
    return true;
}

}  // namespace lepton::protocol
