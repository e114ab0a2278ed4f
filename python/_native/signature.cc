#include "signature.h"

#include <utility>

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

namespace lepton::python {
namespace {

nb::tuple to_tuple(const Shape& shape) {
    nb::list extents;
    for (const std::int64_t extent : shape.dims()) extents.append(extent);
    return nb::tuple(extents);
}

nb::tuple to_tuple(const std::vector<TensorSpec>& tensors) {
    nb::list specs;
    for (const TensorSpec& tensor : tensors) specs.append(nb::cast(tensor));
    return nb::tuple(specs);
}

std::string to_text(const std::vector<TensorSpec>& tensors) {
    std::string text;
    for (const TensorSpec& tensor : tensors) {
        if (!text.empty()) text += ", ";
        text.append(tensor.name).append(" ").append(to_string(tensor.dtype));
        text += to_string(tensor.shape);
    }
    return text;
}

}  // namespace

Signature::Signature(ModelInfo of, std::string pinned)
    : info(std::move(of)), version(std::move(pinned)) {
    output_names.reserve(info.outputs.size());
    for (const TensorSpec& output : info.outputs) output_names.push_back(to_str(output.name));
}

void bind_signature(nb::module_& module) {
    nb::class_<TensorSpec>(module, "TensorSpec", "One input or output of a model.")
        .def_ro("name", &TensorSpec::name)
        .def_prop_ro(
            "datatype",
            [](const TensorSpec& self) { return to_str(to_string(self.dtype)); },
            "The protocol's name: FP32, INT64, BYTES, ...")
        .def_prop_ro(
            "shape",
            [](const TensorSpec& self) { return to_tuple(self.shape); },
            nb::sig("def shape(self) -> tuple[int, ...]"),
            "With the batch axis; -1 is any extent.")
        .def("__repr__",
             [](const TensorSpec& self) { return "TensorSpec(" + to_text({self}) + ")"; });
    nb::class_<Signature>(module, "Model", "What a model takes and gives.")
        .def_prop_ro("name", [](const Signature& self) { return to_str(self.info.name); })
        .def_prop_ro(
            "versions",
            [](const Signature& self) { return nb::tuple(nb::cast(self.info.versions)); },
            nb::sig("def versions(self) -> tuple[str, ...]"),
            "Those that are ready, ascending.")
        .def_prop_ro("platform", [](const Signature& self) { return to_str(self.info.platform); })
        .def_prop_ro(
            "inputs",
            [](const Signature& self) { return to_tuple(self.info.inputs); },
            nb::sig("def inputs(self) -> tuple[TensorSpec, ...]"))
        .def_prop_ro(
            "outputs",
            [](const Signature& self) { return to_tuple(self.info.outputs); },
            nb::sig("def outputs(self) -> tuple[TensorSpec, ...]"))
        .def_prop_ro(
            "properties",
            [](const Signature& self) {
                nb::dict properties;
                for (const auto& [name, value] : self.info.properties) {
                    properties[to_str(name)] = to_str(value);
                }
                return properties;
            },
            nb::sig("def properties(self) -> dict[str, str]"),
            "How it is run, for a person.")
        .def("__repr__", [](const Signature& self) {
            return "Model(" + self.info.name + ": " + to_text(self.info.inputs) + " -> " +
                   to_text(self.info.outputs) + ")";
        });
}

}  // namespace lepton::python
