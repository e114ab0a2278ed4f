#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lepton/core/error.h"
#include "lepton/core/model_spec.h"
#include "lepton/core/result.h"
#include "lepton/core/sync.h"
#include "lepton/model/repository/served_version.h"
#include "lepton/model/store/repository_layout.h"

namespace lepton::model {

// Which models there are, what state each of their versions is in, and why:
//
//     found -> loading -> ready -> gone
//                 `-----> failed (reason)
//
// A failure does not take away what serves. State alone: it reads no file, calls nobody and waits
// for nothing. Thread-safe; each call is one look at it, or one change, under its one lock. Only
// one thread at a time may change versions, so that what it has read of them holds until it writes.
class ModelTable {
public:
    using Serving = std::shared_ptr<const ServedVersion>;
    struct Failure {
        std::string name;
        std::string version;  // Empty: the model as a whole, such as its config.pbtxt.
        Error error;
    };
    // What came of loading a model, all of its versions together.
    struct Loaded {
        std::vector<std::int64_t> wanted = {};  // By its version policy.
        bool all_serve = false;                 // Of them.
        std::optional<Error> failure = {};      // Of the model as a whole.
    };

    // Strict: models that failed at start keep ready() from being so.
    explicit ModelTable(bool strict_readiness) : strict_readiness_(strict_readiness) {}

    // The server waits for these to be ready.
    void start(std::span<const ModelFolder> found);
    // Not ready any more.
    void begin_drain();

    // To be loaded, whatever was said of it before.
    void want(const ModelFolder& folder);
    // The same, where it was not unloaded on request; false where it was.
    bool want_again(const ModelFolder& folder);
    // To be unloaded. Errors: kModelNotFound, naming what is there.
    Result<> want_no_more(const std::string& name);

    // Where the model lies; it is known.
    [[nodiscard]] ModelFolder folder(const std::string& name) const;

    // False where the version serves as its files are; otherwise it is loading until serve() or
    // note_failure().
    bool begin_load(const std::string& name, std::int64_t number, const Stamp& stamp);
    void serve(Serving version);
    void note_failure(const std::string& name, std::int64_t number, Error error);
    // Changes what is said of a version that serves, or its sessions.
    void replace(Serving version);
    // The versions that its policy no longer serves.
    [[nodiscard]] std::vector<std::int64_t> end_load(const std::string& name, const Loaded& loaded);
    // The versions that it has, failed ones included. A failure of the model itself is forgotten.
    [[nodiscard]] std::vector<std::int64_t> begin_unload(const std::string& name);
    // Null where it did not serve.
    Serving remove(const std::string& name, std::int64_t number);

    // An empty version means the latest. Null where it does not serve.
    [[nodiscard]] Serving serving(std::string_view name, std::string_view version) const;
    [[nodiscard]] std::vector<Serving> all_serving() const;

    [[nodiscard]] std::vector<Failure> failures() const;

    // See ModelCatalog.
    [[nodiscard]] Result<> ready() const;
    [[nodiscard]] Result<std::shared_ptr<const ModelSpec>> find(std::string_view name,
                                                                std::string_view version) const;
    [[nodiscard]] std::vector<std::string> versions(std::string_view name) const;
    [[nodiscard]] std::vector<std::string> models() const;

private:
    struct Version {
        Serving serving;               // Null where it does not.
        std::optional<Error> failure;  // Of the latest attempt.
        bool loading = false;
    };
    struct Model {
        ModelFolder folder;
        std::map<std::int64_t, Version> versions;
        std::optional<Error> failure;  // Of the model as a whole.
        bool found_at_start = false;
        bool visited = false;     // A load was attempted, whatever came of it.
        bool ready_once = false;  // A bad new version later on does not end readiness.
        bool unloaded = false;    // On request.
    };

    [[nodiscard]] static bool serves(const Model& model);
    [[nodiscard]] static std::string reason_of(const Model& model);
    [[nodiscard]] std::string names() const LEPTON_REQUIRES(mutex_);

    const bool strict_readiness_;
    mutable Mutex mutex_;
    std::map<std::string, Model, std::less<>> models_ LEPTON_GUARDED_BY(mutex_);
    bool started_ LEPTON_GUARDED_BY(mutex_) = false;
    bool draining_ LEPTON_GUARDED_BY(mutex_) = false;
};

// For messages. Clients ask for any name: what they are told has a bound.
[[nodiscard]] std::string quoted_model(std::string_view name);

}  // namespace lepton::model
