#include "autodrive_ai.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

namespace autodrive {
namespace {

constexpr int kWarmUps = 20;
constexpr double kSpeedScale = 15.0;
constexpr std::string_view kOutput = "path";

// A lost beam saw about what its neighbors saw: it is interpolated between them. An empty scan sees
// a wall everywhere.
void fill_lost_beams(std::array<double, kBeams>& ranges) {
    for (std::size_t i = 0; i < kBeams; ++i) {
        if (!std::isnan(ranges[i])) continue;
        std::size_t next = i;
        while (next < kBeams && std::isnan(ranges[next])) ++next;
        const bool has_before = i > 0;
        const bool has_after = next < kBeams;
        const double before = has_before ? ranges[i - 1] : (has_after ? ranges[next] : 0);
        const double after = has_after ? ranges[next] : before;
        const auto steps = static_cast<double>(next - i + 1);
        for (std::size_t k = i; k < next; ++k) {
            ranges[k] = before + (after - before) * static_cast<double>(k - i + 1) / steps;
        }
    }
}

}  // namespace

AutodriveAI::AutodriveAI(Planner planner, const Options& options)
    : planner_(std::move(planner)), deadline_(options.deadline), follower_(options.period) {
    request_.model = options.model;
    request_.inputs = {
        lepton::make_input("scan", std::span<const float>(scan_), {1, kBeams}),
        lepton::make_input("odometry", std::span<const float>(odometry_), {1, 2}),
    };
}

lepton::Result<> AutodriveAI::warm_up() {
    request_.deadline = lepton::kNoDeadline;
    take_in({});
    for (int i = 0; i < kWarmUps; ++i) LEPTON_RETURN_IF_ERROR(planner_(request_, result_));
    return {};
}

Decision AutodriveAI::decide(const Frame& frame) {
    take_in(frame.reading);
    Decision decision;
    decision.outcome = ask(frame.stamp, decision);
    const Clock::time_point asked = Clock::now();
    decision.command = follower_.follow(frame.reading.speed, frame.reading.steering);
    const Clock::time_point end = Clock::now();
    decision.steer = end - asked;
    decision.latency = end - frame.stamp;
    return decision;
}

void AutodriveAI::take_in(const Reading& reading) {
    std::array<double, kBeams> ranges = reading.ranges;
    for (double& range : ranges) {
        if (!std::isnan(range)) range = std::clamp(range, 0.0, kMaxRange);
    }
    fill_lost_beams(ranges);
    std::transform(ranges.begin(), ranges.end(), scan_.begin(), [](double range) {
        return static_cast<float>(range / kMaxRange);
    });
    odometry_ = {static_cast<float>(reading.speed / kSpeedScale),
                 static_cast<float>(reading.steering / kMaxSteering)};
}

Outcome AutodriveAI::ask(Clock::time_point stamp, Decision& decision) {
    request_.deadline = stamp + deadline_;
    const Clock::time_point start = Clock::now();
    if (start >= request_.deadline) {
        decision.reason = "the deadline passed before the frame was sent";
        return Outcome::kLate;
    }
    if (const lepton::Result<> asked = planner_(request_, result_); !asked) {
        decision.reason = asked.error().message;
        const bool late = asked.error().code == lepton::ErrorCode::kDeadlineExceeded;
        return late ? Outcome::kLate : Outcome::kRefused;
    }
    const Clock::time_point answered = Clock::now();
    decision.prepare = start - stamp;
    decision.call = answered - start;
    decision.server = result_.timing();
    if (answered > request_.deadline) {
        decision.reason = "the answer came after the deadline";
        return Outcome::kLate;
    }
    const lepton::Output* output = result_.find(kOutput);
    if (output == nullptr || output->dtype != lepton::DataType::kFp32 ||
        output->data.size() != 2 * kPathPoints * sizeof(float)) {
        decision.reason = "the answer is no path of " + std::to_string(kPathPoints) + " points";
        return Outcome::kImplausible;
    }
    const std::span<const float, 2 * kPathPoints> planned(output->as<float>());
    if (!Path::is_plausible(planned)) {
        decision.reason = "the answer is no path to follow";
        return Outcome::kImplausible;
    }
    follower_.plan(Path(planned));
    return Outcome::kInTime;
}

}  // namespace autodrive
