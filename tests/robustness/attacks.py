"""All attacks."""

import http1_attacks
import http2_attacks
import request_attacks
from harness import Attack

ATTACKS: list[Attack] = [
    *request_attacks.ATTACKS,
    *http1_attacks.ATTACKS,
    *http2_attacks.ATTACKS,
]
