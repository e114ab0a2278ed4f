#include "lepton/engine/engine.h"

namespace lepton::engine {

std::string_view to_string(Precision precision) {
    switch (precision) {
        case Precision::kF32:
            return "f32";
        case Precision::kBf16:
            return "bf16";
        case Precision::kF16:
            return "f16";
    }
    return "unknown";
}

}  // namespace lepton::engine
