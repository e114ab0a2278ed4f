#include "lepton/protocol/admin/audit.h"

#include <utility>

namespace lepton::protocol {

AuditEntry audit_entry(const net::Exchange& exchange, std::string_view action) {
    return {.peer = exchange.peer->name,
            .user_agent = std::string(exchange.message.fields.find("user-agent")),
            .door = exchange.peer->door == net::Door::kAdmin ? "admin" : "data",
            .action = action};
}

ChangeAudit::ChangeAudit(const Audit& audit,
                         const net::Exchange& exchange,
                         std::string_view model,
                         std::string_view version)
    : audit_(audit), entry_(audit_entry(exchange, "change")) {
    entry_.model = model;
    entry_.version = version;
}

void ChangeAudit::set_change(const ConfigChange& change, const Result<ModelConfiguration>& before) {
    entry_.save = change.save;
    if (!change.settings.empty()) steps_.clear();
    for (const auto& [name, value] : change.settings) {
        Step step{.setting = name, .from = {}, .to = to_text(value)};
        if (before) {
            for (const ModelSetting& setting : before->settings) {
                if (setting.name == name) step.from = to_text(setting.value);
            }
        }
        steps_.push_back(std::move(step));
    }
}

void ChangeAudit::tell(const Result<ConfigChanged>& outcome) const {
    if (!audit_) return;
    AuditEntry entry = entry_;
    entry.refused = !outcome.has_value();
    entry.result = outcome ? "done" : outcome.error().message;
    if (outcome) entry.version = outcome->now.spec->version;
    for (const Step& asked : steps_) {
        const Step step = outcome ? step_made(asked, *outcome) : asked;
        entry.setting = step.setting;
        entry.from = step.from;
        entry.to = step.to;
        audit_(entry);
    }
}

// Another change may have come before this one since it was asked for.
ChangeAudit::Step ChangeAudit::step_made(Step step, const ConfigChanged& changed) {
    for (const ConfigChanged::Difference& difference : changed.differences) {
        if (difference.name != step.setting) continue;
        step.from = to_text(difference.before);
        step.to = to_text(difference.after);
        return step;
    }
    step.from = step.to;  // It was so already.
    return step;
}

}  // namespace lepton::protocol
