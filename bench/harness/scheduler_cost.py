"""What the scheduler itself costs, without a network and a model."""

import json
import subprocess

from .programs import SERVER_CPU, MeasurementError, Programs


def scheduler_us_per_request(programs: Programs) -> dict[str, float]:
    """Microseconds for each request, by how many come in a turn of the loop."""
    command = [
        "taskset", "--cpu-list", str(SERVER_CPU), str(programs.build / "bench/scheduler_bench"),
        "--benchmark_filter=^turn/", "--benchmark_format=json", "--benchmark_repetitions=5",
        "--benchmark_report_aggregates_only=true",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise MeasurementError(f"{' '.join(command)}\n{done.stderr.strip()}")
    return {
        each["run_name"].partition("/")[2]: 1e6 / each["items_per_second"]
        for each in json.loads(done.stdout)["benchmarks"]
        if each["aggregate_name"] == "median"
    }
