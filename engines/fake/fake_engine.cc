#include "engines/fake/fake_engine.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <fstream>
#include <optional>
#include <string>
#include <system_error>

#include <nlohmann/json.hpp>

#include "engines/fake/fake_graph.h"
#include "engines/fake/fake_model.h"

namespace lepton::fake {
namespace {

using Json = nlohmann::json;

std::vector<TensorSpec> read_tensors(const Json& list) {
    std::vector<TensorSpec> specs;
    for (const Json& entry : list) {
        TensorSpec spec;
        spec.name = entry.at("name").get<std::string>();
        const auto dtype = parse_data_type(entry.at("datatype").get<std::string>());
        if (!dtype) throw std::runtime_error("tensor " + spec.name + " has an unknown datatype");
        spec.dtype = *dtype;
        for (const Json& dim : entry.at("shape")) spec.shape.push_back(dim.get<std::int64_t>());
        specs.push_back(std::move(spec));
    }
    return specs;
}

bool can_add(DataType dtype) {
    return dtype != DataType::kBool && dtype != DataType::kFp16 && dtype != DataType::kBf16 &&
           dtype != DataType::kBytes;
}

void replace_shapes(FakeModel& model, const engine::OpenOptions& options) {
    for (const auto& [name, shape] : options.input_shapes) {
        for (std::size_t i = 0; i < model.inputs.size(); ++i) {
            if (model.inputs[i].name != name) continue;
            model.inputs[i].shape = shape;
            if (i < model.outputs.size()) model.outputs[i].shape = shape;
        }
    }
}

void check(const FakeModel& model) {
    if (model.outputs.empty() || model.outputs.size() > model.inputs.size()) {
        throw std::runtime_error("each output needs the input that it copies");
    }
    for (std::size_t i = 0; i < model.outputs.size(); ++i) {
        const TensorSpec& in = model.inputs[i];
        const TensorSpec& out = model.outputs[i];
        if (in.dtype != out.dtype || in.shape != out.shape) {
            throw std::runtime_error("output " + out.name + " differs from input " + in.name);
        }
        if ((model.add != 0 || model.mix_rows) && !can_add(in.dtype)) {
            throw std::runtime_error("cannot add to datatype " + std::string(to_string(in.dtype)));
        }
    }
}

FakeModel read_model(const std::filesystem::path& path) {
    std::ifstream file(path);
    if (!file) throw std::runtime_error("it cannot be opened");
    const Json json = Json::parse(file, nullptr, true, true);
    if (json.contains("fail_load")) {
        throw std::runtime_error(json.at("fail_load").get<std::string>());
    }
    FakeModel model;
    model.inputs = read_tensors(json.at("inputs"));
    model.outputs = read_tensors(json.at("outputs"));
    model.add = json.value("add", 0.0);
    model.mix_rows = json.value("mix_rows", false);
    model.delay = std::chrono::microseconds(json.value("delay_us", 0));
    model.delay_per_row = std::chrono::microseconds(json.value("delay_us_per_row", 0));
    model.busy = json.value("delay", "sleep") == "busy";
    model.fail = json.value("fail", "");
    if (json.contains("fail_when_first_is")) {
        model.fail_when_first_is = json.at("fail_when_first_is").get<int>();
    }
    model.fatal = json.value("fatal", false);
    model.crash = json.value("crash", "");
    model.crash_rows = json.value("crash_rows", std::int64_t{0});
    return model;
}

constexpr std::string_view kDelay = "delay_us";

Result<std::optional<std::chrono::microseconds>> delay_of(const engine::Parameters& parameters) {
    constexpr int kLongest = 60'000'000;
    const auto found = parameters.find(kDelay);
    if (found == parameters.end()) return std::nullopt;
    const std::string& text = found->second;
    int delay = 0;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), delay);
    if (error != std::errc() || rest != text.data() + text.size() || delay < 0 ||
        delay > kLongest) {
        return fail(ErrorCode::kInvalidArgument,
                    "parameter \"" + found->first + "\" is \"" + text +
                        "\", a number between 0 and " + std::to_string(kLongest) + " is needed");
    }
    return std::chrono::microseconds(delay);
}

}  // namespace

bool FakeEngine::reads(const std::filesystem::path& path) const {
    return path.extension() == ".fake";
}

bool FakeEngine::may_crash(const std::filesystem::path& path) const {
    // What a pipe holds is read once, by open().
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error)) return false;
    std::ifstream file(path);
    const Json json = Json::parse(file, nullptr, false, true);
    return json.is_object() && (json.contains("crash") || json.value("probe", false));
}

std::vector<Device> FakeEngine::devices() const {
    std::vector<Device> devices{Device{}};
    for (int i = 0; i < FakeDevices::kCount; ++i) devices.push_back({DeviceKind::kGpu, i});
    return devices;
}

Result<std::vector<std::string>> FakeEngine::unknown(const engine::Parameters& parameters) const {
    if (const auto delay = delay_of(parameters); !delay) return tl::unexpected(delay.error());
    engine::Parameters others = parameters;
    others.erase(std::string(kDelay));
    return Engine::unknown(others);
}

void FakeEngine::advance(Clock::duration time) {
    devices_->get({DeviceKind::kGpu, FakeDevices::kStanding})->advance(time);
}

Result<std::unique_ptr<engine::Graph>> FakeEngine::open(const std::filesystem::path& path,
                                                        const engine::OpenOptions& options) {
    try {
        LEPTON_TRY(const auto delay, delay_of(options.parameters));
        FakeModel model = read_model(path);
        if (delay) model.delay = *delay;
        replace_shapes(model, options);
        check(model);
        return std::make_unique<FakeGraph>(std::move(model), devices_);
    } catch (const std::exception& error) {
        return fail(ErrorCode::kInvalidArgument,
                    path.string() + " cannot be read: " + error.what());
    }
}

}  // namespace lepton::fake
