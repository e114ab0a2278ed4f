"""How much of a processor's time something else took from the program under test."""

from pathlib import Path


class Disturbance:
    """Counts, from its creation, the processor's time that was neither idle nor the process's own.

    The process must be bound to the processor. Time that the host takes away counts too.
    """

    def __init__(self, processor: int, pid: int) -> None:
        self._processor = processor
        self._pid = pid
        self._foreign, self._all = self._read()

    def share(self) -> float:
        """Returns the share so far; ticks of 10 ms make it rough for short times."""
        foreign, all_of_it = self._read()
        return max(0.0, foreign - self._foreign) / max(1, all_of_it - self._all)

    def _read(self) -> tuple[int, int]:
        lines = Path("/proc/stat").read_text().splitlines()
        line = next(each for each in lines if each.startswith(f"cpu{self._processor} "))
        ticks = [int(word) for word in line.split()[1:9]]
        idle = ticks[3] + ticks[4]
        # The fields after the name, which may contain anything: state is field 3, utime 14, stime
        # 15.
        fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        own = int(fields[11]) + int(fields[12])
        return sum(ticks) - idle - own, sum(ticks)
