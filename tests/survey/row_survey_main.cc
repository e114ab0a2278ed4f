// Prints for each model file whether the rows of a batch are proven independent, or which operation
// stands in the way, and how many there are of each:
//
//     row_survey [--rows N] FILE...
//
// A model has a batch axis where axis 0 of each of its tensors is open. Other open axes are tried
// with the extents that the server tries when it loads a model.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "engines/openvino/openvino_engine.h"
#include "engines/openvino/signature.h"

namespace {

constexpr std::array<std::int64_t, 6> kFreeExtents{16, 64, 224, 1, 1024, 16000};

std::string prove(lepton::engine::Graph& graph, std::int64_t rows) {
    std::string why;
    for (const std::int64_t extent : kFreeExtents) {
        std::vector<lepton::Shape> shapes;
        for (const lepton::TensorSpec& input : graph.inputs()) {
            lepton::Shape& shape = shapes.emplace_back();
            for (const std::int64_t dim : input.shape) {
                shape.push_back(shape.empty() ? rows : dim < 0 ? extent : dim);
            }
        }
        const auto proven = graph.prove_rows(shapes);
        if (proven) return {};
        why = proven.error().message;
        if (proven.error().code != lepton::ErrorCode::kInvalidArgument) break;
    }
    return why;
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    std::int64_t rows = 4;
    int proven = 0;
    int refused = 0;
    int without_axis = 0;
    int unread = 0;
    lepton::openvino::OpenVinoEngine engine;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        if (arguments[i] == "--rows" && i + 1 < arguments.size()) {
            rows = std::atoll(arguments[++i].c_str());
            continue;
        }
        const auto graph = engine.open(arguments[i], {});
        std::string said;
        if (!graph) {
            ++unread;
            said = "not read: " + graph.error().message;
        } else if (!lepton::openvino::has_batch_axis((*graph)->inputs(), (*graph)->outputs())) {
            ++without_axis;
            said = "no batch axis";
        } else if (const std::string why = prove(**graph, rows); why.empty()) {
            ++proven;
            said = "proven";
        } else {
            ++refused;
            said = "not proven: " + why;
        }
        std::printf("%s: %s\n", arguments[i].c_str(), said.c_str());
    }
    std::printf("%d proven, %d not, %d without a batch axis, %d not read\n",
                proven,
                refused,
                without_axis,
                unread);
    return EXIT_SUCCESS;
}
