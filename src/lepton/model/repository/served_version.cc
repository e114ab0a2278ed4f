#include "lepton/model/repository/served_version.h"

#include <chrono>
#include <cstddef>
#include <utility>

namespace lepton::model {
namespace {

// The same sample where max_batch_size of the answer leaves the batch axis out of `dims`, or not,
// other than the file's. Nothing where that cannot be said: of rows, a file holds a single one.
std::optional<WarmUpSample> with_other_dims(WarmUpSample sample, bool of_rows) {
    const std::int64_t before = sample.batch_size;
    sample.batch_size = 1;
    for (WarmUpSample::Input& input : sample.inputs) {
        Shape dims;
        std::int64_t rows = before;
        if (of_rows) {
            if (input.dims.empty() || input.dims[0] < 1) return std::nullopt;
            rows = input.dims[0];
            dims = input.dims.row();
            if (&input != &sample.inputs.front() && rows != sample.batch_size) return std::nullopt;
            sample.batch_size = rows;
        } else {
            dims.push_back(rows);
            for (const std::int64_t dim : input.dims) {
                if (!dims.push_back(dim)) return std::nullopt;
            }
        }
        if (input.content == WarmUpSample::Content::kFile && rows != 1) return std::nullopt;
        input.dims = dims;
    }
    return sample;
}

}  // namespace

ServedVersion ServedVersion::of(const LoadedModel& model,
                                std::filesystem::path file,
                                Stamp stamp,
                                const ModelConfig& config) {
    ServedVersion version;
    version.spec = model.spec;
    version.file = std::move(file);
    version.stamp = std::move(stamp);
    version.engine = model.engine;
    version.measured.threads = model.threads;
    version.measured.largest_batch = model.spec->batches ? model.service_times.back().rows : 0;
    version.plan = model.plan;
    version.rest = model.rest;
    version.loaded = config;
    version.config = config;
    return version;
}

std::int64_t ServedVersion::number() const { return std::stoll(spec->version); }

ModelConfiguration to_configuration(const ServedVersion& version) {
    const auto microseconds = [](Clock::duration time) -> std::int64_t {
        return std::chrono::duration_cast<std::chrono::microseconds>(time).count();
    };
    const ModelConfig& config = version.config;
    ModelConfiguration now;
    now.spec = version.spec;
    now.backend = version.engine;
    now.file_name = version.file.filename().string();
    now.instances = config.instances;
    now.max_batch_size = config.max_batch_size.value_or(0);
    now.fifo = config.queue.policy == QueuePolicy::kFifo;
    now.preferred_batch_sizes = config.queue.preferred_batch_sizes;
    now.max_queue_delay_us = microseconds(config.queue.max_queue_delay);
    const auto told = [&microseconds](const WaitBound& wait,
                                      std::size_t most) -> QueuePolicyConfiguration {
        return {.timeout_us = microseconds(wait.longest),
                .delays = wait.delays,
                .allows_override = wait.shortened,
                .max_queue_size = static_cast<std::int64_t>(most)};
    };
    now.queue_policy = told(config.queue.wait, config.queue.max_queued_requests);
    now.priority_levels = config.queue.priority_levels;
    now.default_priority_level = config.queue.default_priority;
    for (const auto& [priority, level] : config.queue.levels) {
        now.priority_queue_policies[priority] = told(level.wait, level.max_queued_requests);
    }
    now.latest_versions = config.versions.latest;
    now.specific_versions = config.versions.specific;
    const bool of_rows = now.max_batch_size > 0;
    for (const WarmUpSample& sample : config.warm_up) {
        std::optional<WarmUpSample> as_told = sample;
        if (of_rows != config.dims_of_rows) as_told = with_other_dims(sample, of_rows);
        if (as_told) now.warm_up.push_back(*std::move(as_told));
    }
    now.settings = settings_of(config, version.measured);
    return now;
}

}  // namespace lepton::model
