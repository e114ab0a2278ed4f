"""The scheduler's own cost, without a network and a model."""

import json
import subprocess

from .programs import SERVER_CPU, MeasurementError, Programs

WHAT = {"turn": "{} requests in a turn", "overload": "{} x the capacity with deadlines"}


def scheduler_us_per_request(programs: Programs) -> dict[str, float]:
    """Microseconds for each request, by what is measured: how many come in a turn of the loop, or
    how many times as many as can be served.
    """
    command = [
        "taskset", "--cpu-list", str(SERVER_CPU), str(programs.build / "bench/scheduler_bench"),
        "--benchmark_filter=^(turn|overload)/", "--benchmark_format=json",
        "--benchmark_repetitions=5", "--benchmark_report_aggregates_only=true",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise MeasurementError(f"{' '.join(command)}\n{done.stderr.strip()}")
    medians = [
        each for each in json.loads(done.stdout)["benchmarks"] if each["aggregate_name"] == "median"
    ]
    return {name_of(each["run_name"]): 1e6 / each["items_per_second"] for each in medians}


def name_of(run: str) -> str:
    what, _, how_many = run.partition("/")
    return WHAT[what].format(how_many)
