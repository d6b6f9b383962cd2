"""cloud_tasks: Cloud Tasks v2 on this machine, for the real clients, over gRPC.

CreateTask -> queue (rate, concurrency, schedule) -> HTTP request with an ID token -> done, or again later

`python -m local.cloud_tasks --port 9090` runs it alone; `CloudTasks` runs it inside a test.
"""

from local.cloud_tasks.clock import ManualClock, WallClock
from local.cloud_tasks.emulator import CloudTasks, Options
from local.cloud_tasks.faults import Faults
from local.cloud_tasks.throttling import Throttle

__all__ = ["CloudTasks", "Faults", "ManualClock", "Options", "Throttle", "WallClock"]
