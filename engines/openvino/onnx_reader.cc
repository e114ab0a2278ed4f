#include "engines/openvino/onnx_reader.h"

#include <algorithm>
#include <optional>
#include <unordered_set>
#include <utility>
#include <vector>

#include <openvino/frontend/manager.hpp>
#include <openvino/op/parameter.hpp>

namespace lepton::openvino {
namespace {

using ov::op::v0::Parameter;

struct Declared {
    std::string name;
    ov::element::Type type;
    ov::PartialShape shape;
    std::shared_ptr<Parameter> parameter;  // The model's; null: not found yet.
};

std::vector<Declared> declared_inputs(const ov::frontend::InputModel& file) {
    std::vector<Declared> inputs;
    for (const ov::frontend::Place::Ptr& place : file.get_inputs()) {
        const std::vector<std::string> names = place->get_names();
        inputs.push_back({names.empty() ? std::string() : names.front(),
                          file.get_element_type(place),
                          file.get_partial_shape(place),
                          nullptr});
    }
    return inputs;
}

bool has_name(const Parameter& parameter, const std::string& name) {
    return parameter.get_friendly_name() == name || parameter.output(0).get_names().contains(name);
}

// Whether the parameter may be that input, with its name lost.
bool may_be(const Parameter& parameter, const Declared& input) {
    return input.parameter == nullptr && parameter.get_element_type() == input.type &&
           parameter.get_partial_shape().compatible(input.shape);
}

// Returns false where the two do not match: the model is then best left as it is.
bool match(const ov::ParameterVector& parameters, std::vector<Declared>& inputs) {
    ov::ParameterVector nameless;
    for (const std::shared_ptr<Parameter>& parameter : parameters) {
        const auto named = std::find_if(inputs.begin(), inputs.end(), [&](const Declared& input) {
            return input.parameter == nullptr && has_name(*parameter, input.name);
        });
        if (named == inputs.end()) {
            nameless.push_back(parameter);
        } else {
            named->parameter = parameter;
        }
    }
    for (const std::shared_ptr<Parameter>& parameter : nameless) {
        const auto found = std::find_if(inputs.begin(), inputs.end(), [&](const Declared& input) {
            return may_be(*parameter, input);
        });
        if (found == inputs.end()) return false;
        found->parameter = parameter;
    }
    return true;
}

// Gives it its declared name alone, unless the model uses that name for another tensor.
void rename(Declared& input) {
    Parameter& parameter = *input.parameter;
    if (has_name(parameter, input.name)) return;
    parameter.set_friendly_name(input.name);
    parameter.output(0).get_tensor().add_names({input.name});
}

}  // namespace

std::shared_ptr<ov::Model> read_onnx(const std::string& file) {
    ov::frontend::FrontEndManager manager;
    const ov::frontend::FrontEnd::Ptr front_end = manager.load_by_framework("onnx");
    const bool map_weights = false;  // The core does not map them either.
    const ov::frontend::InputModel::Ptr content = front_end->load(file, map_weights);
    std::vector<Declared> inputs = declared_inputs(*content);
    std::shared_ptr<ov::Model> model = front_end->convert(content);
    if (!match(model->get_parameters(), inputs)) return model;
    ov::ParameterVector parameters;
    for (Declared& input : inputs) {
        if (input.parameter == nullptr) {
            input.parameter = std::make_shared<Parameter>(input.type, input.shape);
            input.parameter->set_friendly_name(input.name);
            input.parameter->output(0).set_names({input.name});
        } else {
            rename(input);
        }
        parameters.push_back(input.parameter);
    }
    if (parameters == model->get_parameters()) return model;
    auto complete = std::make_shared<ov::Model>(model->get_results(),
                                                model->get_sinks(),
                                                parameters,
                                                model->get_variables(),
                                                model->get_friendly_name());
    complete->get_rt_info() = model->get_rt_info();
    return complete;
}

}  // namespace lepton::openvino
