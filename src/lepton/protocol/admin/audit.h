#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lepton/core/model_control.h"
#include "lepton/core/result.h"
#include "lepton/net/message.h"

namespace lepton::protocol {

// One thing that somebody changed, or was refused. Texts are as the client sent them.
struct AuditEntry {
    std::string peer;
    std::string user_agent;
    std::string_view door;    // "data" or "admin": the listener. Static storage, as all views here.
    std::string_view action;  // "change", "inspect" or "ask".
    std::string model = {};
    std::string version = {};
    std::string setting = {};  // Empty where it did not come to settings; then from and to as well.
    std::string from = {};
    std::string to = {};
    bool save = false;
    std::string result = {};  // "done", or why it was refused.
    bool refused = false;
};

// Called on the loops and on the control's thread.
using Audit = std::function<void(const AuditEntry&)>;

// Who it is that asks; the rest is for the caller to fill in.
[[nodiscard]] AuditEntry audit_entry(const net::Exchange& exchange, std::string_view action);

// Tells what became of one request for a change of a model: an entry for each setting. It keeps
// what it tells, since the answer comes when the exchange may be gone. `audit` may be null.
class ChangeAudit {
public:
    ChangeAudit(const Audit& audit,
                const net::Exchange& exchange,
                std::string_view model,
                std::string_view version);

    // What is to be changed, and how it was before, where that is known.
    void set_change(const ConfigChange& change, const Result<ModelConfiguration>& before);
    void tell(const Result<ConfigChanged>& outcome) const;

private:
    struct Step {
        std::string setting;
        std::string from;
        std::string to;
    };
    [[nodiscard]] static Step step_made(Step step, const ConfigChanged& changed);

    const Audit& audit_;
    AuditEntry entry_;
    std::vector<Step> steps_{{}};  // One without a setting, where it does not come to any.
};

}  // namespace lepton::protocol
