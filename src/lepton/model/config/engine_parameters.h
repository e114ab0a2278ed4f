#pragma once

#include "lepton/core/result.h"
#include "lepton/engine/engine.h"

namespace lepton::model {

// Those of a model's parameters that have an effect on the engine. Errors: as Engine::unknown().
Result<engine::Parameters> known_parameters(const engine::Engine& engine,
                                            const engine::Parameters& parameters);

}  // namespace lepton::model
