"""All attacks."""

import http1_attacks
import http2_attacks
import request_attacks
from harness import Attack, Target


def nothing(target: Target) -> int:
    """What the machine by itself does to the healthy client."""
    target.wait()
    return 0


ATTACKS: list[Attack] = [
    Attack("nothing", nothing),
    *request_attacks.ATTACKS,
    *http1_attacks.ATTACKS,
    *http2_attacks.ATTACKS,
]
