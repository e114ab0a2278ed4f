// Reads any bytes as a model's measurements. Accepted ones must be within bounds, and be read back
// unchanged.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "lepton/model/tuning/tuning_record.h"

namespace lepton::model {
namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

void run(std::string_view json) {
    TuningSubject subject;
    subject.model_digest = "d1";
    subject.engine = "fake 1";
    subject.cpu = "a cpu";
    subject.cores = 2;
    subject.precision = "f32";
    const auto plan = parse_record(json, subject);
    if (!plan) return require(!plan.error().message.empty());
    require(plan->threads >= 1 && plan->free_extent >= 1);
    std::int64_t before = 0;
    for (const ServiceTime& time : plan->service_times) {
        const bool unknown = time.rows == 1 && !plan->warm();
        require(time.rows > before && time.time >= Clock::duration(unknown ? 0 : 1));
        before = time.rows;
    }
    const auto again = parse_record(to_json(subject, *plan), subject);
    require(again && again->same_sessions(*plan));
}

}  // namespace
}  // namespace lepton::model

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    lepton::model::run({reinterpret_cast<const char*>(data), size});
    return 0;
}
