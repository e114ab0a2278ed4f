#include "engines/openvino/signature.h"

#include <algorithm>
#include <string>
#include <unordered_set>

#include <openvino/op/result.hpp>

#include "engines/openvino/element_type.h"
#include "engines/openvino/number_formats.h"

namespace lepton::openvino {
namespace {

// Front ends name the Result of output "y" "y/sink_port_0".
std::string without_sink_port(const std::string& name) {
    const std::size_t at = name.rfind("/sink_port_");
    return at == std::string::npos ? name : name.substr(0, at);
}

// A tensor may have several names. The first that is a node's own is the model's name for it; the
// others come from nodes that were optimized away.
std::string choose_name(const std::unordered_set<std::string>& names,
                        const std::vector<std::string>& preferred) {
    for (const std::string& name : preferred) {
        if (names.contains(name)) return name;
    }
    if (names.empty()) return preferred.front();
    return *std::min_element(names.begin(), names.end());
}

// An input that is also an output goes by the output's name too, which must not hide its own.
std::unordered_set<std::string> names_of_input(const ov::Output<const ov::Node>& port) {
    std::unordered_set<std::string> names = port.get_names();
    for (const ov::Input<ov::Node>& reader : port.get_target_inputs()) {
        if (names.size() == 1) break;
        const ov::Node* const node = reader.get_node();
        if (ov::is_type<ov::op::v0::Result>(node)) {
            names.erase(without_sink_port(node->get_friendly_name()));
        }
    }
    return names;
}

Result<TensorSpec> spec_of(const ov::Output<const ov::Node>& port,
                           const char* direction,
                           std::string name) {
    TensorSpec spec;
    spec.name = std::move(name);
    const std::string what = std::string(direction) + " \"" + spec.name + "\"";
    const std::optional<DataType> dtype = data_type_of(port.get_element_type());
    if (!dtype) {
        return fail(ErrorCode::kUnsupported,
                    what + " has element type " + port.get_element_type().get_type_name() +
                        ", for which the protocol has no datatype");
    }
    spec.dtype = *dtype;
    const ov::PartialShape& shape = port.get_partial_shape();
    if (shape.rank().is_dynamic()) {
        return fail(ErrorCode::kUnsupported, what + " has no fixed rank");
    }
    for (const ov::Dimension& dim : shape) {
        if (!spec.shape.push_back(dim.is_static() ? dim.get_length() : -1)) {
            return fail(ErrorCode::kUnsupported,
                        what + " has rank " + std::to_string(shape.size()) + ", at most " +
                            std::to_string(Shape::kMaxRank) + " is offered");
        }
    }
    return spec;
}

}  // namespace

Result<std::vector<TensorSpec>> input_specs(const ov::Model& model) {
    std::vector<TensorSpec> specs;
    for (const ov::Output<const ov::Node>& port : model.inputs()) {
        std::string name =
            choose_name(names_of_input(port), {port.get_node()->get_friendly_name()});
        LEPTON_TRY(TensorSpec spec, spec_of(port, "input", std::move(name)));
        spec.computed_as = held_in(port);
        specs.push_back(std::move(spec));
    }
    return specs;
}

Result<std::vector<TensorSpec>> output_specs(const ov::Model& model) {
    std::vector<TensorSpec> specs;
    for (const ov::Output<const ov::Node>& port : model.outputs()) {
        const std::string result = without_sink_port(port.get_node()->get_friendly_name());
        const std::string source = port.get_node()->get_input_node_ptr(0)->get_friendly_name();
        // Without a name, that of the node that computes the tensor says more than that of a
        // Result.
        std::string name = port.get_names().empty()
                               ? choose_name({}, {source})
                               : choose_name(port.get_names(), {result, source});
        const auto same = [&](const TensorSpec& other) { return other.name == name; };
        if (std::any_of(specs.begin(), specs.end(), same)) name = result;
        LEPTON_TRY(TensorSpec spec, spec_of(port, "output", std::move(name)));
        spec.computed_as = computed_in(port);
        specs.push_back(std::move(spec));
    }
    return specs;
}

bool has_batch_axis(const std::vector<TensorSpec>& inputs, const std::vector<TensorSpec>& outputs) {
    const auto batches = [](const TensorSpec& spec) {
        return !spec.shape.empty() && spec.shape[0] < 0;
    };
    return !inputs.empty() && std::all_of(inputs.begin(), inputs.end(), batches) &&
           !outputs.empty() && std::all_of(outputs.begin(), outputs.end(), batches);
}

}  // namespace lepton::openvino
