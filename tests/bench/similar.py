"""How long "more like this" takes among many works: ``python -m tests.bench.similar [--works 100000]``.

An SQLite database of its own, filled with random vectors; nine in ten works are listed. The first question of
a process reads all signs; every later one must take less than 50 ms.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
import time
from pathlib import Path

TARGET = 0.05


def main() -> None:
    """Fill, ask, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--works", type=int, default=100_000)
    parser.add_argument("--questions", type=int, default=50)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="artsite-bench-") as folder:
        Path(folder, "data").mkdir(mode=0o700)
        os.environ |= {"ARTSITE_DATA": f"{folder}/data", "DJANGO_SETTINGS_MODULE": "artsite.settings"}
        import django

        django.setup()
        measure(options.works, options.questions)


def measure(works: int, questions: int) -> None:
    """Among ``works`` works, ask ``questions`` times."""
    from django.contrib.auth.models import AnonymousUser
    from django.core.management import call_command

    from gallery.models import Artwork, Embedding
    from gallery.selectors.similarity import FEW, Index, similar_works

    call_command("migrate", verbosity=0, skip_checks=True)
    fill(works)
    index, seconds, cpus = Index(), [], []
    rng = random.Random(7)
    keys = list(Embedding.objects.values_list("artwork_id", flat=True))
    for number in range(questions + 1):
        work = Artwork.objects.get(pk=rng.choice(keys))
        began, worked = time.perf_counter(), time.thread_time()
        found = similar_works(AnonymousUser(), work, index=index)
        took, cpu = time.perf_counter() - began, time.thread_time() - worked
        assert len(found) == min(FEW, works - 1)
        if number:
            seconds.append(took)
            cpus.append(cpu)
        else:
            print(f"{works:,} works; the first question of a process: {took:.2f} s")
    busy = statistics.median(cpus)
    median, worst = statistics.median(seconds), max(seconds)
    verdict = "ok" if median < TARGET else "TOO SLOW"
    print(f"later ones: median {median * 1000:.0f} ms, worst {worst * 1000:.0f} ms of {questions} "
          f"(target {TARGET * 1000:.0f} ms): {verdict}; "
          f"of CPU {busy * 1000:.0f} ms")  # fmt: skip


def fill(works: int) -> None:
    """Works with random unit vectors, in batches."""
    from gallery.models import Artwork, Embedding
    from gallery.services.embeddings import Vector, embedding_row
    from tests.web import factories

    rng = random.Random(1)
    owner = factories.make_user("bench")
    for begin in range(0, works, 5000):
        rows = [
            factories.artwork_row(
                owner,
                prompt="",
                visibility="public" if rng.random() < 0.9 else "private",
                moderation="approved",
            )
            for _ in range(min(5000, works - begin))
        ]
        Artwork.objects.bulk_create(rows)
        Embedding.objects.bulk_create(
            embedding_row(row, Vector(rng.randbytes(256), "be" * 32)) for row in rows
        )


if __name__ == "__main__":
    main()
