"""examples/autodrive: the loop closes, and a car without answers comes to a stop."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import onnx
import pytest
from lepton_server import BINARY, ROOT
from onnx import TensorProto, helper, numpy_helper
from rich.console import Console

from lepton import LeptonAI
from lepton.create import create_service

EXAMPLE = ROOT / "examples" / "autodrive"
PROGRAM = BINARY.parent / "autodrive"
sys.path.insert(0, str(EXAMPLE))

from autodrive.ai import AutodriveAI, Frame, Outcome, is_plausible  # noqa: E402
from autodrive.control import POINTS, PathFollower  # noqa: E402
from autodrive.drive import Drive, Moment, drive, summarize  # noqa: E402
from autodrive.expert import expert_path  # noqa: E402
from autodrive.picture import picture  # noqa: E402
from autodrive.simulator import BEAMS, MAX_RANGE, Simulator, lidar  # noqa: E402
from autodrive.track import HALF_WIDTH, Track  # noqa: E402
from autodrive.view import View  # noqa: E402

pytestmark = pytest.mark.openvino
HZ = 30
# Farther from the center line than any held-out drive of accuracy.json came, but not at a wall yet.
OFF_CENTRE = 1.5


@pytest.fixture(scope="module")
def course() -> Track:
    return Track.load(EXAMPLE / "course.csv")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("autodrive") / "service"
    return create_service(EXAMPLE / "model.onnx", folder, "planner", measure=False).repository


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*map(str, arguments)],
        env={**os.environ, "LEPTON_SERVER": str(BINARY), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def run_example(*arguments: object) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, EXAMPLE / "run.py", *arguments)


def rows_of(record: Path) -> list[dict[str, str]]:
    with record.open(newline="") as file:
        return list(csv.DictReader(file))


def assert_well_formed(svg: Path) -> None:
    root = ElementTree.parse(svg).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert sum(1 for _ in root.iter("{http://www.w3.org/2000/svg}polyline")) > 3
    assert "nan" not in svg.read_text()


def test_the_car_drives_and_every_frame_is_accounted_for(tmp_path: Path) -> None:
    done = run_example("--seconds", 6, "--load", 1, "--output_path", tmp_path)
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "summary.json").read_text())
    # A machine that is busy with other tests may miss frames, which are then fallbacks.
    assert sum(summary["outcomes"].values()) == summary["frames"] == 6 * HZ
    assert summary["outcomes"]["in time"] > 0
    assert 0.02 < summary["laps"] < 0.2
    assert summary["cross_track_max_m"] < OFF_CENTRE
    assert summary["breakdown_ms"].keys() >= {"prepare", "call", "queue", "compute", "steer"}
    assert summary["load"]["answered"] > 0
    assert len(rows_of(tmp_path / "drive.csv")) == 6 * HZ
    assert_well_formed(tmp_path / "drive.svg")
    assert f"{summary['hit_rate']:.2%} of the frames within 20 ms" in done.stdout
    assert "scans/s" in done.stdout


def test_with_a_deadline_of_a_microsecond_the_car_stays_and_says_why(tmp_path: Path) -> None:
    done = run_example("--seconds", 1, "--deadline", 0.001, "--output_path", tmp_path)
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["outcomes"]["late"] == summary["frames"] == summary["longest_fallback"] == HZ
    assert summary["laps"] == pytest.approx(0, abs=1e-6)
    assert "fallback 30 frames on the last path (30 late" in done.stdout
    assert "deadline passed before the frame was sent" in done.stdout
    assert_well_formed(tmp_path / "drive.svg")


@pytest.mark.slow
def test_the_same_seed_gives_the_same_drive_whatever_the_latency(
    start_server, service: Path, course: Track
) -> None:
    server = start_server(service).wait_until_ready()
    positions = []
    for _ in range(2):
        with LeptonAI(server.url) as client:
            # No deadline that a busy machine could miss.
            ai = AutodriveAI(client, period=1 / HZ, deadline=30.0)
            car = Simulator(course, np.zeros(1), np.random.default_rng(3))
            result = drive(ai, car, laps=1, seconds=1.5)
        assert {moment.decision.outcome for moment in result.moments} == {Outcome.IN_TIME}
        positions.append([(moment.x, moment.y) for moment in result.moments])
    np.testing.assert_array_equal(positions[0], positions[1])


@pytest.mark.slow
def test_when_the_server_goes_away_the_car_stops_on_the_last_path(
    start_server, service: Path, course: Track
) -> None:
    server = start_server(service).wait_until_ready()
    with LeptonAI(server.url, timeout=1.0) as client:
        ai = AutodriveAI(client, period=1 / HZ, deadline=0.025)
        ai.warm_up()
        car = Simulator(course, np.zeros(1), np.random.default_rng(3))
        stop = threading.Timer(3.0, server.stop)
        stop.start()
        result = drive(ai, car, laps=1, seconds=8)
        stop.join()
    last_seen = max(
        number
        for number, moment in enumerate(result.moments)
        if moment.decision.outcome is Outcome.IN_TIME
    )
    assert not result.touched
    assert result.moments[last_seen].speed > 2
    assert result.moments[-1].speed < 0.3
    stopped_within = result.moments[-1].along - result.moments[last_seen].along
    assert 0 < stopped_within < POINTS * 3
    summary = summarize(result)
    assert summary.outcomes[Outcome.REFUSED] + summary.outcomes[Outcome.LATE] >= 60
    assert summary.reason


@pytest.mark.slow
def test_an_interrupted_drive_is_reported(tmp_path: Path) -> None:
    command = [sys.executable, EXAMPLE / "run.py", "--load", "1", "--output_path", tmp_path]
    with subprocess.Popen(
        [*map(str, command)],
        env={**os.environ, "LEPTON_SERVER": str(BINARY), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while "Ctrl-C ends the drive" not in process.stdout.readline():
            assert process.poll() is None, process.stderr.read()
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "scans/s" in out
    assert json.loads((tmp_path / "summary.json").read_text())["laps"] < 0.5


@pytest.mark.slow
def test_the_planner_drives_in_this_process(tmp_path: Path) -> None:
    done = run_example("--seconds", 5, "--in-process", "--output_path", tmp_path)
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["laps"] > 0.02
    assert summary["cross_track_max_m"] < OFF_CENTRE


def drive_out_of_time(service: Path, course: Track, frames: int) -> tuple[float, float]:
    """Drives in Python as fast as possible; returns the car's progress and offset at the end."""
    car = Simulator(course, np.zeros(1), np.random.default_rng(3))
    with LeptonAI(service=service) as planner:
        ai = AutodriveAI(planner, period=1 / HZ, deadline=30.0)
        for number in range(frames):
            ranges, odometry = car.sense()
            decision = ai.decide(Frame(time.perf_counter(), ranges[0], *odometry[0]))
            if number < frames - 1:
                car.step(1 / HZ)
                car.actuate([decision.command])
    along, offset = course.locate(car.pose[:, :2])
    return float(along[0]), float(offset[0])


@pytest.mark.parametrize("where", [pytest.param("--url", marks=pytest.mark.slow), "--service"])
def test_the_cpp_program_drives_the_same_course(
    start_server, service: Path, course: Track, tmp_path: Path, where: str
) -> None:
    place = service if where == "--service" else start_server(service).wait_until_ready().url
    record = tmp_path / "drive.csv"
    done = run(
        PROGRAM, where, place, "--course", EXAMPLE / "course.csv",
        "--seconds", 6, "--record", record,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"{6 * HZ} frames at 30.00 Hz" in done.stdout
    rows = rows_of(record)
    assert len(rows) == 6 * HZ
    assert {row["outcome"] for row in rows} <= set(Outcome)
    along, offset = drive_out_of_time(service, course, len(rows))
    assert float(rows[-1]["along"]) == pytest.approx(along, abs=4)
    assert float(rows[-1]["offset"]) == pytest.approx(offset, abs=0.5)
    assert max(abs(float(row["offset"])) for row in rows) < OFF_CENTRE
    drawn = run(sys.executable, EXAMPLE / "draw.py", record, "--output_path", tmp_path / "d.svg")
    assert drawn.returncode == 0, drawn.stderr
    assert_well_formed(tmp_path / "d.svg")


def test_the_cpp_program_falls_back_when_nothing_can_be_in_time(
    service: Path, tmp_path: Path
) -> None:
    done = run(
        PROGRAM, "--service", service, "--course", EXAMPLE / "course.csv",
        "--seconds", 1, "--deadline", 0.001,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "drive    0.00 laps" in done.stdout
    assert "fallback 30 frames on the last path (30 late" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--course", "/nowhere.csv"), "course /nowhere.csv cannot be read"),
        (("--hz", "0"), '--hz is "0", expected a number above 0'),
        (("--speed", "1"), "no such flag: --speed"),
        (("--url",), "--url lacks its value"),
        (("--url", "http://127.0.0.1:1", "--course", EXAMPLE / "course.csv"), "127.0.0.1:1"),
    ],
)
def test_the_cpp_program_says_what_is_wrong(arguments: tuple[object, ...], said: str) -> None:
    done = run(PROGRAM, *arguments)
    assert done.returncode in (1, 2)
    assert said in done.stderr


def test_a_course_that_is_none_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "course.csv").write_text("x_m,y_m\n1,2\nthree,4\n")
    for course in (tmp_path / "course.csv", tmp_path / "nowhere.csv"):
        done = run_example("--course", course, "--in-process", "--output_path", tmp_path)
        assert done.returncode == 1
        assert len(done.stderr.strip().splitlines()) == 1
        assert done.stderr.startswith(f"autodrive: course {course}")


def test_a_server_that_is_not_there_ends_the_example_with_one_line(tmp_path: Path) -> None:
    done = run_example("--url", "http://127.0.0.1:1", "--output_path", tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "127.0.0.1:1" in done.stderr


def write_stubborn_model(repository: Path, path: np.ndarray) -> Path:
    """A planner that always answers the same path."""
    nodes = [
        helper.make_node("Concat", ["scan", "odometry"], ["seen"], axis=1),
        helper.make_node("Gemm", ["seen", "weight", "bias"], ["flat"]),
        helper.make_node("Reshape", ["flat", "shape"], ["path"]),
    ]
    constants = {
        "weight": np.zeros((BEAMS + 2, POINTS * 2), np.float32),
        "bias": path.reshape(-1).astype(np.float32),
        "shape": np.array([-1, POINTS, 2], np.int64),
    }
    graph = helper.make_graph(
        nodes,
        "stubborn",
        [
            helper.make_tensor_value_info("scan", TensorProto.FLOAT, ["N", BEAMS]),
            helper.make_tensor_value_info("odometry", TensorProto.FLOAT, ["N", 2]),
        ],
        [helper.make_tensor_value_info("path", TensorProto.FLOAT, ["N", POINTS, 2])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    (repository / "planner" / "1").mkdir(parents=True)
    onnx.save(model, repository / "planner" / "1" / "model.onnx")
    return repository


STRAIGHT = np.column_stack([3.0 * np.arange(1, POINTS + 1), np.zeros(POINTS)])


@pytest.mark.parametrize(
    "path",
    [
        np.full((POINTS, 2), np.nan),
        np.zeros((POINTS, 2)),
        -STRAIGHT,
        10 * STRAIGHT,
    ],
    ids=["nan", "one point", "backwards", "jumps"],
)
def test_a_path_that_no_car_should_follow_is_a_fallback(path: np.ndarray, tmp_path: Path) -> None:
    with LeptonAI(service=write_stubborn_model(tmp_path, path)) as planner:
        ai = AutodriveAI(planner, period=1 / HZ, deadline=10.0)
        decision = ai.decide(Frame(time.perf_counter(), np.full(BEAMS, 5.0), 4.0, 0.0))
    assert decision.outcome is Outcome.IMPLAUSIBLE
    assert decision.command.acceleration < 0


def test_the_lidar_measures_the_walls(course: Track) -> None:
    middle = np.column_stack([course.centre[:1], course.heading[:1]])
    ranges = lidar(course, middle)[0]
    assert np.all((ranges > HALF_WIDTH - 0.2) | np.isinf(ranges))
    assert np.all((ranges < MAX_RANGE) | np.isinf(ranges))
    # The beams that look sideways are about the 11th from either end.
    aside = ranges[[11, BEAMS - 12]]
    np.testing.assert_allclose(aside, HALF_WIDTH, atol=0.3)


def test_the_expert_returns_to_the_centre_line(course: Track) -> None:
    position, heading, _ = course.at(np.array([40.0]))
    left = np.array([-np.sin(heading[0]), np.cos(heading[0])])
    pose = np.array([[*(position[0] + 2.0 * left), heading[0]]])
    path = expert_path(course, pose, np.array([8.0]), np.array([0.0]))[0]
    assert is_plausible(path)
    cos, sin = np.cos(pose[0, 2]), np.sin(pose[0, 2])
    points = pose[0, :2] + path @ np.array([[cos, sin], [-sin, cos]])
    offsets = np.abs(course.locate(points)[1])
    assert offsets[0] > 0.5
    assert offsets[-1] < 0.1


def test_without_a_new_path_the_car_stands_before_the_last_one_ends() -> None:
    follower = PathFollower(1 / HZ)
    speed, way, command = 12.0, 0.0, follower.follow(STRAIGHT, 12.0, 0.0)
    for _ in range(10 * HZ):
        way += speed / HZ
        speed = max(0.0, speed + command.acceleration / HZ)
        command = follower.follow(None, speed, 0.0)
    assert speed < 0.1
    assert 15 < way < POINTS * 3


def test_the_view_shows_the_car_on_its_course(course: Track, tmp_path: Path) -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100, height=40, legacy_windows=False)
    car = Simulator(course, np.zeros(1), np.random.default_rng(3))
    with (
        LeptonAI(service=write_stubborn_model(tmp_path, STRAIGHT)) as planner,
        View(course, console, 0.02) as view,
    ):
        ai = AutodriveAI(planner, period=1 / HZ, deadline=10.0)
        frame = Frame(time.perf_counter(), car.sense()[0][0], 4.0, 0.0)
        moment = Moment(0.0, *car.pose[0], 4.0, 0.0, 0.0, 0.1, frame, ai.decide(frame))
        empty = screen.getvalue()
        view.after_frame(moment, until=time.perf_counter())  # No time to draw.
        assert screen.getvalue() == empty
        view.after_frame(moment, until=time.perf_counter() + 10)
    drawn = screen.getvalue()[len(empty) :]
    assert sum("\u2800" < character <= "\u28ff" for character in drawn) > 100
    assert "+0.10 m from the centre" in drawn
    assert "missed 0 of 2" in drawn


def test_with_seven_of_ten_answers_lost_the_car_still_keeps_to_its_course(
    service: Path, course: Track
) -> None:
    lost = np.random.default_rng(4).random(20 * HZ) < 0.7
    with LeptonAI(service=service) as planner:
        ai = AutodriveAI(planner, period=1 / HZ, deadline=10.0)
        car = Simulator(course, np.zeros(1), np.random.default_rng(3))
        for late in lost:
            ranges, odometry = car.sense()
            # A frame that is older than the deadline when it arrives.
            stamp = time.perf_counter() - (20.0 if late else 0.0)
            decision = ai.decide(Frame(stamp, ranges[0], *odometry[0]))
            assert decision.outcome is (Outcome.LATE if late else Outcome.IN_TIME)
            car.step(1 / HZ)
            car.actuate([decision.command])
            assert abs(course.locate(car.pose[:, :2])[1][0]) < OFF_CENTRE
    assert course.locate(car.pose[:, :2])[0][0] > 150


def test_a_saved_drive_is_drawn_again(course: Track, tmp_path: Path) -> None:
    car = Simulator(course, np.zeros(1), np.random.default_rng(3))
    with LeptonAI(service=write_stubborn_model(tmp_path / "service", STRAIGHT)) as planner:
        ai = AutodriveAI(planner, period=1 / HZ, deadline=0.02)
        before = time.perf_counter()
        result = drive(ai, car, laps=1, seconds=0.5)
    assert time.perf_counter() - before >= 0.5 - 1 / HZ  # In real time.
    result.save(tmp_path / "drive.csv")
    again = Drive.load(tmp_path / "drive.csv", course.length, 0.02)
    assert summarize(again).outcomes == summarize(result).outcomes
    picture(course, again, summarize(again), "").write_svg(tmp_path / "again.svg")
    assert_well_formed(tmp_path / "again.svg")
    drawing = picture(course, result, summarize(result), "")
    assert drawing.write_png(tmp_path / "again.png") == (tmp_path / "again.png").exists()
    (tmp_path / "drive.csv").write_text("nothing\n")
    with pytest.raises(ValueError, match="no record of a drive"):
        Drive.load(tmp_path / "drive.csv", course.length, 0.02)
