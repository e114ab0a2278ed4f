#include "lepton/model/tuning/tuning_messages.h"

#include <algorithm>
#include <chrono>
#include <limits>

#include <google/protobuf/util/json_util.h>

namespace lepton::model {
namespace {

// Beyond, a plan was not made by us, or would take the machine's memory.
constexpr std::int64_t kMostRows = std::numeric_limits<std::int32_t>::max();
constexpr int kMostRowCounts = 256;
constexpr int kMostThreads = 256;
constexpr std::int64_t kLargestExtent = std::int64_t{1} << 20;
constexpr std::int64_t kLongestRun = std::int64_t{24} * 3600 * 1'000'000'000;
constexpr std::size_t kLongestText = 4096;

Result<> within(const char* what, std::int64_t value, std::int64_t least, std::int64_t most) {
    if (value >= least && value <= most) return {};
    return fail(ErrorCode::kInvalidArgument,
                std::string(what) + " is " + std::to_string(value) + ", " + std::to_string(least) +
                    " to " + std::to_string(most) + " is allowed");
}

// Text for a person, in which names of tensors may stand that are not UTF-8.
std::string plain(std::string text) {
    text.resize(std::min(text.size(), kLongestText));
    for (char& c : text) {
        if (static_cast<unsigned char>(c) >= 0x80) c = '?';
    }
    return text;
}

}  // namespace

tuning::Subject to_message(const TuningSubject& subject) {
    tuning::Subject message;
    message.set_model_digest(subject.model_digest);
    message.set_engine(subject.engine);
    message.set_cpu(subject.cpu);
    message.set_cores(subject.cores);
    message.set_instances(subject.instances);
    message.set_threads(subject.threads);
    message.set_precision(subject.precision);
    if (subject.max_batch_size) message.set_max_batch_size(*subject.max_batch_size);
    for (const std::int64_t size : subject.preferred_batch_sizes) {
        message.add_preferred_batch_sizes(size);
    }
    for (const std::int64_t extent : subject.pad_to) message.add_pad_to(extent);
    for (const std::string& shape : subject.shapes) message.add_shapes(shape);
    message.set_warm_up(subject.warm_up);
    message.set_device(subject.device);
    for (const std::string& parameter : subject.parameters) message.add_parameters(parameter);
    return message;
}

TuningSubject from_message(const tuning::Subject& message) {
    TuningSubject subject;
    subject.model_digest = message.model_digest();
    subject.engine = message.engine();
    subject.cpu = message.cpu();
    subject.cores = message.cores();
    subject.instances = message.instances();
    subject.threads = message.threads();
    subject.precision = message.precision();
    if (message.has_max_batch_size()) subject.max_batch_size = message.max_batch_size();
    subject.preferred_batch_sizes.assign(message.preferred_batch_sizes().begin(),
                                         message.preferred_batch_sizes().end());
    subject.pad_to.assign(message.pad_to().begin(), message.pad_to().end());
    subject.shapes.assign(message.shapes().begin(), message.shapes().end());
    subject.warm_up = message.warm_up();
    subject.device = message.device();
    subject.parameters.assign(message.parameters().begin(), message.parameters().end());
    return subject;
}

tuning::Plan to_message(const TuningPlan& plan) {
    tuning::Plan message;
    message.set_batches(plan.batches);
    message.set_rows_trusted(plan.rows_trusted);
    message.set_batching(plain(plan.batching));
    message.set_warm_up(plain(plan.warm_up));
    message.set_threads(plan.threads);
    message.set_free_extent(plan.free_extent);
    for (const ServiceTime& service : plan.service_times) {
        tuning::Plan::ServiceTime& time = *message.add_service_times();
        time.set_rows(service.rows);
        time.set_nanoseconds(
            std::chrono::duration_cast<std::chrono::nanoseconds>(service.time).count());
    }
    message.set_tuned(plan.tuned);
    return message;
}

Result<TuningPlan> from_message(const tuning::Plan& message) {
    TuningPlan plan;
    plan.batches = message.batches();
    plan.rows_trusted = message.rows_trusted();
    plan.batching = message.batching();
    plan.warm_up = message.warm_up();
    plan.tuned = message.tuned();
    LEPTON_RETURN_IF_ERROR(within("threads", message.threads(), 1, kMostThreads));
    plan.threads = message.threads();
    LEPTON_RETURN_IF_ERROR(within("free_extent", message.free_extent(), 1, kLargestExtent));
    plan.free_extent = message.free_extent();
    LEPTON_RETURN_IF_ERROR(within(
        "the length of a text",
        static_cast<std::int64_t>(std::max(message.batching().size(), message.warm_up().size())),
        1,
        kLongestText));
    LEPTON_RETURN_IF_ERROR(within("the number of row counts",
                                  message.service_times_size(),
                                  1,
                                  message.batches() ? kMostRowCounts : 1));
    std::int64_t before = 0;
    for (const tuning::Plan::ServiceTime& time : message.service_times()) {
        const std::int64_t most = before == 0 ? 1 : kMostRows;
        LEPTON_RETURN_IF_ERROR(within("a row count", time.rows(), before + 1, most));
        // Nothing is known of a model that did not run: nothing is the time of its one row.
        const std::int64_t least = before > 0 || plan.warm() ? 1 : 0;
        LEPTON_RETURN_IF_ERROR(within("the time of a run", time.nanoseconds(), least, kLongestRun));
        plan.service_times.push_back({time.rows(), std::chrono::nanoseconds(time.nanoseconds())});
        before = time.rows();
    }
    return plan;
}

std::string to_line(const google::protobuf::Message& message) {
    std::string line;
    google::protobuf::util::JsonPrintOptions options;
    options.preserve_proto_field_names = true;
    // Fails for what a message of these kinds cannot hold.
    static_cast<void>(google::protobuf::util::MessageToJsonString(message, &line, options));
    return line;
}

Result<> from_json(std::string_view json, google::protobuf::Message& message, bool part) {
    google::protobuf::util::JsonParseOptions options;
    options.ignore_unknown_fields = part;
    const auto parsed =
        google::protobuf::util::JsonStringToMessage({json.data(), json.size()}, &message, options);
    if (parsed.ok()) return {};
    return fail(ErrorCode::kInvalidArgument, "it is not as Lepton writes it");
}

}  // namespace lepton::model
