#pragma once

#include <cstdint>
#include <memory>

#include "lepton/core/model_spec.h"
#include "lepton/model/loaded_model.h"
#include "lepton/model/repository/instance_controller.h"

namespace lepton::model {

// Who runs the models of a repository. Each call comes on the repository's control thread, one at
// a time and without a lock; the next load waits until it returns.
class ModelListener {
public:
    virtual ~ModelListener() = default;

    // A version may be used from here on; it becomes ready when this returns. It replaces a version
    // of the same name and number.
    virtual void on_ready(std::shared_ptr<LoadedModel> model) = 0;

    // No request may be given to the version from here on. What runs may go on, also after this
    // has returned: the model lives as long as whoever got it keeps it.
    virtual void on_retired(const ModelSpec& spec) = 0;

    // From here on the version runs so; max_batch_size 0: as it was loaded.
    virtual void on_reconfigured(const ModelSpec& spec,
                                 const QueueOptions& queue,
                                 std::int64_t max_batch_size) = 0;

    // What was counted about a version, for models whose instances follow the load.
    [[nodiscard]] virtual LoadCounters load_of(const ModelSpec& spec) const = 0;
};

}  // namespace lepton::model
