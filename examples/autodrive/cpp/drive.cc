#include "drive.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <fstream>
#include <iomanip>
#include <string_view>
#include <thread>
#include <utility>

namespace autodrive {
namespace {

// Meters between the car's middle and a wall at which its side touches the wall.
constexpr double kHalfCar = 0.9;

double milliseconds(Clock::duration duration) {
    return std::chrono::duration<double, std::milli>(duration).count();
}

// Interpolates linearly between the two values next to it, like numpy's quantile.
double quantile(const std::vector<double>& sorted, double share) {
    const double place = share * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(place);
    const std::size_t above = std::min(below + 1, sorted.size() - 1);
    return std::lerp(sorted[below], sorted[above], place - static_cast<double>(below));
}

void report_latency(const Drive& drive, std::ostream& out) {
    std::vector<double> sorted;
    sorted.reserve(drive.moments.size());
    constexpr std::array<std::string_view, 8> kNames{
        "prepare", "call", "net", "queue", "input", "compute", "output", "steer"};
    std::array<double, kNames.size()> parts{};
    int answered = 0;
    for (const Moment& moment : drive.moments) {
        const double latency = milliseconds(moment.decision.latency);
        sorted.push_back(latency);
        if (moment.decision.outcome != Outcome::kInTime) continue;
        const Decision& decision = moment.decision;
        const lepton::Breakdown& server = decision.server;
        const Clock::duration inside =
            server.net + server.queue + server.input + server.compute + server.output;
        const std::array durations{decision.prepare,
                                   decision.call - inside,
                                   server.net,
                                   server.queue,
                                   server.input,
                                   server.compute,
                                   server.output,
                                   decision.steer};
        ++answered;
        for (std::size_t i = 0; i < durations.size(); ++i) parts[i] += milliseconds(durations[i]);
    }
    std::sort(sorted.begin(), sorted.end());
    out << "latency  p50 " << quantile(sorted, 0.5) << ", p99 " << quantile(sorted, 0.99)
        << ", max " << sorted.back() << " ms from the frame's time stamp\n";
    if (answered == 0) return;
    out << "of which " << std::setprecision(0);
    for (std::size_t i = 0; i < parts.size(); ++i) {
        out << (i == 0 ? "" : ", ") << kNames[i] << " " << parts[i] * 1e3 / answered;
    }
    out << " µs on average\n" << std::setprecision(2);
}

}  // namespace

Drive drive(AutodriveAI& ai, Simulator& car, const DriveOptions& options) {
    const Track& track = car.track();
    const double period = 1 / options.hz;
    Drive drive;
    drive.moments.reserve(static_cast<std::size_t>(std::min(options.seconds, 3600.0) / period) + 1);
    double place = track.locate(car.pose().at).along;
    double along = 0;
    const auto after = [](double seconds) {
        return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    };
    const Clock::time_point start = Clock::now() + after(period);
    do {
        const double seconds = static_cast<double>(drive.moments.size()) * period;
        const Frame frame{start + after(seconds), car.sense()};
        std::this_thread::sleep_until(frame.stamp);
        Decision decision = ai.decide(frame);
        const Command command = decision.command;
        const double offset = track.locate(car.pose().at).offset;
        drive.moments.push_back(
            {seconds, car.pose(), car.speed(), car.steering(), along, offset, std::move(decision)});
        car.step(period);
        car.actuate(command);
        const double before = std::exchange(place, track.locate(car.pose().at).along);
        along += std::remainder(place - before, track.length());
        drive.touched = std::abs(offset) > Track::kHalfWidth - kHalfCar;
    } while (along < options.laps * track.length() && !drive.touched &&
             static_cast<double>(drive.moments.size()) * period < options.seconds);
    return drive;
}

void report(const Drive& drive,
            const Track& track,
            const DriveOptions& options,
            std::ostream& out) {
    const auto frames = static_cast<double>(drive.moments.size());
    std::array<int, kOutcomes.size()> outcomes{};
    double sum = 0;
    double most = 0;
    int run = 0;
    int longest = 0;
    const std::string* reason = nullptr;
    for (const Moment& moment : drive.moments) {
        const Decision& decision = moment.decision;
        ++outcomes[static_cast<std::size_t>(decision.outcome)];
        sum += std::abs(moment.offset);
        most = std::max(most, std::abs(moment.offset));
        run = decision.outcome == Outcome::kInTime ? 0 : run + 1;
        longest = std::max(longest, run);
        if (reason == nullptr && !decision.reason.empty()) reason = &decision.reason;
    }
    out << std::fixed << std::setprecision(2);
    out << "drive    " << drive.moments.back().along / track.length() << " laps of "
        << track.length() << " m in " << frames / options.hz << " s, " << drive.moments.size()
        << " frames at " << options.hz << " Hz\n";
    out << "deadline " << 100.0 * outcomes[0] / frames << "% of the frames within "
        << options.deadline.count() << " ms\n";
    report_latency(drive, out);
    out << "course   " << sum / frames << " m from the centre line on average, " << most
        << " m at most\n";
    out << "fallback " << drive.moments.size() - static_cast<std::size_t>(outcomes[0])
        << " frames on the last path (";
    for (std::size_t i = 1; i < outcomes.size(); ++i) {
        out << (i == 1 ? "" : ", ") << outcomes[i] << " " << kOutcomes[i];
    }
    out << "), at most " << longest << " in a row\n";
    if (reason != nullptr) out << "         the first: " << *reason << "\n";
}

bool save(const Drive& drive, const std::filesystem::path& file) {
    std::ofstream out(file);
    out << "seconds,x,y,heading,speed,steering,along,offset,latency_ms,outcome\n"
        << std::fixed << std::setprecision(4);
    for (const Moment& moment : drive.moments) {
        const Decision& decision = moment.decision;
        out << moment.seconds << ',' << moment.pose.at.x << ',' << moment.pose.at.y << ','
            << moment.pose.heading << ',' << moment.speed << ',' << moment.steering << ','
            << moment.along << ',' << moment.offset << ',' << milliseconds(decision.latency) << ','
            << kOutcomes[static_cast<std::size_t>(decision.outcome)] << '\n';
    }
    return out.flush().good();
}

}  // namespace autodrive
