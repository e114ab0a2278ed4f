// client_sync URL MODEL: asks a model once, with zeros, and prints its outputs.
//
//     lepton demo                                     # in another terminal
//     client_sync http://127.0.0.1:8000 digits

#include <cstddef>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include <lepton/client.h>

namespace {

int complain(const lepton::Error& error) {
    std::fprintf(stderr, "client_sync: %s\n", error.message.c_str());
    return 1;
}

int ask(const char* url, const char* name) {
    auto client = lepton::Client::open(url);
    if (!client) return complain(client.error());

    // Each open extent of an input, such as the batch's, becomes one.
    const auto model = client->model(name);
    if (!model) return complain(model.error());
    lepton::InferRequest request;
    request.model = model->name;
    request.timeout = std::chrono::milliseconds(500);
    // Tensors are sent from where they are, so they live until the call has returned.
    std::vector<std::vector<std::byte>> tensors;
    for (const lepton::TensorSpec& spec : model->inputs) {
        lepton::Shape shape = spec.shape;
        for (std::size_t i = 0; i < shape.rank(); ++i) {
            if (shape[i] < 0) shape[i] = 1;
        }
        const auto count = static_cast<std::size_t>(shape.element_count().value());
        tensors.emplace_back(count * lepton::element_bytes(spec.dtype));
        request.inputs.push_back({spec.name, spec.dtype, shape, tensors.back()});
    }

    lepton::InferResult result;  // Its storage is reused when it is handed to the next call.
    if (const auto answered = client->infer(request, result); !answered) {
        return complain(answered.error());
    }
    for (const lepton::Output& output : result.outputs()) {
        std::printf("%.*s %s %s:",
                    static_cast<int>(output.name.size()),
                    output.name.data(),
                    std::string(to_string(output.dtype)).c_str(),
                    to_string(output.shape).c_str());
        if (output.dtype == lepton::DataType::kFp32) {
            for (const float value : output.as<float>()) std::printf(" %g", value);
        }
        std::printf("\n");
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: client_sync URL MODEL\n");
        return 2;
    }
    try {
        return ask(argv[1], argv[2]);
    } catch (const std::exception& error) {
        // as() and value() throw: the model is not what this program takes it for.
        std::fprintf(stderr, "client_sync: %s\n", error.what());
        return 1;
    }
}
