#include "lepton/model/tuning/instance_tuning.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "lepton/model/config/signature.h"
#include "lepton/model/tuning/reporting_session.h"
#include "lepton/model/tuning/row_counts.h"
#include "lepton/model/warm_up/warm_up.h"

namespace lepton::model {
namespace {

using std::chrono::microseconds;

constexpr Clock::duration kWorthThreads = microseconds(200);
constexpr double kThreadsGain = 0.8;
// From here on more threads are guessed to be worth having, where nothing is timed.
constexpr Clock::duration kSurelyWorthThreads = microseconds(10'000);
// Below, starting quickly counts for more than the last percent of a batch; a model above is not
// probed: its batches would be over any deadline, and take seconds to compile and to time.
constexpr Clock::duration kQuickRow = microseconds(1000);
constexpr Clock::duration kSlowRow = microseconds(50'000);
// Each costs a compilation at start, 10 to 16 ms for the smallest model; a run between them is
// padded to the next. For an MLP of 128-256-256-10 a run of 4 costs 1.2 single ones, one of 16 2.2;
// with 2 and 8 as well, runs of 2 and of 5 to 8 rows would cost a sixth and a third less: worth it
// for a model whose rows take milliseconds.
constexpr std::array<std::int64_t, 2> kRowCounts{4, 16};
constexpr std::array<std::int64_t, 4> kRowCountsOfSlow{2, 4, 8, 16};
constexpr std::int64_t kProbe = 4;
constexpr int kProbes = 3;
// Extents for axes that are only known with the request: a short sequence, a longer one, an image's
// side, a scalar, and what a second of sound takes, in frames or in samples.
constexpr std::array<std::int64_t, 6> kFreeExtents{16, 64, 224, 1, 1024, 16000};

bool has_free_axis(const engine::Graph& graph, bool batches) {
    return std::any_of(graph.inputs().begin(), graph.inputs().end(), [&](const TensorSpec& spec) {
        return !(batches ? spec.shape.row() : spec.shape).is_static();
    });
}

// Whether a row is nothing but a number for each input: a signal, or so little work that taking a
// large request apart costs many times what computing it does.
bool rows_are_numbers(const engine::Graph& graph) {
    return std::all_of(graph.inputs().begin(), graph.inputs().end(), [](const TensorSpec& spec) {
        return spec.shape.rank() == 1 && spec.dtype != DataType::kBytes;
    });
}

// Tries what can be measured, in the order of the members. Not thread-safe; the owner serialises.
class Tuning {
public:
    Tuning(engine::Graph& graph, const ModelConfig& config, TuningOptions options)
        : graph_(graph),
          config_(config),
          how_(std::move(options)),
          threads_per_instance_(std::max(1, how_.cores / config.instances)) {
        options_.precision = config.precision;
        options_.device = config.device;
        if (config.threads > 0) options_.threads = config.threads;
        options_.batches = has_batch_axis(graph) && config.max_batch_size.value_or(1) != 0;
    }

    Result<TunedInstances> finish() {
        if (how_.on_step) how_.on_step("while its rows are proven to be independent");
        LEPTON_RETURN_IF_ERROR(fit_samples(how_.samples, graph_.inputs()));
        decide_batching();
        if (options_.batches) LEPTON_RETURN_IF_ERROR(count_rows(how_.samples));
        LEPTON_RETURN_IF_ERROR(start());
        LEPTON_RETURN_IF_ERROR(choose_threads());
        LEPTON_RETURN_IF_ERROR(choose_batching());
        LEPTON_RETURN_IF_ERROR(make_other_instances());
        LEPTON_RETURN_IF_ERROR(run_padded_extents());
        LEPTON_RETURN_IF_ERROR(run_samples());
        plan_.threads = options_.threads;
        plan_.batches = options_.batches;
        plan_.rows_trusted = options_.rows_trusted;
        plan_.free_extent = free_extent_;
        plan_.tuned = !proves();
        return TunedInstances{std::move(sessions_), std::move(plan_), std::nullopt};
    }

    // Without finding out anything.
    Result<TunedInstances> follow(const TuningPlan& plan, std::optional<Clock::duration> patience) {
        if (plan.batches && !options_.batches) {
            return fail(ErrorCode::kInvalidArgument,
                        "the plan lets requests share a run, which the model does not allow");
        }
        LEPTON_RETURN_IF_ERROR(fit_samples(how_.samples, graph_.inputs()));
        if (plan.batches) LEPTON_RETURN_IF_ERROR(count_rows(how_.samples));
        plan_ = plan;
        options_.threads = plan.threads;
        options_.batches = plan.batches;
        options_.rows_trusted = plan.rows_trusted && config_.max_batch_size.has_value();
        free_extent_ = plan.free_extent;
        std::optional<TuningPlan> rest;
        if (patience && plan_.service_times.size() > 1 && !config_.max_batch_size) {
            LEPTON_TRY(const Clock::duration took, make_first_row());
            const auto others =
                static_cast<std::int64_t>(plan_.service_times.size() - 1) * config_.instances;
            if (took * others > *patience) {
                rest = plan_;
                plan_.service_times.resize(1);
                plan_.tuned = false;
            }
        }
        LEPTON_RETURN_IF_ERROR(make_other_instances());
        LEPTON_RETURN_IF_ERROR(run_padded_extents());
        LEPTON_RETURN_IF_ERROR(run_samples());
        return TunedInstances{std::move(sessions_), std::move(plan_), std::move(rest)};
    }

private:
    Result<std::unique_ptr<engine::Session>> make_session() {
        LEPTON_TRY(std::unique_ptr<engine::Session> session, graph_.make_session(options_));
        if (how_.on_step) {
            session = std::make_unique<ReportingSession>(
                std::move(session), graph_, running_, how_.on_step);
        }
        LEPTON_RETURN_IF_ERROR(session->prepare(1));
        return session;
    }

    [[nodiscard]] bool proves() const { return how_.effort == TuningEffort::kProve; }

    [[nodiscard]] bool declared() const { return !how_.samples.empty(); }

    [[nodiscard]] WarmUp warm_up() const {
        if (declared()) return {graph_, options_.batches, how_.samples.front()};
        return {graph_, options_.batches, free_extent_};
    }

    // A session of one thread, and inputs with which it runs.
    Result<> start() {
        LEPTON_TRY(session_, make_session());
        if (declared()) {
            const Clock::time_point begun = Clock::now();
            LEPTON_RETURN_IF_ERROR(run_sample(*session_, how_.samples.front(), 1));
            first_run_ = Clock::now() - begun;
            plan_.warm_up = "done";
            return time_one_row();
        }
        Result<> ran;
        for (const std::int64_t extent : kFreeExtents) {
            free_extent_ = extent;
            const Clock::time_point begun = Clock::now();
            const auto outputs = warm_up().run(*session_, 0, 1);
            if (outputs) {
                first_run_ = Clock::now() - begun;
                plan_.warm_up = "done";
                return time_one_row();
            }
            ran = fail(outputs.error().code, "warm-up fails: " + outputs.error().message);
            if (has_free_axis(graph_, options_.batches)) continue;
            // Inputs that are made up may not be what the model takes; that says nothing of others.
            if (ran.error().code != ErrorCode::kInvalidArgument) return ran;
            break;
        }
        plan_.warm_up = "skipped, no inputs are known that the model takes; " + ran.error().message;
        plan_.service_times = {{1, Clock::duration::zero()}};
        return {};
    }

    [[nodiscard]] bool quick() const { return plan_.service_times.front().time < kQuickRow; }
    [[nodiscard]] bool warm() const { return plan_.warm(); }

    // Of a run like one that took `first`: that of a slow model is believed, where timing would
    // take several times as long.
    Result<Clock::duration> time(engine::Session& session,
                                 std::int64_t rows,
                                 Clock::duration first) {
        if (proves() && first > kSlowRow) return first;
        return warm_up().time(session, rows);
    }

    Result<> time_one_row() {
        LEPTON_TRY(const Clock::duration took, time(*session_, 1, first_run_));
        plan_.service_times = {{1, took}};
        return {};
    }

    Result<> choose_threads() {
        if (config_.threads > 0) return {};
        const Clock::duration one_thread = plan_.service_times.front().time;
        if (!warm() || threads_per_instance_ == 1 || one_thread <= kWorthThreads) return {};
        if (proves()) return guess_threads(one_thread);
        const auto worth_it =
            std::chrono::duration_cast<Clock::duration>(kThreadsGain * one_thread);
        options_.threads = threads_per_instance_;
        LEPTON_TRY(std::unique_ptr<engine::Session> session, make_session());
        LEPTON_TRY(const Clock::duration many_threads, warm_up().time(*session, 1));
        if (many_threads <= worth_it) {
            session_ = std::move(session);
            plan_.service_times = {{1, many_threads}};
        } else {
            options_.threads = 1;
        }
        return {};
    }

    Result<> guess_threads(Clock::duration one_thread) {
        if (one_thread < kSurelyWorthThreads) return {};
        options_.threads = threads_per_instance_;
        LEPTON_TRY(std::unique_ptr<engine::Session> session, make_session());
        const Clock::time_point begun = Clock::now();
        LEPTON_RETURN_IF_ERROR(warm_up().run(*session, 0, 1));
        LEPTON_TRY(const Clock::duration many_threads, time(*session, 1, Clock::now() - begun));
        if (many_threads <= one_thread) {
            session_ = std::move(session);
            plan_.service_times = {{1, many_threads}};
        } else {
            options_.threads = 1;
        }
        return {};
    }

    // What the graph and the configuration say, before anything runs.
    void decide_batching() {
        if (!options_.batches) {
            plan_.batching = has_batch_axis(graph_) ? "no, max_batch_size is 0"
                                                    : "no, the model has no batch axis";
            return;
        }
        plan_.batching = "yes";
        if (config_.max_batch_size == 1) return;
        if (!config_.max_batch_size && rows_are_numbers(graph_)) {
            options_.batches = false;
            plan_.batching = "no, a row would be a single number";
            return;
        }
        const std::string found = find_dependence();
        if (found.empty()) return;
        // A limit that the configuration names is the word of someone who knows the model.
        if (config_.max_batch_size) {
            options_.rows_trusted = true;
            plan_.batching = "yes, because config.pbtxt says so, although " + found;
        } else {
            options_.batches = false;
            plan_.batching = "no, " + found;
        }
    }

    // Why rows may not share a run, as the graph proves it; empty when they may.
    std::string find_dependence() {
        std::string found;
        for (const std::int64_t extent : kFreeExtents) {
            free_extent_ = extent;
            const Result<> proven = graph_.prove_rows(warm_up().shapes(2));
            if (proven) return {};
            found = proven.error().message;
            if (declared()) break;
            // Another extent may be one that the model takes.
            if (proven.error().code != ErrorCode::kInvalidArgument) break;
        }
        return found;
    }

    // Whether what runs give agrees with what was decided: rows that are measured to agree prove
    // nothing, those that do not are a reason to stop.
    Result<> choose_batching() {
        if (!options_.batches) return {};
        if (config_.max_batch_size == 1) return prepare_all();
        // What the graph proves is enough to begin with, where a comparison would take seconds.
        const bool slow = warm() && plan_.service_times.front().time > kSlowRow;
        if (proves() && slow && !config_.max_batch_size) return prepare_what_pays();
        const std::string found = find_contradiction();
        if (found.empty()) return config_.max_batch_size ? prepare_all() : prepare_what_pays();
        if (!config_.max_batch_size) return stop_batching("no, " + found);
        plan_.batching = "yes, because config.pbtxt says so, although " + found;
        return prepare_all();
    }

    std::string find_contradiction() {
        if (!warm()) return "rows could not be compared";
        // What is prepared anyway serves as well: a run of two rows is padded to it.
        const std::int64_t rows = config_.max_batch_size || !quick() ? 2 : kRowCounts.front();
        if (const Result<> ready = session_->prepare(rows); !ready) return ready.error().message;
        const bool coarse = options_.precision != engine::Precision::kF32;
        if (warm_up().rows_agree(*session_, coarse)) return {};
        return "the answer to a row depends on the others in its run";
    }

    // From here on the whole shape is the request's.
    Result<> stop_batching(std::string why) {
        options_.batches = false;
        LEPTON_RETURN_IF_ERROR(start());
        plan_.batching = std::move(why);
        return {};
    }

    Result<> prepare_and_time(std::int64_t rows) {
        LEPTON_RETURN_IF_ERROR(session_->prepare(rows));
        Clock::duration took{};
        if (warm()) {
            const Clock::time_point begun = Clock::now();
            LEPTON_RETURN_IF_ERROR(warm_up().run(*session_, 0, rows));
            LEPTON_TRY(took, time(*session_, rows, Clock::now() - begun));
        }
        plan_.service_times.push_back({rows, took});
        return {};
    }

    Result<> prepare_all() {
        const std::int64_t most = *config_.max_batch_size;
        std::set<std::int64_t> counts(config_.queue.preferred_batch_sizes.begin(),
                                      config_.queue.preferred_batch_sizes.end());
        for (std::int64_t rows = 2; rows < most; rows *= 2) counts.insert(rows);
        counts.insert(most);
        counts.erase(1);
        if (!counts.contains(2)) session_->drop(2);
        for (const std::int64_t rows : counts) LEPTON_RETURN_IF_ERROR(prepare_and_time(rows));
        return {};
    }

    Result<> prepare_what_pays() {
        std::set<std::int64_t> counts(config_.queue.preferred_batch_sizes.begin(),
                                      config_.queue.preferred_batch_sizes.end());
        if (quick()) {
            counts.insert(kRowCounts.begin(), kRowCounts.end());
        } else if (!proves()) {
            LEPTON_TRY(const bool pays, batches_pay());
            if (pays) counts.insert(kRowCountsOfSlow.begin(), kRowCountsOfSlow.end());
        }
        if (!counts.contains(2)) session_->drop(2);
        counts.erase(1);
        for (const std::int64_t rows : counts) LEPTON_RETURN_IF_ERROR(prepare_and_time(rows));
        if (proves()) return {};
        std::vector<ServiceTime>& times = plan_.service_times;
        for (const std::size_t kept = row_counts_worth_having(times); times.size() > kept;) {
            session_->drop(times.back().rows);
            times.pop_back();
        }
        return {};
    }

    // Whether a slow model's rows are cheaper together: most are not, and are spared the rest.
    Result<bool> batches_pay() {
        if (!warm() || plan_.service_times.front().time > kSlowRow) return false;
        LEPTON_RETURN_IF_ERROR(session_->prepare(kProbe));
        Clock::duration& alone = plan_.service_times.front().time;
        Clock::duration together = Clock::duration::max();
        // In turns: something else may have had the processor while one of the two was timed.
        for (int i = 0; i < kProbes; ++i) {
            LEPTON_TRY(const Clock::duration probe, warm_up().time(*session_, kProbe));
            together = std::min(together, probe);
            const std::array<ServiceTime, 2> times{{{1, alone}, {kProbe, together}}};
            if (row_counts_worth_having(times) == times.size()) return true;
            LEPTON_TRY(const Clock::duration one, warm_up().time(*session_, 1));
            alone = std::min(alone, one);
        }
        session_->drop(kProbe);
        return false;
    }

    // The first instance, ready for single rows, and how long that took.
    Result<Clock::duration> make_first_row() {
        const Clock::time_point begun = Clock::now();
        LEPTON_TRY(session_, make_session());
        if (warm()) LEPTON_RETURN_IF_ERROR(warm_up().run(*session_, 0, 1));
        return Clock::now() - begun;
    }

    Result<> prepare_and_run(engine::Session& session) {
        for (const ServiceTime& service : plan_.service_times) {
            const auto prepared = session.prepared();
            if (std::find(prepared.begin(), prepared.end(), service.rows) == prepared.end()) {
                LEPTON_RETURN_IF_ERROR(session.prepare(service.rows));
            } else if (service.rows > 1 || &session == session_.get()) {
                continue;  // It ran.
            }
            if (warm()) LEPTON_RETURN_IF_ERROR(warm_up().run(session, 0, service.rows));
        }
        return {};
    }

    Result<> make_other_instances() {
        if (session_ != nullptr) {
            LEPTON_RETURN_IF_ERROR(prepare_and_run(*session_));
            sessions_.push_back(std::move(session_));
        }
        const int wanted = how_.first_instance_only ? 1 : config_.instances;
        while (sessions_.size() < static_cast<std::size_t>(wanted)) {
            LEPTON_TRY(std::unique_ptr<engine::Session> session, make_session());
            LEPTON_RETURN_IF_ERROR(prepare_and_run(*session));
            sessions_.push_back(std::move(session));
        }
        return {};
    }

    // The first run of a shape is slow; and an extent that the model does not take is found out.
    Result<> run_padded_extents() {
        if (!options_.batches || !has_free_axis(graph_, true)) return {};
        for (const auto& session : sessions_) {
            for (const std::int64_t extent : config_.pad_to) {
                if (const auto outputs = run_padded(*session, extent); !outputs) {
                    return fail(outputs.error().code,
                                "parameter \"pad_to\" has " + std::to_string(extent) +
                                    ", with which the model fails: " + outputs.error().message);
                }
            }
        }
        return {};
    }

    Result<> run_padded(engine::Session& session, std::int64_t extent) {
        if (!declared()) {
            LEPTON_RETURN_IF_ERROR(WarmUp(graph_, true, extent).run(session, 0, 1));
            return {};
        }
        const DeclaredSample sample = padded(how_.samples.front(), graph_.inputs(), extent);
        LEPTON_RETURN_IF_ERROR(WarmUp(graph_, true, sample).run(session, 0, 1));
        return {};
    }

    // Shapes that were seen are quick, and what fails is known before there are requests.
    Result<> run_samples() {
        for (const auto& session : sessions_) {
            for (const DeclaredSample& sample : how_.samples) {
                const int times = how_.first_instance_only ? 1 : sample.count;
                for (int i = 0; i < times; ++i) {
                    LEPTON_RETURN_IF_ERROR(run_sample(*session, sample, sample.rows));
                }
            }
        }
        return {};
    }

    // Runs it as a request is run: in pieces where more rows are not prepared.
    Result<> run_sample(engine::Session& session, const DeclaredSample& sample, std::int64_t rows) {
        *running_ = sample.what;
        const WarmUp declared(graph_, options_.batches, sample);
        if (!options_.batches) rows = 1;
        const std::int64_t bound = config_.max_batch_size.value_or(0);
        const std::int64_t most =
            options_.batches ? most_rows_of_run(session, graph_.inputs(), bound) : 1;
        for (std::int64_t first = 0; first < rows; first += most) {
            const auto ran = declared.run(session, first, std::min(most, rows - first));
            if (!ran) {
                return fail(ran.error().code,
                            sample.what + " fails, at shape " +
                                shapes_text(graph_, declared.shapes(rows)) + ": " +
                                ran.error().message);
            }
        }
        return {};
    }

    engine::Graph& graph_;
    const ModelConfig& config_;
    TuningOptions how_;
    const int threads_per_instance_;
    engine::SessionOptions options_;
    // The sample that runs, for the sessions' words.
    const std::shared_ptr<std::string> running_ = std::make_shared<std::string>();
    std::int64_t free_extent_ = kFreeExtents.front();
    Clock::duration first_run_{};
    std::unique_ptr<engine::Session> session_;  // The first instance, until all are made.
    std::vector<std::unique_ptr<engine::Session>> sessions_;
    TuningPlan plan_;
};

}  // namespace

Result<TunedInstances> tune_instances(engine::Graph& graph,
                                      const ModelConfig& config,
                                      TuningOptions options) {
    return Tuning(graph, config, std::move(options)).finish();
}

Result<TunedInstances> make_instances(engine::Graph& graph,
                                      const ModelConfig& config,
                                      const TuningPlan& plan,
                                      std::optional<Clock::duration> patience,
                                      std::vector<DeclaredSample> samples) {
    TuningOptions options;
    options.samples = std::move(samples);
    return Tuning(graph, config, std::move(options)).follow(plan, patience);
}

}  // namespace lepton::model
