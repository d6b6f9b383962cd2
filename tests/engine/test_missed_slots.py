"""Slots that went by before the call could leave: another one is taken, and what was prepared is kept."""

from dataclasses import replace

import pytest


@pytest.fixture
def late(monkeypatch):
    """late(handler, 0.4, times=3): so many answers that tell a slot come so much later than they were made.

    What is told of each booking is noted: the lead that was asked for.
    """

    def late(handler, seconds, *, times):
        store, leads = handler.engine.store, []
        claim = store.claim

        async def answered(*args, ready=False, **more):
            claims = await claim(*args, ready=ready, **more)
            if not ready:
                return claims
            leads.append(more["lead_seconds"])
            by = seconds if len(leads) <= times else 0
            return [replace(one, moment=one.moment - by) for one in claims]

        monkeypatch.setattr(store, "claim", answered)
        return leads

    return late


async def test_work_whose_slots_went_by_takes_another_and_reads_its_page_once(
    here, enlist, item_of, attempts_of, late, sample_visits, gemini
):
    handler, item = here(prepares=True, work_seconds=40), enlist(do="fetch")
    leads = late(handler, 2, times=3)

    answer = await handler.deliver(item)

    assert answer.text == "done"
    assert len(leads) == 4
    assert [visit["path"] for visit in sample_visits].count("/economy/harbour-bridge") == 1
    assert gemini.stats.report()["requests"] == 1
    assert [one.model_calls for one in attempts_of(item)] == [1]


async def test_each_missed_slot_puts_the_next_further_off(here, enlist, late):
    handler = here(prepares=True, work_seconds=40)
    leads = late(handler, 2, times=3)

    await handler.deliver(enlist(do="fetch"))

    assert leads == sorted(leads)
    assert leads[1] > leads[0]


async def test_where_every_answer_is_too_late_the_item_is_sent_back_unpaid(here, enlist, item_of, late, gemini):
    handler, item = here(prepares=True, work_seconds=40), enlist(do="fetch")
    late(handler, 2, times=100)

    answer = await handler.deliver(item)

    assert (answer.text, item_of(item).reason) == ("deferred", "slot_missed")
    assert (item_of(item).attempts, gemini.stats.report()["requests"]) == (0, 0)
