#include "lepton/net/message.h"

namespace lepton::net {

void FieldList::add(std::string_view name, std::string_view value) {
    fields_.push_back({static_cast<std::uint32_t>(text_.size()),
                       static_cast<std::uint32_t>(name.size()),
                       static_cast<std::uint32_t>(value.size())});
    text_.append(name).append(value);
}

void FieldList::add_any_case(std::string_view name, std::string_view value) {
    const std::size_t start = text_.size();
    add(name, value);
    for (std::size_t i = start; i < start + name.size(); ++i) {
        if (text_[i] >= 'A' && text_[i] <= 'Z') text_[i] = static_cast<char>(text_[i] | 0x20);
    }
}

std::string_view FieldList::find(std::string_view name) const {
    for (std::size_t i = 0; i < fields_.size(); ++i) {
        if (this->name(i) == name) return value(i);
    }
    return {};
}

void Reply::clear() {
    status = 200;
    content_type = "application/json";
    grpc_status = 0;
    grpc_message.clear();
    has_body = last = true;
    fields.clear();
    body.clear();
}

void Exchange::reset() {
    message.grpc = false;
    message.has_body = true;
    message.path.clear();
    message.query.clear();
    message.fields.clear();
    message.body.clear();
    message.begun = {};
    reply.clear();
    call.reset();
    scratch.clear();
    handler_state = nullptr;
    on_gone = nullptr;
}

}  // namespace lepton::net
