"""The calls beside the queues: IAM policies, encryption keys, locations. Kept, but nothing is enforced."""

import grpc
from google.cloud.location import locations_pb2
from google.iam.v1 import iam_policy_pb2, policy_pb2

from local.cloud_tasks.catalog import Catalog
from local.cloud_tasks.messages import CmekConfig, Message
from local.cloud_tasks.names import check_location, check_queue
from local.cloud_tasks.refusals import Refused, invalid


class SideCalls:
    """GetIamPolicy, GetCmekConfig, ListLocations and their like."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._policies: dict[str, Message] = {}
        self._keys: dict[str, str] = {}

    def get_iam_policy(self, request: Message) -> Message:
        self._catalog.queue(check_queue(request.resource))
        return self._policies.get(request.resource, policy_pb2.Policy(etag=b"\0\1"))

    def set_iam_policy(self, request: Message) -> Message:
        current = self.get_iam_policy(request)
        if request.policy.etag and request.policy.etag != current.etag:
            raise Refused(grpc.StatusCode.ABORTED, "the policy was changed since this etag was read")
        policy = policy_pb2.Policy()
        policy.CopyFrom(request.policy)
        policy.etag = (int.from_bytes(current.etag, "big") + 1).to_bytes(8, "big")
        self._policies[request.resource] = policy
        return policy

    def test_iam_permissions(self, request: Message) -> Message:
        """Grant everything: there are no callers to tell apart."""
        self._catalog.queue(check_queue(request.resource))
        return iam_policy_pb2.TestIamPermissionsResponse(permissions=request.permissions)

    def get_cmek_config(self, request: Message) -> Message:
        location = _location_of_config(request.name)
        return CmekConfig(name=f"{location}/cmekConfig", kms_key=self._keys.get(location, ""))

    def update_cmek_config(self, request: Message) -> Message:
        location = _location_of_config(request.cmek_config.name)
        self._keys[location] = request.cmek_config.kms_key
        return CmekConfig(name=f"{location}/cmekConfig", kms_key=self._keys[location])

    def list_locations(self, request: Message) -> Message:
        names = {queue.partition("/queues/")[0] for queue in self._catalog.queues}
        found = sorted(name for name in names if name.startswith(f"{request.name}/"))
        return locations_pb2.ListLocationsResponse(locations=[_location(name) for name in found])

    def get_location(self, request: Message) -> Message:
        return _location(check_location(request.name))


def _location(name: str) -> Message:
    location = name.rpartition("/")[2]
    return locations_pb2.Location(name=name, location_id=location, display_name=location)


def _location_of_config(name: str) -> str:
    location, _, last = name.rpartition("/")
    if last.lower() != "cmekconfig":
        raise invalid(f"{name!r} is not projects/PROJECT_ID/locations/LOCATION_ID/cmekConfig")
    return check_location(location)
