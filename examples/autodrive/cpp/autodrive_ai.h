#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "lepton/core/clock.h"
#include "lepton/core/result.h"
#include "lepton/core/timeline.h"
#include "lepton/inference.h"
#include "path_follower.h"
#include "simulator.h"

namespace autodrive {

using lepton::Clock;

// How a frame ended; all but the first fall back on the last path.
enum class Outcome : std::uint8_t {
    kInTime,
    kLate,         // No answer within the deadline, or one after it.
    kRefused,      // The server refused, or is not there.
    kImplausible,  // An answer that no car should follow.
};
inline constexpr std::array<std::string_view, 4> kOutcomes{
    "in time", "late", "refused", "implausible"};

// The sensors' readings at one moment.
struct Frame {
    Clock::time_point stamp;
    Reading reading;
};

// The AI's decision on a frame.
struct Decision {
    Command command;
    Outcome outcome = Outcome::kInTime;
    Clock::duration latency{};  // From the frame's time stamp to the command.
    // For an answered frame: from the time stamp to the call, the call as the caller sees it, of
    // which the server's own account, and from the answer to the command; all zero if there was
    // none.
    Clock::duration prepare{};
    Clock::duration call{};
    lepton::Breakdown server;
    Clock::duration steer{};
    std::string reason;  // Why the frame was not answered in time; empty if it was.
};

// Turns frames into commands, each within a deadline: sensors in, a command out, a network in
// between that is served, or runs in this process. A frame without a usable answer in time is a
// fallback: the car follows the last path that it has (see PathFollower). Not thread-safe.
//
//     auto client = *lepton::Client::open("http://127.0.0.1:8000");
//     AutodriveAI ai([&](const auto& request, auto& result) { return client.infer(request, result);
//     },
//                    {.period = 1.0 / 30, .deadline = 20ms});
//     const Decision decision = ai.decide({Clock::now(), reading});
class AutodriveAI {
public:
    // Client::infer or Server::infer: fills the result, or returns why not.
    using Planner =
        std::function<lepton::Result<>(const lepton::InferRequest&, lepton::InferResult&)>;

    struct Options {
        std::string model = "planner";
        double period = 1.0 / 30;    // Seconds between two frames.
        Clock::duration deadline{};  // From a frame's time stamp until its answer is of no use.
    };

    AutodriveAI(Planner planner, const Options& options);
    // The request looks at the members.
    AutodriveAI(const AutodriveAI&) = delete;
    AutodriveAI& operator=(const AutodriveAI&) = delete;

    // Opens the connection and runs everything once before the first frame counts. Returns the
    // planner's error if it does not answer, even without a deadline.
    [[nodiscard]] lepton::Result<> warm_up();

    // Returns the command for this frame, by the deadline at the latest.
    [[nodiscard]] Decision decide(const Frame& frame);

private:
    void take_in(const Reading& reading);
    [[nodiscard]] Outcome ask(Clock::time_point stamp, Decision& decision);

    Planner planner_;
    Clock::duration deadline_;
    PathFollower follower_;
    std::array<float, kBeams> scan_{};  // In the form that the network takes.
    std::array<float, 2> odometry_{};
    lepton::InferRequest request_;
    lepton::InferResult result_;
};

}  // namespace autodrive
