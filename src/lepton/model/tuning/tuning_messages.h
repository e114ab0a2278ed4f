#pragma once

#include <string>
#include <string_view>

#include <tuning.pb.h>

#include "lepton/core/result.h"
#include "lepton/model/tuning/tuning_plan.h"
#include "lepton/model/tuning/tuning_record.h"

namespace lepton::model {

// The messages of proto/tuning.proto, from and to what they stand for. Whoever wrote them may have
// been another version, a damaged disk, or a process that a model has taken over.

[[nodiscard]] tuning::Subject to_message(const TuningSubject& subject);
[[nodiscard]] TuningSubject from_message(const tuning::Subject& message);

[[nodiscard]] tuning::Plan to_message(const TuningPlan& plan);
// Errors: kInvalidArgument naming what is out of its bounds.
Result<TuningPlan> from_message(const tuning::Plan& message);

// One line of JSON, without its end.
[[nodiscard]] std::string to_line(const google::protobuf::Message& message);
// `part`: whether the text may hold more than the message knows. Errors: kInvalidArgument.
Result<> from_json(std::string_view json, google::protobuf::Message& message, bool part = false);

}  // namespace lepton::model
