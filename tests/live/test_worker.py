"""A real worker process with toy engines, a real broker: from the submission to the artwork."""

from __future__ import annotations

from tests.live.stack import Stack


def test_a_submitted_job_becomes_artworks(stack: Stack) -> None:
    stack.start_broker()
    stack.start_worker()
    job = stack.submit("paint", prompt="steps=4", count=2, request={"seed": 7, "publish_as": "public"})
    row = stack.wait_state(job, "succeeded", timeout=20)
    assert len(row["artworks"]) == 2
    assert row["model_name"] == "toy"
    assert row["attempt"] == 1
    assert row["lease_token"] is None
    works = stack.ask("list(Artwork.objects.filter(job=job).order_by('index').values())", job=job)
    assert [work["recipe"]["index"] for work in works] == [0, 1]
    assert all((stack.data / "media" / work["file"]).is_file() for work in works)
    assert {work["visibility"] for work in works} == {"public"}
