#pragma once

#include "lepton/core/model_control.h"
#include "lepton/core/result.h"
#include "lepton/model/repository/model_lifecycle.h"
#include "lepton/model/repository/model_table.h"

namespace lepton::model {

// Changes how a model that serves is run, all of a change or nothing: what needs no other sessions
// is applied to those that serve; otherwise the version is loaded anew and takes the old one's
// place, or does not load, and nothing has changed. Confined to the control thread.
class ConfigChanger {
public:
    // `cores` are what the models may use. The others outlive it.
    ConfigChanger(ModelTable& table, ModelLifecycle& lifecycle, int cores)
        : table_(table), lifecycle_(lifecycle), cores_(cores) {}

    // Errors: as ModelControl::change.
    Result<ConfigChanged> change(const ConfigChange& change);

private:
    ModelTable& table_;
    ModelLifecycle& lifecycle_;
    const int cores_;
};

// How a version is run. Errors: as ModelCatalog::find.
[[nodiscard]] Result<ModelTable::Serving> serving(const ModelTable& table,
                                                  std::string_view name,
                                                  std::string_view version);

}  // namespace lepton::model
