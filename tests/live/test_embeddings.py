"""Real workers embed pictures: those that they make at once, older ones while no job waits."""

from __future__ import annotations

from tests.live.stack import Stack
from tests.toy_engines import ToyEmbedder

PLACED = "sorted(Artwork.objects.filter(embedding__digest=digest).values_list('pk', flat=True))"


def test_pictures_get_embeddings_when_they_are_made_and_older_ones_in_idle_time(stack: Stack) -> None:
    old = stack.picture()
    stack.start_broker()
    stack.start_worker()
    (job,) = stack.wait_final(stack.submit("paint", count=2))
    poem = stack.submit("verse")
    placed = stack.ask(PLACED, digest=ToyEmbedder.digest)
    assert set(job["artworks"]) <= set(placed)
    stack.wait_for(lambda: old in stack.ask(PLACED, digest=ToyEmbedder.digest))
    (written,) = stack.wait_final(poem)
    assert set(stack.ask(PLACED, digest=ToyEmbedder.digest)) == {old, *job["artworks"]}
    assert written["state"] == "succeeded"


def test_a_worker_without_an_embedding_network_still_makes_pictures(stack: Stack) -> None:
    stack.start_broker()
    worker = stack.start_worker(env={"ARTSITE_SEEING": "no.such:Thing"})
    (job,) = stack.wait_final(stack.submit("paint"))
    assert job["state"] == "succeeded"
    assert stack.ask(PLACED, digest=ToyEmbedder.digest) == []
    assert "works get no embedding" in worker.tail(200)
