#include "lepton/model/tuning/tuning_record.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

#include "lepton/core/file_draft.h"
#include "lepton/model/config/engine_parameters.h"
#include "lepton/model/model_digest.h"
#include "lepton/model/tuning/cpu_identity.h"
#include "lepton/model/tuning/tuning_messages.h"
#include "lepton/observe/log.h"

namespace lepton::model {
namespace {

namespace fs = std::filesystem;

// Raised with every change of what is measured, or of how a record is to be understood.
constexpr int kFormat = 1;
constexpr std::uintmax_t kLargestFile = std::uintmax_t{4} << 20;
// The oldest go first: a record is worth a minute of tuning, and takes a kilobyte.
constexpr std::size_t kMostRecords = 1000;
// Of what tuning chooses by itself; a record with more was not made by it.
constexpr std::int64_t kMostRowsUnasked = 64;

// Two settings of the same model are two records.
std::string file_name(const TuningSubject& subject) {
    return digest_of(to_line(to_message(subject))) + ".json";
}

void forget_oldest(const fs::path& folder) {
    std::error_code error;
    std::vector<std::pair<fs::file_time_type, fs::path>> files;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
        if (entry.path().extension() != ".json") continue;
        files.emplace_back(entry.last_write_time(error), entry.path());
    }
    if (files.size() <= kMostRecords) return;
    std::sort(files.begin(), files.end());
    for (std::size_t i = 0; i < files.size() - kMostRecords; ++i) {
        fs::remove(files[i].second, error);
    }
}

Result<TuningPlan> plan_of(const tuning::Record& record, const TuningSubject& subject) {
    if (record.format() != kFormat) {
        return fail(ErrorCode::kInvalidArgument,
                    "it has format " + std::to_string(record.format()) + ", " +
                        std::to_string(kFormat) + " is expected");
    }
    const TuningSubject measured = from_message(record.subject());
    if (measured.model_digest != subject.model_digest) {
        return fail(ErrorCode::kInvalidArgument, "it is of another model");
    }
    if (measured.cpu != subject.cpu) {
        return fail(ErrorCode::kInvalidArgument, "it was measured on " + measured.cpu);
    }
    if (measured.engine != subject.engine) {
        return fail(ErrorCode::kInvalidArgument, "it was measured with " + measured.engine);
    }
    if (measured.cores != subject.cores) {
        return fail(ErrorCode::kInvalidArgument,
                    "it was measured with " + std::to_string(measured.cores) + " cores, not " +
                        std::to_string(subject.cores));
    }
    if (measured != subject) {
        return fail(ErrorCode::kInvalidArgument, "it was measured with other settings");
    }
    LEPTON_TRY(TuningPlan plan, from_message(record.plan()));
    if (subject.threads > 0 && plan.threads != subject.threads) {
        return fail(ErrorCode::kInvalidArgument,
                    "it has " + std::to_string(plan.threads) + " threads, " +
                        std::to_string(subject.threads) + " are asked for");
    }
    const std::int64_t asked = subject.max_batch_size.value_or(0);
    std::int64_t most = std::max(asked, kMostRowsUnasked);
    for (const std::int64_t size : subject.preferred_batch_sizes) most = std::max(most, size);
    if (plan.service_times.back().rows > most) {
        return fail(ErrorCode::kInvalidArgument,
                    "it has runs of " + std::to_string(plan.service_times.back().rows) +
                        " rows, at most " + std::to_string(most) + " are allowed");
    }
    if (asked > 0 && plan.service_times.back().rows != asked) {
        return fail(ErrorCode::kInvalidArgument,
                    "it ends at " + std::to_string(plan.service_times.back().rows) +
                        " rows, max_batch_size is " + std::to_string(asked));
    }
    return plan;
}

// Nothing for a version that was not measured.
Result<std::optional<TuningPlan>> parse_service(std::string_view json,
                                                const std::string& version,
                                                const TuningSubject& subject) {
    tuning::ServiceFile service;
    LEPTON_RETURN_IF_ERROR(from_json(json, service, true));
    const auto found = service.versions().find(version);
    if (found == service.versions().end() || !found->second.has_tuning()) return std::nullopt;
    return plan_of(found->second.tuning(), subject);
}

Result<std::string> read_file(const fs::path& file) {
    std::error_code error;
    if (!fs::is_regular_file(file, error) || fs::file_size(file, error) > kLargestFile) {
        return fail(ErrorCode::kInvalidArgument, "it is not a file of at most 4 MiB");
    }
    std::ifstream stream(file);
    std::string text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
    if (!stream) return fail(ErrorCode::kInvalidArgument, "it cannot be read");
    return text;
}

}  // namespace

Result<TuningSubject> TuningSubject::of(const fs::path& file,
                                        const engine::Engine& engine,
                                        const ModelConfig& config,
                                        std::span<const DeclaredSample> samples,
                                        int cores) {
    TuningSubject subject;
    LEPTON_TRY(subject.model_digest, digest_of_model(file));
    subject.engine = std::string(engine.name()) + " " + engine.version();
    subject.cpu = cpu_identity();
    subject.cores = cores;
    subject.instances = config.instances;
    subject.threads = config.threads;
    subject.precision = to_string(config.precision);
    subject.max_batch_size = config.max_batch_size;
    subject.preferred_batch_sizes = config.queue.preferred_batch_sizes;
    subject.pad_to = config.pad_to;
    for (const TensorConfig& input : config.inputs) {
        if (input.dims) subject.shapes.push_back(input.name + " " + to_string(*input.dims));
    }
    subject.warm_up = digest_of(samples);
    if (config.device != Device{}) subject.device = to_string(config.device);
    LEPTON_TRY(const engine::Parameters known, known_parameters(engine, config.parameters));
    for (const auto& [name, value] : known) {
        subject.parameters.emplace_back(name).append("=").append(value);
    }
    return subject;
}

void TuningSubject::put_into(ModelConfig& config) const {
    config.instances = instances;
    config.threads = threads;
    config.max_batch_size = max_batch_size;
    config.queue.preferred_batch_sizes = preferred_batch_sizes;
}

std::string to_json(const TuningSubject& subject, const TuningPlan& plan) {
    tuning::Record record;
    record.set_format(kFormat);
    *record.mutable_subject() = to_message(subject);
    *record.mutable_plan() = to_message(plan);
    return to_line(record) + "\n";
}

Result<TuningPlan> parse_record(std::string_view json, const TuningSubject& subject) {
    tuning::Record record;
    LEPTON_RETURN_IF_ERROR(from_json(json, record));
    return plan_of(record, subject);
}

std::optional<TuningRecords::Found> TuningRecords::find(const TuningSubject& subject,
                                                        const fs::path& model_file) const {
    std::optional<Found> untuned;
    const auto look_at = [&](const fs::path& file, auto read) -> std::optional<Found> {
        std::error_code error;
        if (!fs::exists(file, error)) return std::nullopt;
        const Result<std::string> text = read_file(file);
        Result<std::optional<TuningPlan>> plan = text ? read(*text) : tl::unexpected(text.error());
        if (!plan) {
            spdlog::warn("tuning_record_ignored file={} reason={}",
                         observe::quoted(file.string()),
                         observe::quoted(plan.error().message));
            return std::nullopt;
        }
        if (!*plan) return std::nullopt;
        Found found{**std::move(plan), file};
        if (found.plan.tuned) return found;
        untuned = std::move(found);
        return std::nullopt;
    };
    const fs::path version = model_file.parent_path();
    const auto of_service = [&](const std::string& text) {
        return parse_service(text, version.filename().string(), subject);
    };
    if (auto found = look_at(version.parent_path() / "lepton.json", of_service)) return found;
    if (folder_.empty()) return untuned;
    const auto of_machine = [&](const std::string& text) -> Result<std::optional<TuningPlan>> {
        return parse_record(text, subject);
    };
    if (auto found = look_at(folder_ / file_name(subject), of_machine)) return found;
    return untuned;
}

void TuningRecords::keep(const TuningSubject& subject, const TuningPlan& plan) const {
    if (folder_.empty()) return;
    std::error_code error;
    fs::create_directories(folder_, error);
    const Result<> written = replace_file(folder_ / file_name(subject), to_json(subject, plan));
    if (!written) {
        spdlog::warn("tuning_record_lost reason={}", observe::quoted(written.error().message));
    }
    forget_oldest(folder_);
}

fs::path default_records_folder() {
    // NOLINTBEGIN(concurrency-mt-unsafe): nobody changes the environment.
    const char* cache = std::getenv("XDG_CACHE_HOME");
    const char* home = std::getenv("HOME");
    // NOLINTEND(concurrency-mt-unsafe)
    // https://specifications.freedesktop.org/basedir-spec/latest/: a relative path is ignored.
    fs::path base;
    if (cache != nullptr && fs::path(cache).is_absolute()) {
        base = cache;
    } else if (home != nullptr && fs::path(home).is_absolute()) {
        base = fs::path(home) / ".cache";
    }
    return base.empty() ? base : base / "lepton" / "tuning";
}

}  // namespace lepton::model
