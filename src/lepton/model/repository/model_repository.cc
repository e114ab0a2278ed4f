#include "lepton/model/repository/model_repository.h"

#include <algorithm>
#include <utility>

#include "lepton/model/repository/served_version.h"
#include "lepton/observe/log.h"

namespace lepton::model {

ModelRepository::ModelRepository(engine::EngineRegistry& engines,
                                 std::unique_ptr<ModelStore> store,
                                 ModelListener& listener,
                                 const Options& options)
    : store_(std::move(store)),
      loader_(engines, options.loading),
      table_(options.strict_readiness),
      tuner_(loader_,
             {.delay = options.tuning_delay,
              .on_tuned =
                  [this](const BackgroundTuner::Job& job, Result<TuningPlan> plan) {
                      lifecycle_.on_tuned(job, std::move(plan));
                  }}),
      lifecycle_({.store = *store_,
                  .loader = loader_,
                  .table = table_,
                  .listener = listener,
                  .tuner = tuner_,
                  .control = control_,
                  .tuning = options.loading.tuning}),
      changer_(table_, lifecycle_, options.loading.cores),
      instances_(table_,
                 lifecycle_,
                 listener,
                 {.cores = options.loading.cores, .interval = options.control_interval}),
      control_({.next_look = [this] { return instances_.next_look(); },
                .look = [this] { instances_.look(); }}) {}

ModelRepository::~ModelRepository() { stop(); }

void ModelRepository::cancel() {
    control_.cancel();
    loader_.cancel();
}

void ModelRepository::stop() {
    cancel();
    tuner_.stop();
    control_.stop();
}

Result<> ModelRepository::start() {
    LEPTON_TRY(const std::vector<ModelFolder> folders, store_->list());
    if (folders.empty()) spdlog::warn("repository_empty {}", store_->label());
    table_.start(folders);
    for (const ModelFolder& folder : folders) queue_load(folder.name);
    return {};
}

Result<> ModelRepository::load(const std::string& name) {
    LEPTON_TRY(const std::vector<ModelFolder> folders, store_->list());
    const auto found = std::find_if(folders.begin(), folders.end(), [&](const ModelFolder& folder) {
        return folder.name == name;
    });
    if (found == folders.end()) {
        return fail(ErrorCode::kModelNotFound, quoted_model(name) + " is in no model repository");
    }
    table_.want(*found);
    queue_load(name);
    return {};
}

Result<> ModelRepository::reload() {
    LEPTON_TRY(const std::vector<ModelFolder> folders, store_->list());
    for (const ModelFolder& folder : folders) {
        if (table_.want_again(folder)) queue_load(folder.name);
    }
    return {};
}

Result<> ModelRepository::unload(const std::string& name) {
    LEPTON_RETURN_IF_ERROR(table_.want_no_more(name));
    control_.add({.lane = ControlThread::Lane::kModel, .key = name, .run = [this, name] {
                      lifecycle_.unload(name);
                  }});
    return {};
}

// The latest word on a model counts, so that the queue is bounded by the number of models.
void ModelRepository::queue_load(const std::string& name) {
    control_.add({.lane = ControlThread::Lane::kModel, .key = name, .run = [this, name] {
                      lifecycle_.load(name);
                  }});
}

Result<ModelConfiguration> ModelRepository::configuration(std::string_view name,
                                                          std::string_view version) const {
    LEPTON_TRY(const ModelTable::Serving found, serving(table_, name, version));
    return to_configuration(*found);
}

void ModelRepository::change(ConfigChange change, Done done) {
    auto run = [this, change = std::move(change), done] { done(changer_.change(change)); };
    auto drop = [done = std::move(done)](const Error& why) { done(tl::unexpected(why)); };
    control_.add({.run = std::move(run), .drop = std::move(drop)});
}

}  // namespace lepton::model
