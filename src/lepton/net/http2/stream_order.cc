#include "lepton/net/http2/stream_order.h"

#include <algorithm>

#include <nghttp2/nghttp2.h>

namespace lepton::net {

std::uint32_t StreamOrder::check(std::int32_t stream_id) {
    if (stream_id % 2 == 0) return NGHTTP2_NO_ERROR;  // Never a client's: nghttp2 says so.
    if (stream_id > last_) {
        if (stream_id > last_ + 2) {
            gap_begin_ = last_ + 2;
            gap_end_ = stream_id;
        }
        last_ = stream_id;
        return NGHTTP2_NO_ERROR;
    }
    if (stream_id >= gap_begin_ && stream_id < gap_end_) return NGHTTP2_PROTOCOL_ERROR;
    const bool closed = std::find(closed_.begin(), closed_.end(), stream_id) != closed_.end();
    return closed ? NGHTTP2_STREAM_CLOSED : NGHTTP2_NO_ERROR;
}

}  // namespace lepton::net
