#include "lepton/model/config/engine_parameters.h"

#include <string>
#include <vector>

namespace lepton::model {

Result<engine::Parameters> known_parameters(const engine::Engine& engine,
                                            const engine::Parameters& parameters) {
    LEPTON_TRY(const std::vector<std::string> unknown, engine.unknown(parameters));
    engine::Parameters known = parameters;
    for (const std::string& name : unknown) known.erase(name);
    return known;
}

}  // namespace lepton::model
