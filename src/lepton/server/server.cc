#include "lepton/server/server.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "lepton/engine/registry.h"
#include "lepton/memory/buffer_pool.h"
#include "lepton/model/cpu_budget.h"
#include "lepton/model/repository/model_repository.h"
#include "lepton/model/store/disk_store.h"
#include "lepton/model/store/repository_layout.h"
#include "lepton/net/connection_table.h"
#include "lepton/net/descriptor_limit.h"
#include "lepton/net/frontend.h"
#include "lepton/net/limits.h"
#include "lepton/observe/log.h"
#include "lepton/observe/metrics.h"
#include "lepton/observe/request_watch.h"
#include "lepton/observe/slow_requests.h"
#include "lepton/pipeline/pipeline.h"
#include "lepton/protocol/admin/slow_page.h"
#include "lepton/protocol/router.h"
#include "lepton/server/audit_log.h"
#include "lepton/server/housekeeper.h"
#include "lepton/server/kept_observations.h"
#include "lepton/server/memory_budget.h"
#include "lepton/server/model_publisher.h"
#include "lepton/server/trace_export.h"

namespace lepton::server {
namespace {

// One reactor reads and writes some 100,000 requests a second; beyond that, cores are of more use
// to the engine. See docs/concepts/life-of-a-request.md.
constexpr int kCoresPerReactor = 4;

int reactors_for(const Config& config, int cores) {
    return config.reactors > 0 ? config.reactors : std::max(1, cores / kCoresPerReactor);
}

// The rest is for models and everything else.
std::size_t budget_of(const Config& config) {
    return config.memory_budget > 0 ? config.memory_budget : memory_of_process() / 2;
}

std::optional<net::AdminAddress> admin_address(const Config& config) {
    auto address = config.admin;
    if (address && address->or_any_port && config.port == 0) address->port = 0;
    return address;
}

}  // namespace

std::string to_text(const Failure& failure) {
    std::string text = "model \"" + failure.name + "\"";
    if (!failure.version.empty()) text += " version " + failure.version;
    return text + ": " + failure.error.message;
}

// Members are in reverse of the order in which a request meets them: what is above is used by what
// is below, and destroyed after it. Only the pipeline, which the repository's control thread
// publishes to, looks down: it asks the repository why a model is not served, for as long as the
// frontend lives.
struct Server::Parts {
    Parts(const Config& chosen, int cores, int loops)
        : config(chosen),
          cores_for_models(cores),
          engines(config.engines_dir.empty() ? engine::EngineRegistry::default_folder()
                                             : config.engines_dir),
          pipeline(repository, metrics, loops, cores, config.max_answer_bytes),
          publisher(pipeline, metrics),
          repository(engines,
                     std::make_unique<model::DiskStore>(config.models),
                     publisher,
                     repository_options()),
          router(services(), settings()) {}

    // Changes of models are answered on the frontend's loops, which are destroyed first.
    ~Parts() { repository.stop(); }
    Parts(const Parts&) = delete;
    Parts& operator=(const Parts&) = delete;

    model::ModelRepository::Options repository_options() {
        return {
            .loading = {.cores = cores_for_models,
                        .cache_dir = config.cache_dir,
                        .records_dir = config.cache_dir.empty() ? model::default_records_folder()
                                                                : config.cache_dir / "tuning",
                        .tuning = config.tuning,
                        .longest_step = config.probe_timeout},
            .strict_readiness = config.strict_readiness,
        };
    }

    protocol::Services services() {
        return {.inference = pipeline,
                .catalog = repository,
                .buffers = buffers,
                .control = &repository,
                .observations = &observations,
                .observer = &watch};
    }

    protocol::Settings settings() {
        protocol::Settings chosen;
        chosen.triton_errors = config.triton_errors;
        chosen.max_body_bytes = config.limits.max_body_bytes;
        chosen.access = {
            .admin_url = [this] { return frontend->admin_url(); },
            .admin_hosts = config.admin_hosts,
            .audit = [this](const protocol::AuditEntry& entry) { audit_log.write(entry); }};
        return chosen;
    }

    Result<> export_traces() {
        LEPTON_TRY(const auto chosen, trace_options(config));
        if (chosen) exporter = make_span_exporter(*chosen);
        metrics.add_counter("lepton_trace_requests_exported_total",
                            "Sampled requests whose spans the collector took",
                            [this] { return exporter ? double(exporter->exported()) : 0; });
        metrics.add_counter("lepton_trace_requests_dropped_total",
                            "Sampled requests whose spans were lost: the queue was full, or the "
                            "collector did not take them",
                            [this] { return exporter ? double(exporter->dropped()) : 0; });
        if (!chosen) return {};
        watch.export_to(*exporter, chosen->sampling);
        return {};
    }

    // More connections than the process has file descriptors would fail at random.
    net::Limits limits_within_descriptors() const {
        net::Limits limits = config.limits;
        const std::size_t descriptors = net::raise_descriptor_limit();
        const std::size_t most = net::connections_within(descriptors);
        if (limits.max_connections > most) {
            spdlog::warn("max_connections from={} to={} reason=\"the system's limit is {} files\"",
                         limits.max_connections,
                         most,
                         descriptors);
            limits.max_connections = most;
        }
        return limits;
    }

    void count_connections() {
        const net::ConnectionTable& table = frontend->connections();
        metrics.add_gauge("lepton_connections", "Open connections", [&table] {
            return static_cast<double>(table.size());
        });
        metrics.add_counter("lepton_connections_opened_total",
                            "Connections that were accepted",
                            [&table] { return static_cast<double>(table.opened()); });
        std::vector<observe::Metrics::Labelled> ended;
        for (std::size_t i = 0; i < net::kEndingCount; ++i) {
            const auto ending = static_cast<net::Ending>(i);
            ended.push_back({net::label_of(ending), [&table, ending] {
                                 return static_cast<double>(table.ended(ending));
                             }});
        }
        metrics.add_counters("lepton_connections_ended_total",
                             "Connections that ended, by reason",
                             "reason",
                             std::move(ended));
        metrics.add_counter("lepton_accept_failures_total",
                            "Connections that could not be accepted, for want of descriptors",
                            [&table] { return static_cast<double>(table.accept_failures()); });
    }

    Result<> listen(int loops) {
        LEPTON_TRY(frontend,
                   net::Frontend::open({.host = config.host,
                                        .port = config.port,
                                        .unix_socket = config.unix_socket,
                                        .admin = admin_address(config),
                                        .reactors = loops,
                                        .busy_poll = config.busy_poll,
                                        .limits = limits_within_descriptors()},
                                       router,
                                       buffers));
        count_connections();
        housekeeper.emplace(buffers);
        metrics.add_gauge("lepton_buffer_bytes", "Memory of messages and answers", [this] {
            return static_cast<double>(buffers.held_bytes());
        });
        metrics.add_counter("lepton_buffer_refusals_total",
                            "Buffers that the memory budget, or the system, did not allow",
                            [this] { return static_cast<double>(buffers.refusals()); });
        metrics.add_counter(
            "lepton_instance_changes_total",
            "Changes of the number of instances that follow the load",
            [this] { return static_cast<double>(repository.controlled_changes()); });
        metrics.add_counter("lepton_tuned_changes_total",
                            "Models whose sessions were replaced after they had been measured",
                            [this] { return static_cast<double>(repository.tuned_changes()); });
        frontend->start();
        spdlog::info(
            "listening host={} port={} unix_socket={} admin={} protocols=http/1.1,http/2,grpc "
            "reactors={} cores={}",
            config.host,
            frontend->port(),
            observe::quoted(config.unix_socket.string()),
            observe::quoted(config.admin ? frontend->admin_url() : "off"),
            loops,
            cores_for_models);
        say_what_is_open();
        return {};
    }

    void say_what_is_open() const {
        if (frontend->is_open_to_network()) {
            spdlog::warn(
                "open_to_network host={} port={} reason=\"whoever reaches it may run every model "
                "and read the metrics and configurations, without a key and unencrypted\"",
                config.host,
                frontend->port());
        }
        if (frontend->is_admin_open_to_network()) {
            spdlog::warn(
                "open_to_network admin={} reason=\"whoever reaches it may change how every model "
                "is "
                "run and read who asks for what, without a key and unencrypted\"",
                frontend->admin_url());
        }
    }

    const Config config;
    const int cores_for_models;
    bool drained = false;
    memory::BufferPool buffers{budget_of(config)};
    observe::Metrics metrics;
    observe::SlowRequests slow;
    observe::RequestWatch watch{slow};
    KeptObservations observations{metrics, slow};
    AuditLog audit_log;
    std::unique_ptr<observe::SpanExporter> exporter;  // Null: traces are not exported.
    engine::EngineRegistry engines;
    pipeline::Pipeline pipeline;
    ModelPublisher publisher;
    model::ModelRepository repository;
    protocol::Router router;
    std::unique_ptr<net::Frontend> frontend;
    std::optional<Housekeeper> housekeeper;  // Only if it listens.
};

Result<std::unique_ptr<Server>> Server::start(const Config& config) {
    const int cores = config.cores > 0 ? config.cores : model::cpu_budget();
    const int loops = config.listen ? reactors_for(config, cores) : 0;
    // Before anybody hears of the server: folders that cannot be used are the end of it.
    if (auto folders = model::scan_roots(config.models); !folders) {
        return tl::unexpected(std::move(folders).error());
    }
    auto parts = std::make_unique<Parts>(config, cores, loops);
    if (config.listen) {
        LEPTON_RETURN_IF_ERROR(parts->export_traces());
        LEPTON_RETURN_IF_ERROR(parts->listen(loops));
    }
    LEPTON_RETURN_IF_ERROR(parts->repository.start());
    return std::unique_ptr<Server>(new Server(std::move(parts)));
}

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Server::~Server() { stop(); }

std::vector<Failure> Server::wait_until_loaded() {
    parts_->repository.wait_until_settled();
    return parts_->repository.failures();
}

Result<> Server::ready() const { return parts_->repository.ready(); }

void Server::cancel() { parts_->repository.cancel(); }

void Server::drain() {
    if (parts_ == nullptr || std::exchange(parts_->drained, true)) return;
    parts_->repository.begin_drain();
    if (parts_->frontend != nullptr) {
        parts_->frontend->drain(Clock::now() + parts_->config.drain_timeout);
    }
    parts_->pipeline.stop_runs();
}

void Server::stop() {
    if (parts_ == nullptr) return;
    drain();
    parts_->repository.stop();
    if (parts_->frontend != nullptr) parts_->frontend->stop();
    // An engine may still be running for a client that the drain did not wait for: its connection
    // has to exist until the run is over.
    parts_->pipeline.abandon();
    parts_.reset();
}

std::uint16_t Server::port() const {
    return parts_->frontend == nullptr ? std::uint16_t{0} : parts_->frontend->port();
}

std::string Server::admin_url() const {
    return parts_->frontend == nullptr ? std::string() : parts_->frontend->admin_url();
}

std::vector<std::string> Server::models() const { return parts_->repository.models(); }

InferService& Server::inferences() { return parts_->pipeline; }

const ModelCatalog& Server::catalog() const { return parts_->repository; }

CallObserver& Server::observer() { return parts_->watch; }

std::string Server::metrics_page() const { return parts_->metrics.page(); }

std::string Server::slow_page(std::string_view model, std::size_t limit) const {
    constexpr std::size_t kRoom = 4096;
    memory::Buffer page = parts_->buffers.take(kRoom);
    protocol::write_slow_page(parts_->slow.read(model, limit, Clock::now()), page);
    return std::string(page.text());
}

Result<> Server::reload() { return parts_->repository.reload(); }

Result<> Server::load(const std::string& model) { return parts_->repository.load(model); }

Result<> Server::unload(const std::string& model) { return parts_->repository.unload(model); }

}  // namespace lepton::server
