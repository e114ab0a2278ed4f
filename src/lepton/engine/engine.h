#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lepton/core/device.h"
#include "lepton/core/model_spec.h"
#include "lepton/core/result.h"
#include "lepton/core/tensor.h"

namespace lepton::engine {

// Numeric precision in which a model computes; what it takes and gives keeps its own datatypes.
enum class Precision : std::uint8_t { kF32, kBf16, kF16 };

[[nodiscard]] std::string_view to_string(Precision precision);

// Of the engine, by name, as `parameters` in config.pbtxt has them: those that are none of Lepton's
// own. Bounded by the size of that file.
using Parameters = std::map<std::string, std::string, std::less<>>;

struct SessionOptions {
    int threads = 1;  // Computing threads of one run, the calling thread included.
    Precision precision = Precision::kF32;
    // Whether axis 0 counts rows, where the graph's signature allows that. Otherwise the whole
    // shape is the request's, and prepare(1) stands for it.
    bool batches = true;
    // Somebody who knows the model says that rows are independent: prepare() does not ask for a
    // proof.
    bool rows_trusted = false;
    Device device{};  // One of the engine's; of the kind that the graph was opened for.
};

// Who is told what came of a run that Session::start() began.
class RunCompletion {
public:
    // The outputs are set, or the error says why not, as Session::run() returns it. On any thread,
    // the one that called start() included. Does not call the session.
    virtual void on_run(Result<> result) noexcept = 0;

protected:
    RunCompletion() = default;
    RunCompletion(const RunCompletion&) = default;
    RunCompletion& operator=(const RunCompletion&) = default;
    ~RunCompletion() = default;
};

// One runnable copy of a model. Inputs and outputs are in the order of the signature; where the
// model batches, axis 0 of each is the same number of rows. Not thread-safe; the owner serialises.
class Session {
public:
    virtual ~Session() = default;

    // Compiles and allocates what a run of exactly `rows` rows needs, off the request path; a run
    // of fewer rows may then be padded to it. Models that do not batch take rows = 1. Errors:
    // kUnsupported for more than one row where rows are not proven independent, with the reason.
    virtual Result<> prepare(std::int64_t rows) = 0;

    // Gives back what prepare(rows) took, where the engine can: measurement showed no use for it.
    virtual void drop(std::int64_t rows) { static_cast<void>(rows); }

    // Row counts prepared so far, ascending.
    [[nodiscard]] virtual std::span<const std::int64_t> prepared() const = 0;

    // Where the rows of input `index` may be gathered so that run() need not copy them: 64-byte
    // aligned, room for the largest prepared row count. Empty for kBytes and for models whose input
    // shape is only known with the request.
    [[nodiscard]] virtual std::span<std::byte> slot(std::size_t index) = 0;

    // Whether rows of several requests may share a run of these inputs, where that was not settled
    // by prepare(): the proof is made once for each shape. Errors: kUnsupported with the reason.
    virtual Result<> may_share(std::span<const TensorView> inputs) {
        static_cast<void>(inputs);
        return {};
    }

    // How many bytes each output of a run of these inputs has, at least, as far as their shapes say
    // before the run and the signature does not; empty where they say nothing, or are refused.
    // Valid until the next call.
    virtual std::span<const std::size_t> output_bytes(std::span<const TensorView> inputs) {
        static_cast<void>(inputs);
        return {};
    }

    // Runs once, in the calling thread (plus the session's own computing threads). Sets each of
    // `outputs` to a view that stays valid until the next run() on this session. Inputs that lie
    // outside slot() are read in place where the engine can (64-byte aligned, of a prepared row
    // count), and copied otherwise. rows <= prepared().back() where the model batches and its
    // shapes are known. What is not an error was computed by this run, from these inputs alone.
    // Errors: kInvalidArgument for what the model refuses, kInternal for engine failures.
    virtual Result<> run(std::int64_t rows,
                         std::span<const TensorView> inputs,
                         std::span<TensorView> outputs) = 0;

    // Starts a run and completes it later, where a device computes by itself; the calling thread is
    // free meanwhile. `done` is told exactly once, of errors too, and never after the session is
    // destroyed: whoever destroys it waits for that, or has the run ended with kUnavailable. Until
    // then the session is the run's, and what `inputs` and `outputs` refer to stays as it is. By
    // default the run is over when this returns.
    virtual void start(std::int64_t rows,
                       std::span<const TensorView> inputs,
                       std::span<TensorView> outputs,
                       RunCompletion& done) {
        done.on_run(run(rows, inputs, outputs));
    }

    // False: what it runs on is lost, and so is every run from here on; another session may work.
    [[nodiscard]] virtual bool alive() const { return true; }
};

// A model file as the engine understood it. Thread-safe.
class Graph {
public:
    virtual ~Graph() = default;

    // Axis 0 is -1 in each tensor of a model that can batch.
    [[nodiscard]] virtual const std::vector<TensorSpec>& inputs() const = 0;
    [[nodiscard]] virtual const std::vector<TensorSpec>& outputs() const = 0;
    // Triton's word, e.g. "openvino_onnx".
    [[nodiscard]] virtual std::string platform() const = 0;
    // Why the engine computes with something else than the model's file says, whatever the request
    // is; empty where it does not.
    [[nodiscard]] virtual std::string defect() const { return {}; }

    // Whether a run of inputs of these shapes, of at least 2 rows, gives each row what it would be
    // given alone, as far as the graph can say; other extents of open axes behind axis 0 are proven
    // when they come (Session::may_share). Engines that cannot look into a graph say no. Errors:
    // kUnsupported naming the operation that stands in the way; kInvalidArgument where the model
    // does not take such shapes.
    virtual Result<> prove_rows(std::span<const Shape> inputs) = 0;

    // Errors: kUnsupported for a precision or an operator that the device lacks, kInternal.
    virtual Result<std::unique_ptr<Session>> make_session(const SessionOptions& options) = 0;
};

struct OpenOptions {
    // Replaces the shapes of named inputs, as the model's configuration asks.
    std::vector<std::pair<std::string, Shape>> input_shapes;
    std::filesystem::path cache_dir;  // Compiled models are kept there; empty: nowhere.
    Device device{};                  // For whose runs it is; one of the engine's.
    Parameters parameters{};
};

// A model runtime. Thread-safe.
class Engine {
public:
    virtual ~Engine() = default;

    [[nodiscard]] virtual std::string_view name() const = 0;  // "openvino"
    [[nodiscard]] virtual std::string version() const = 0;    // The runtime's own.
    // Whether the file, or the folder of a SavedModel, is of a kind that this engine reads, judged
    // by its name. A lookup, not a promise: open() says what is wrong with the content.
    [[nodiscard]] virtual bool reads(const std::filesystem::path& path) const = 0;

    // Whether trying a model for the first time may end the process, so that another one tries it.
    [[nodiscard]] virtual bool may_crash(const std::filesystem::path& path) const {
        static_cast<void>(path);
        return true;
    }

    // What it can compute with on this machine.
    [[nodiscard]] virtual std::vector<Device> devices() const { return {Device{}}; }

    // Names of parameters that it does not know, for a warning; by default it knows none. Errors:
    // kInvalidArgument naming the parameter, its value and the bound, also for a name that it will
    // not read over.
    [[nodiscard]] virtual Result<std::vector<std::string>> unknown(
        const Parameters& parameters) const;

    // `options` were found right by check(). Errors: kInvalidArgument naming the file and the
    // reason; kUnavailable for a device that does not answer.
    virtual Result<std::unique_ptr<Graph>> open(const std::filesystem::path& path,
                                                const OpenOptions& options) = 0;
};

// Whether the engine has that device and takes these parameters. Errors: kUnsupported naming the
// devices that there are; as Engine::unknown().
Result<> check(const Engine& engine, Device device, const Parameters& parameters);

// A plug-in is a shared library with this one C function; it returns an Engine to be owned by the
// caller, or null with `error` filled in. `abi` is kPluginAbi of the caller.
inline constexpr int kPluginAbi = 3;
using MakeEngine = Engine* (*)(int abi, std::string* error);
inline constexpr const char* kMakeEngineSymbol = "lepton_make_engine";

}  // namespace lepton::engine
