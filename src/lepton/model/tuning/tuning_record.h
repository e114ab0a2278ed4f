#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lepton/core/result.h"
#include "lepton/engine/engine.h"
#include "lepton/model/config/model_config.h"
#include "lepton/model/tuning/tuning_plan.h"
#include "lepton/model/warm_up/declared_samples.h"

namespace lepton::model {

// What a measurement depends on; it holds only where all of it is the same.
struct TuningSubject {
    std::string model_digest;
    std::string engine;
    std::string cpu;
    int cores = 1;
    int instances = 1;
    int threads = 0;
    std::string precision;
    std::optional<std::int64_t> max_batch_size;
    std::vector<std::int64_t> preferred_batch_sizes;
    std::vector<std::int64_t> pad_to;
    std::vector<std::string> shapes;
    std::string warm_up;
    std::string device;                   // Empty: the CPU.
    std::vector<std::string> parameters;  // That the engine knows: "name=value".

    // Errors: kInvalidArgument for a model whose files cannot be read.
    static Result<TuningSubject> of(const std::filesystem::path& file,
                                    const engine::Engine& engine,
                                    const ModelConfig& config,
                                    std::span<const DeclaredSample> samples,
                                    int cores);
    // The settings of `config` that this was made from.
    void put_into(ModelConfig& config) const;

    friend bool operator==(const TuningSubject&, const TuningSubject&) = default;
};

// What was measured of models, kept as JSON: of a service in its lepton.json, where `lepton create`
// wrote it, and of all others as files in one folder of this machine's. A record is
// not believed because it is there: it has to be of the same subject, and within bounds. Off the
// request path. Thread-safe.
class TuningRecords {
public:
    // Empty: nothing is kept, and only the records of services are read.
    explicit TuningRecords(std::filesystem::path folder) : folder_(std::move(folder)) {}

    struct Found {
        TuningPlan plan;
        std::filesystem::path file;
    };
    // Nothing where there is no record, or none to believe, which the log tells.
    [[nodiscard]] std::optional<Found> find(const TuningSubject& subject,
                                            const std::filesystem::path& model_file) const;

    // Into the folder of this machine's. That it could not be written is told by the log alone: the
    // model serves all the same.
    void keep(const TuningSubject& subject, const TuningPlan& plan) const;

private:
    const std::filesystem::path folder_;
};

// $XDG_CACHE_HOME/lepton/tuning, or ~/.cache/lepton/tuning; empty where neither is known.
[[nodiscard]] std::filesystem::path default_records_folder();

// The parts of it. Errors: kInvalidArgument with what is wrong.
Result<TuningPlan> parse_record(std::string_view json, const TuningSubject& subject);
[[nodiscard]] std::string to_json(const TuningSubject& subject, const TuningPlan& plan);

}  // namespace lepton::model
