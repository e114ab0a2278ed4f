#pragma once

#include <filesystem>
#include <ostream>
#include <vector>

#include "autodrive_ai.h"
#include "simulator.h"

namespace autodrive {

// One frame of a drive.
struct Moment {
    double seconds = 0;  // Since the drive began.
    Pose pose;
    double speed = 0;
    double steering = 0;
    double along = 0;   // Metres driven along the centre line.
    double offset = 0;  // Metres to the left of it.
    Decision decision;
};

struct DriveOptions {
    double hz = 30;
    std::chrono::duration<double, std::milli> deadline{20};
    double laps = 1;       // Ends after so many,
    double seconds = 300;  // or after this time, or at a wall.
};

struct Drive {
    std::vector<Moment> moments;  // Never empty.
    bool touched = false;         // Whether it ended at a wall.
};

// The closed loop in real time. Frames are due at fixed times and stamped with these: where the
// program falls behind, the frame gets older, and nothing is left out of the latencies.
[[nodiscard]] Drive drive(AutodriveAI& ai, Simulator& car, const DriveOptions& options);

// Prints the figures, as run.py does.
void report(const Drive& drive, const Track& track, const DriveOptions& options, std::ostream& out);

// Writes a line per frame, as run.py does; false where the file cannot be written.
[[nodiscard]] bool save(const Drive& drive, const std::filesystem::path& file);

}  // namespace autodrive
