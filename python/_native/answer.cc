#include "answer.h"

#include <chrono>
#include <memory>
#include <utility>

#include <nanobind/ndarray.h>

namespace lepton::python {
namespace {

nb::dlpack::dtype dlpack_type(DataType type) {
    using Code = nb::dlpack::dtype_code;
    Code code = Code::Float;
    switch (type) {
        case DataType::kBool:
            code = Code::Bool;
            break;
        case DataType::kUint8:
        case DataType::kUint16:
        case DataType::kUint32:
        case DataType::kUint64:
        case DataType::kBf16:  // numpy has no bfloat16: its bits.
            code = Code::UInt;
            break;
        case DataType::kInt8:
        case DataType::kInt16:
        case DataType::kInt32:
        case DataType::kInt64:
            code = Code::Int;
            break;
        default:
            break;
    }
    return {static_cast<std::uint8_t>(code), static_cast<std::uint8_t>(8 * element_bytes(type)), 1};
}

nb::object strings_of(const Output& output) {
    nb::list elements;
    for (const std::string_view text : output.strings()) {
        elements.append(nb::bytes(text.data(), text.size()));
    }
    nb::list shape;
    for (const std::int64_t extent : output.shape) shape.append(extent);
    return nb::module_::import_("lepton.datatypes").attr("to_objects")(elements, shape);
}

nb::object array_of(const Output& output, nb::handle owner) {
    if (output.dtype == DataType::kBytes) return strings_of(output);
    std::size_t shape[Shape::kMaxRank];
    for (std::size_t i = 0; i < output.shape.rank(); ++i) {
        shape[i] = static_cast<std::size_t>(output.shape[i]);
    }
    // The bytes are ours alone, so that whoever gets the array may write to it; torch asks for
    // that.
    auto* const data = const_cast<std::byte*>(output.data.data());
    const nb::ndarray<nb::numpy> array(static_cast<void*>(data),
                                       output.shape.rank(),
                                       shape,
                                       owner,
                                       nullptr,
                                       dlpack_type(output.dtype));
    nb::object exported = nb::cast(array, nb::rv_policy::reference);
    if (output.dtype != DataType::kBf16) return exported;
    return nb::module_::import_("lepton.datatypes").attr("from_bfloat16")(exported);
}

}  // namespace

Answer::Answer(InferResult result, const Signature& model)
    : owner_(std::make_unique<InferResult>(std::move(result)).release(),
             [](void* owned) noexcept { delete static_cast<InferResult*>(owned); }) {
    const auto outputs = this->result().outputs();
    for (std::size_t i = 0; i < outputs.size(); ++i) {
        const bool known =
            i < model.output_names.size() && model.info.outputs[i].name == outputs[i].name;
        outputs_[known ? model.output_names[i] : to_str(outputs[i].name)] =
            array_of(outputs[i], owner_);
    }
}

nb::dict Answer::timing_ms() const {
    nb::dict timing;
    const Breakdown& breakdown = result().timing();
    const auto put = [&timing](const char* name, Clock::duration time) {
        timing[name] = std::chrono::duration<double, std::milli>(time).count();
    };
    const Clock::duration known =
        breakdown.net + breakdown.queue + breakdown.input + breakdown.compute + breakdown.output;
    if (known == Clock::duration::zero()) return timing;
    put("net", breakdown.net);
    put("queue", breakdown.queue);
    put("input", breakdown.input);
    put("compute", breakdown.compute);
    put("output", breakdown.output);
    return timing;
}

nb::object Answer::value() const {
    if (outputs_.size() != 1) return outputs_;
    PyObject* key = nullptr;
    PyObject* value = nullptr;
    Py_ssize_t at = 0;
    PyDict_Next(outputs_.ptr(), &at, &key, &value);
    return nb::borrow(value);
}

void bind_answer(nb::module_& module) {
    nb::class_<Answer>(module, "Answer", "The outputs of one inference, and where its time went.")
        .def_prop_ro("outputs",
                     &Answer::outputs,
                     nb::sig("def outputs(self) -> dict[str, numpy.typing.NDArray[typing.Any]]"),
                     "By name, in the model's order, or in the order asked for.")
        .def_prop_ro("model_name", &Answer::model_name)
        .def_prop_ro("model_version", &Answer::model_version, "The one that answered.")
        .def_prop_ro("id", &Answer::id, "That of the request.")
        .def_prop_ro("timing_ms",
                     &Answer::timing_ms,
                     nb::sig("def timing_ms(self) -> dict[str, float]"),
                     "The server's breakdown: net, queue, input, compute, output; empty where it "
                     "gives none.");
}

}  // namespace lepton::python
