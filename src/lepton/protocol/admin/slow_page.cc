#include "lepton/protocol/admin/slow_page.h"

#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <utility>
#include <vector>

#include "lepton/core/stations.h"
#include "lepton/protocol/json/json_writer.h"
#include "lepton/protocol/path_pattern.h"
#include "lepton/protocol/text.h"

namespace lepton::protocol {
namespace {

using WallClock = std::chrono::system_clock;

Result<std::string> unescape(std::string_view text) {
    std::string plain;
    plain.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            plain += text[i] == '+' ? ' ' : text[i];
            continue;
        }
        const auto decoded = decode_escape(text.substr(i + 1, 2));
        if (!decoded) {
            return fail(
                ErrorCode::kInvalidArgument,
                concat({"the query has a malformed escape: ", in_quotes(text.substr(i, 3))}));
        }
        plain += *decoded;
        i += 2;
    }
    return plain;
}

double microseconds(Clock::duration duration) {
    return static_cast<double>(std::chrono::nanoseconds(duration).count()) / 1e3;
}

// 2026-11-24T01:34:22.123Z
void write_time(JsonWriter& json, WallClock::time_point at) {
    const auto millis = std::chrono::floor<std::chrono::milliseconds>(at.time_since_epoch());
    const auto seconds = std::chrono::floor<std::chrono::seconds>(millis);
    const std::time_t time = seconds.count();
    std::tm utc{};
    ::gmtime_r(&time, &utc);
    std::array<char, 32> text{};
    const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &utc);
    const int fraction = static_cast<int>((millis - seconds).count());
    const int added = std::snprintf(text.data() + size, text.size() - size, ".%03dZ", fraction);
    json.plain_string({text.data(), size + static_cast<std::size_t>(added)});
}

void write_trace(JsonWriter& json, const TraceContext& trace) {
    if (!trace.exists()) return;
    std::array<char, kTraceIdSize> id;
    write_trace_id(trace, id.data());
    json.key("trace_id");
    json.plain_string({id.data(), id.size()});
}

void write_model(JsonWriter& json, const RequestRecord& record) {
    json.key("model");
    json.string(record.model ? std::string_view(record.model->name) : record.model_name.view());
    if (!record.model) return;
    json.key("version");
    json.string(record.model->version);
}

std::string_view name_of(CallProtocol protocol) {
    switch (protocol) {
        case CallProtocol::kInProcess:
            return "in_process";
        case CallProtocol::kHttp:
            return "http";
        case CallProtocol::kGrpc:
            return "grpc";
    }
    return {};
}

void write_record(JsonWriter& json, const RequestRecord& record, WallClock::time_point received) {
    json.begin_object();
    json.key("received");
    write_time(json, received);
    write_model(json, record);
    json.key("id");
    json.string(record.id.view());
    write_trace(json, record.trace);
    json.key("protocol");
    json.plain_string(name_of(record.protocol));
    json.key("outcome");
    json.plain_string(record.error ? traits_of(*record.error).label : "ok");
    if (record.protocol != CallProtocol::kInProcess) {
        json.key("status");
        json.number(record.status);
    }
    json.key("rows");
    json.number(record.rows);
    json.key("batch_rows");
    json.number(record.batch_rows);
    json.key("queued_behind");
    json.number(record.queued_behind);
    json.key("priority");
    json.number(record.priority);
    if (record.deadline != kNoDeadline) {
        json.key("timeout_us");
        json.number(microseconds(record.deadline - record.timeline.arrival()));
        json.key("slack_us");
        json.number(microseconds(record.deadline - record.timeline.written));
    }
    json.key("total_us");
    json.number(microseconds(record.total()));
    json.key("stretches_us");
    json.begin_object();
    for (const Stretch& stretch : stretches_of(record.timeline)) {
        json.key(stretch.name);
        json.number(microseconds(stretch.took()));
    }
    json.end_object();
    json.end_object();
}

}  // namespace

Result<SlowQuery> parse_slow_query(std::string_view query) {
    SlowQuery parsed;
    while (!query.empty()) {
        const std::string_view part = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(query.size(), part.size() + 1));
        if (part.empty()) continue;
        const std::string_view name = part.substr(0, part.find('='));
        const std::string_view value = part.substr(std::min(part.size(), name.size() + 1));
        if (name == "model") {
            LEPTON_TRY(parsed.model, unescape(value));
        } else if (name == "limit") {
            const auto limit = parse_integer<std::size_t>(value);
            if (!limit || *limit < 1 || *limit > SlowQuery::kMostLimit) {
                return fail(ErrorCode::kInvalidArgument,
                            concat({"query parameter \"limit\" is ",
                                    in_quotes(value),
                                    ", must be a whole number from 1 to ",
                                    std::to_string(SlowQuery::kMostLimit)}));
            }
            parsed.limit = *limit;
        } else {
            return fail(ErrorCode::kInvalidArgument,
                        concat({"query parameter ",
                                in_quotes(name),
                                " is unknown, there are \"model\" and \"limit\""}));
        }
    }
    return parsed;
}

void write_slow_page(const NotableRequests& requests, memory::Buffer& out) {
    const Clock::time_point now = Clock::now();
    const WallClock::time_point wall_now = WallClock::now();
    JsonWriter json(out);
    const auto write_all = [&](const std::vector<RequestRecord>& records) {
        json.begin_array();
        for (const RequestRecord& record : records) {
            const auto ago =
                std::chrono::duration_cast<WallClock::duration>(now - record.timeline.received);
            write_record(json, record, wall_now - ago);
        }
        json.end_array();
    };
    json.begin_object();
    json.key("slowest");
    write_all(requests.slowest);
    json.key("missed");
    write_all(requests.missed);
    json.end_object();
}

}  // namespace lepton::protocol
