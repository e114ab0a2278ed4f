#include "simulator.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace autodrive {
namespace {

// A straight beam inside the course cannot reach a wall that is farther along the center line.
constexpr double kWallWindow = 39.0;
constexpr std::size_t kWallStep = 3;  // Points of the center line per segment of wall.

constexpr double kRangeNoise = 0.03;      // Meters, one standard deviation.
constexpr double kDroppedBeams = 0.01;    // Share of beams that come back without a reading.
constexpr double kSpeedNoise = 0.05;      // m/s.
constexpr double kSteeringNoise = 0.004;  // Radians.

}  // namespace

Simulator::Simulator(const Track& track, std::uint64_t seed)
    : track_(track), random_(seed), pose_(track.start()) {}

Reading Simulator::sense() {
    std::normal_distribution<double> normal;
    std::uniform_real_distribution<double> uniform;
    const std::size_t nearest = track_.locate(pose_.at).point;
    Reading reading;
    for (std::size_t i = 0; i < kBeams; ++i) {
        const double share = static_cast<double>(i) / (kBeams - 1);
        const double range = cast(pose_.heading + kFirstBeam * (1 - 2 * share), nearest);
        const bool lost = uniform(random_) < kDroppedBeams;
        reading.ranges[i] =
            lost ? std::numeric_limits<double>::quiet_NaN() : range + kRangeNoise * normal(random_);
    }
    reading.speed = speed_ + kSpeedNoise * normal(random_);
    reading.steering = steering_ + kSteeringNoise * normal(random_);
    return reading;
}

double Simulator::cast(double angle, std::size_t nearest_point) const {
    const double dx = std::cos(angle);
    const double dy = std::sin(angle);
    const std::size_t n = track_.size();
    const auto reach = std::min(static_cast<std::size_t>(kWallWindow / track_.spacing()), n / 2);
    // Always the same points, or the walls would move with the car.
    const std::size_t first = (nearest_point / kWallStep * kWallStep + n - reach) % n;
    double range = std::numeric_limits<double>::infinity();
    for (const std::vector<Point>& wall : track_.walls()) {
        for (std::size_t step = 0; step < 2 * reach; step += kWallStep) {
            const Point& from = wall[(first + step) % n];
            const Point& to = wall[(first + step + kWallStep) % n];
            // origin + t d = from + u e, solved with cross products.
            const double ex = to.x - from.x;
            const double ey = to.y - from.y;
            const double px = from.x - pose_.at.x;
            const double py = from.y - pose_.at.y;
            const double scale = dx * ey - dy * ex;
            if (scale == 0) continue;
            const double t = (px * ey - py * ex) / scale;
            const double u = (px * dy - py * dx) / scale;
            if (t > 0 && t < std::min(range, kMaxRange) && u >= 0 && u <= 1) range = t;
        }
    }
    return range;
}

void Simulator::step(double seconds) {
    const double turn = speed_ * std::tan(steering_) / kWheelbase * seconds;
    const double way = std::max(0.0, speed_ + acceleration_ * seconds / 2) * seconds;
    pose_.at.x += way * std::cos(pose_.heading + turn / 2);
    pose_.at.y += way * std::sin(pose_.heading + turn / 2);
    pose_.heading = wrapped(pose_.heading + turn);
    speed_ = std::max(0.0, speed_ + acceleration_ * seconds);
}

void Simulator::actuate(Command command) {
    steering_ = std::clamp(command.steering, -kMaxSteering, kMaxSteering);
    acceleration_ = std::clamp(command.acceleration, -kMaxBraking, kMaxAcceleration);
}

}  // namespace autodrive
