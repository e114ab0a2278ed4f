#include "track.h"

#include <cmath>
#include <fstream>
#include <limits>
#include <numbers>
#include <sstream>
#include <string>
#include <utility>

namespace autodrive {

double wrapped(double angle) { return std::remainder(angle, 2 * std::numbers::pi); }

lepton::Result<Track> Track::load(const std::filesystem::path& file) {
    std::ifstream lines(file);
    if (!lines) {
        return lepton::fail(lepton::ErrorCode::kInvalidArgument,
                            "course " + file.string() + " cannot be read");
    }
    std::string line;
    std::getline(lines, line);  // The header.
    std::vector<Point> centre;
    for (int number = 2; std::getline(lines, line); ++number) {
        std::istringstream text(line);
        Point point;
        char comma = 0;
        if (!(text >> point.x >> comma >> point.y) || comma != ',') {
            return lepton::fail(lepton::ErrorCode::kInvalidArgument,
                                file.string() + ":" + std::to_string(number) + ": \"" + line +
                                    "\" is no point, expected x,y in metres");
        }
        centre.push_back(point);
    }
    if (centre.size() < 16) {
        return lepton::fail(lepton::ErrorCode::kInvalidArgument,
                            "course " + file.string() + " has " + std::to_string(centre.size()) +
                                " points, expected at least 16");
    }
    return Track(std::move(centre));
}

Track::Track(std::vector<Point> centre) : centre_(std::move(centre)) {
    const std::size_t n = centre_.size();
    heading_.reserve(n);
    for (std::vector<Point>& wall : walls_) wall.reserve(n);
    for (std::size_t i = 0; i < n; ++i) {
        const Point& at = centre_[i];
        const Point& before = centre_[(i + n - 1) % n];
        const Point& after = centre_[(i + 1) % n];
        spacing_ += std::hypot(after.x - at.x, after.y - at.y) / static_cast<double>(n);
        const double heading = std::atan2(after.y - before.y, after.x - before.x);
        const Point aside{-std::sin(heading) * kHalfWidth, std::cos(heading) * kHalfWidth};
        heading_.push_back(heading);
        walls_[0].push_back({at.x + aside.x, at.y + aside.y});
        walls_[1].push_back({at.x - aside.x, at.y - aside.y});
    }
}

Track::Place Track::locate(Point point) const {
    Place place;
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < centre_.size(); ++i) {
        const double dx = point.x - centre_[i].x;
        const double dy = point.y - centre_[i].y;
        if (const double square = dx * dx + dy * dy; square < least) {
            least = square;
            place.point = i;
        }
    }
    const double dx = point.x - centre_[place.point].x;
    const double dy = point.y - centre_[place.point].y;
    const double cos = std::cos(heading_[place.point]);
    const double sin = std::sin(heading_[place.point]);
    const double along = static_cast<double>(place.point) * spacing_ + dx * cos + dy * sin;
    place.along = std::fmod(along + length(), length());
    place.offset = dy * cos - dx * sin;
    return place;
}

}  // namespace autodrive
