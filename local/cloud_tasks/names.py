"""Resource names: projects/P/locations/L/queues/Q/tasks/T."""

import re

from local.cloud_tasks.refusals import invalid

_LOCATION = r"projects/[A-Za-z0-9:.\-]+/locations/[A-Za-z0-9\-]+"
_QUEUE = rf"{_LOCATION}/queues/[A-Za-z0-9\-]{{1,100}}"
_TASK = rf"({_QUEUE})/tasks/[A-Za-z0-9_\-]{{1,500}}"

LOCATION = re.compile(_LOCATION)
QUEUE = re.compile(_QUEUE)
TASK = re.compile(_TASK)


def check_location(name: str) -> str:
    if not LOCATION.fullmatch(name):
        raise invalid(f"{name!r} is not projects/PROJECT_ID/locations/LOCATION_ID")
    return name


def check_queue(name: str) -> str:
    if not QUEUE.fullmatch(name):
        raise invalid(
            f"{name!r} is not projects/PROJECT_ID/locations/LOCATION_ID/queues/QUEUE_ID, where QUEUE_ID is "
            "up to 100 letters, digits or hyphens"
        )
    return name


def check_task(name: str) -> str:
    if not TASK.fullmatch(name):
        raise invalid(
            f"{name!r} is not projects/PROJECT_ID/locations/LOCATION_ID/queues/QUEUE_ID/tasks/TASK_ID, where "
            "TASK_ID is up to 500 letters, digits, hyphens or underscores"
        )
    return name


def queue_of(task_name: str) -> str:
    return task_name.rpartition("/tasks/")[0]


def last_part(name: str) -> str:
    return name.rpartition("/")[2]
