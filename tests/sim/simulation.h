#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "lepton/model/loaded_model.h"
#include "sim/workload.h"

namespace lepton::sim {

enum class Fate : std::uint8_t { kNone, kInTime, kLate, kRefused };

struct Record {
    Fate fate = Fate::kNone;
    bool admitted = false;
    int outcomes = 0;            // How often it was answered or refused.
    Clock::duration started{};   // Of its run, from the beginning.
    Clock::duration finished{};  // Of its run, or its refusal.
};

struct Outcome {
    std::vector<Record> records;  // One per arrival.
    std::size_t in_time = 0;
    std::size_t late = 0;
    std::size_t refused = 0;
    std::size_t admitted = 0;
    std::size_t runs = 0;
    std::int64_t rows_run = 0;
    std::size_t most_waiting = 0;
    Clock::duration length{};

    [[nodiscard]] double attainment() const {
        return static_cast<double>(in_time) / static_cast<double>(records.size());
    }
    [[nodiscard]] double kept_promises() const {  // Of those that were admitted, in time.
        return static_cast<double>(in_time) /
               static_cast<double>(std::max<std::size_t>(1, admitted));
    }
    [[nodiscard]] double goodput() const {  // In time, per second.
        return static_cast<double>(in_time) / std::chrono::duration<double>(length).count();
    }
};

struct Scenario {
    ServiceCurve curve;
    model::QueueOptions queue;
    std::int64_t max_rows = 16;
    int instances = 1;
    std::uint64_t seed = 1;
    // What each run's time is multiplied by, by when it begins: a machine that slows down.
    std::function<double(Clock::duration at)> slowdown;
};

// Plays the arrivals against a scheduling policy: the product's own code, with this clock and an
// engine that takes the curve's time.
Outcome simulate(const Scenario& scenario, std::span<const Arrival> arrivals);

}  // namespace lepton::sim
