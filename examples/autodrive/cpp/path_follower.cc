#include "path_follower.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace autodrive {
namespace {

constexpr double kMaxSpeed = 14.0;      // m/s.
constexpr double kMaxSideways = 4.0;    // m/s^2, in bends.
constexpr double kBraking = 4.5;        // m/s^2, for planning the speed; the brakes can do more.
constexpr double kStopBeforeEnd = 2.0;  // Meters of path that are left when the car stands.
constexpr double kAcceleration = 2.5;   // m/s^2.
constexpr double kSpeedResponse = 0.3;  // Seconds in which a difference in speed is made up.
constexpr double kSteeringRate = 1.2;   // Radians per second.

using Smoothing = std::array<std::array<double, kPathPoints>, kPathPoints>;

// Least squares as a matrix, B (B^T B)^-1 B^T with B = [u, u^2, u^3]: applied to the points of a
// path, it gives the cubic closest to them.
constexpr Smoothing make_smoothing() {
    std::array<std::array<double, 3>, kPathPoints> basis{};
    std::array<std::array<double, 3>, 3> gram{};
    for (std::size_t i = 0; i < kPathPoints; ++i) {
        const double u = static_cast<double>(i + 1) / kPathPoints;
        basis[i] = {u, u * u, u * u * u};
        for (std::size_t r = 0; r < 3; ++r) {
            for (std::size_t c = 0; c < 3; ++c) gram[r][c] += basis[i][r] * basis[i][c];
        }
    }
    // By cofactors; the matrix is symmetric, and so is its inverse.
    const auto cofactor = [&gram](std::size_t r, std::size_t c) {
        const std::size_t r1 = (r + 1) % 3;
        const std::size_t r2 = (r + 2) % 3;
        const std::size_t c1 = (c + 1) % 3;
        const std::size_t c2 = (c + 2) % 3;
        return gram[r1][c1] * gram[r2][c2] - gram[r1][c2] * gram[r2][c1];
    };
    double determinant = 0;
    for (std::size_t c = 0; c < 3; ++c) determinant += gram[0][c] * cofactor(0, c);
    Smoothing smoothing{};
    for (std::size_t i = 0; i < kPathPoints; ++i) {
        for (std::size_t j = 0; j < kPathPoints; ++j) {
            for (std::size_t r = 0; r < 3; ++r) {
                for (std::size_t c = 0; c < 3; ++c) {
                    smoothing[i][j] += basis[i][r] * cofactor(r, c) / determinant * basis[j][c];
                }
            }
        }
    }
    return smoothing;
}

constexpr Smoothing kSmoothing = make_smoothing();

double distance(const Point& from, const Point& to) {
    return std::hypot(to.x - from.x, to.y - from.y);
}

// Returns the steering of the arc that leads to a point ahead on the path (Coulter 1992).
double pure_pursuit(std::span<const Point> path, double speed) {
    double left = std::clamp(2.0 + 0.3 * speed, 3.0, 8.0);
    Point from;
    Point target = path.back();
    for (const Point& to : path) {
        const double step = distance(from, to);
        if (left <= step) {
            const double share = left / step;
            target = {from.x + share * (to.x - from.x), from.y + share * (to.y - from.y)};
            break;
        }
        left -= step;
        from = to;
    }
    const double square = target.x * target.x + target.y * target.y;
    return std::atan2(2 * kWheelbase * target.y, square);
}

// Returns the speed from which the car can brake for each bend, and for the path's end.
double speed_limit(std::span<const Point> path) {
    double square = kMaxSpeed * kMaxSpeed;
    double along = 0;
    Point from;
    for (std::size_t i = 0; i < path.size(); ++i) {
        const Point& at = path[i];
        const double step = distance(from, at);
        along += step;
        if (i + 1 == path.size()) break;
        const Point& to = path[i + 1];
        const double turn = std::abs(wrapped(std::atan2(to.y - at.y, to.x - at.x) -
                                             std::atan2(at.y - from.y, at.x - from.x)));
        const double curvature = std::max(turn / ((step + distance(at, to)) / 2), 1e-4);
        square = std::min(square, kMaxSideways / curvature + 2 * kBraking * along);
        from = at;
    }
    return std::sqrt(std::min(square, 2 * kBraking * std::max(0.0, along - kStopBeforeEnd)));
}

}  // namespace

Path::Path(std::span<const float, 2 * kPathPoints> planned) : size_(kPathPoints) {
    for (std::size_t i = 0; i < kPathPoints; ++i) {
        for (std::size_t j = 0; j < kPathPoints; ++j) {
            points_[i].x += kSmoothing[i][j] * static_cast<double>(planned[2 * j]);
            points_[i].y += kSmoothing[i][j] * static_cast<double>(planned[2 * j + 1]);
        }
    }
}

bool Path::is_plausible(std::span<const float, 2 * kPathPoints> planned) {
    Point from;
    for (std::size_t i = 0; i < kPathPoints; ++i) {
        const Point to{planned[2 * i], planned[2 * i + 1]};
        const double step = distance(from, to);
        // Written so that NaN is not plausible.
        if (!(step > 0.3 * kPointSpacing && step < 2 * kPointSpacing)) return false;
        if (i == 0 && to.x <= 0) return false;
        from = to;
    }
    return true;
}

void Path::move(double way, double turn) {
    const Point origin{way * std::cos(turn / 2), way * std::sin(turn / 2)};
    const double cos = std::cos(turn);
    const double sin = std::sin(turn);
    std::size_t kept = 0;
    for (std::size_t i = 0; i < size_; ++i) {
        const double dx = points_[i].x - origin.x;
        const double dy = points_[i].y - origin.y;
        const Point moved{dx * cos + dy * sin, dy * cos - dx * sin};
        if (kept == 0 && moved.x <= 0) continue;  // The car has passed it.
        points_[kept++] = moved;
    }
    size_ = kept;
}

Command PathFollower::follow(double speed, double steering) {
    const double way = speed * period_;
    path_.move(way, way * std::tan(steering) / kWheelbase);
    if (path_.points().empty()) return {steering_, -kBraking};
    const double most = kSteeringRate * period_;
    const double wanted =
        std::clamp(pure_pursuit(path_.points(), speed), -kMaxSteering, kMaxSteering);
    steering_ += std::clamp(wanted - steering_, -most, most);
    const double acceleration = (speed_limit(path_.points()) - speed) / kSpeedResponse;
    return {steering_, std::clamp(acceleration, -kMaxBraking, kAcceleration)};
}

}  // namespace autodrive
