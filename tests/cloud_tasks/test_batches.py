"""BatchCreateTasks, BatchDeleteTasks, and the calls beside the queues."""

import pytest
from google.api_core.exceptions import Aborted, GoogleAPICallError, InvalidArgument, NotFound
from google.cloud.location import locations_pb2
from google.iam.v1 import iam_policy_pb2, policy_pb2

from tests.cloud_tasks.conftest import PARENT, QUEUE


async def test_a_batch_creates_what_it_can_and_says_what_it_could_not(queue, client, sink):
    good = {"parent": queue, "task": {"http_request": {"url": sink.url}}}

    operation = await client.batch_create_tasks(
        request={"parent": queue, "requests": [good, {"parent": queue, "task": {}}, good]}
    )
    answer = await operation.result()

    assert len(answer.tasks) == 2
    assert operation.metadata.state.name == "PARTIALLY_SUCCEEDED"
    assert {index: status.code for index, status in operation.metadata.failed_requests.items()} == {1: 3}
    await sink.received(2)


async def test_a_batch_of_nothing_but_refusals_fails(queue, client):
    operation = await client.batch_create_tasks(request={"parent": queue, "requests": [{"parent": queue, "task": {}}]})

    with pytest.raises(GoogleAPICallError):
        await operation.result()


async def test_a_batch_repeated_with_its_request_id_creates_nothing_new(queue, client, clock, sink):
    task = {"http_request": {"url": sink.url}, "schedule_time": {"seconds": int(clock.time()) + 60}}
    request = {"parent": queue, "requests": [{"parent": queue, "task": task}], "request_id": "again"}

    first = await client.batch_create_tasks(request=request)
    second = await client.batch_create_tasks(request=request)

    assert first.operation.name == second.operation.name
    assert len([task async for task in await client.list_tasks(parent=queue)]) == 1


@pytest.mark.parametrize("count", [0, 101])
async def test_a_batch_has_1_to_100_requests(queue, client, count):
    requests = [{"parent": queue, "task": {"http_request": {"url": "http://127.0.0.1:1/"}}}] * count

    with pytest.raises(InvalidArgument):
        await client.batch_create_tasks(request={"parent": queue, "requests": requests})


async def test_a_batch_deletes_what_is_there(queue, create, client, clock):
    later = {"seconds": int(clock.time()) + 60}
    names = [(await create(queue, schedule_time=later)).name for _ in range(3)]

    operation = await client.batch_delete_tasks(request={"parent": queue, "names": [*names[:2], f"{QUEUE}/tasks/none"]})
    await operation.result()

    assert [task.name async for task in await client.list_tasks(parent=queue)] == names[2:]
    assert list(operation.metadata.failed_requests) == [2]
    found = await client.get_operation({"name": operation.operation.name})
    assert found.done


async def test_an_unknown_operation_is_not_found(client):
    with pytest.raises(NotFound):
        await client.get_operation({"name": f"{PARENT}/operations/none"})


async def test_a_policy_is_kept_and_guarded_by_its_etag(queue, client):
    binding = policy_pb2.Binding(role="roles/cloudtasks.enqueuer", members=["user:a@b.test"])
    empty = await client.get_iam_policy(iam_policy_pb2.GetIamPolicyRequest(resource=queue))

    await client.set_iam_policy(
        iam_policy_pb2.SetIamPolicyRequest(
            resource=queue, policy=policy_pb2.Policy(bindings=[binding], etag=empty.etag)
        )
    )

    kept = await client.get_iam_policy(iam_policy_pb2.GetIamPolicyRequest(resource=queue))
    assert list(kept.bindings) == [binding]
    with pytest.raises(Aborted):
        await client.set_iam_policy(
            iam_policy_pb2.SetIamPolicyRequest(resource=queue, policy=policy_pb2.Policy(etag=empty.etag))
        )


async def test_every_permission_is_granted_on_a_queue_that_exists(queue, client):
    request = iam_policy_pb2.TestIamPermissionsRequest(resource=queue, permissions=["cloudtasks.tasks.create"])

    answer = await client.test_iam_permissions(request)

    assert list(answer.permissions) == ["cloudtasks.tasks.create"]
    request.resource = f"{queue}-none"
    with pytest.raises(NotFound):
        await client.test_iam_permissions(request)


async def test_locations_are_those_of_the_queues(queue, client):
    listed = await client.list_locations(locations_pb2.ListLocationsRequest(name="projects/p"))

    assert [location.name for location in listed.locations] == [PARENT]
    assert (await client.get_location({"name": PARENT})).location_id == "l"


async def test_an_encryption_key_is_kept(client):
    name = f"{PARENT}/cmekConfig"

    await client.update_cmek_config(cmek_config={"name": name, "kms_key": "key"})

    assert (await client.get_cmek_config(name=name)).kms_key == "key"
    with pytest.raises(InvalidArgument):
        await client.get_cmek_config(name="nonsense")
