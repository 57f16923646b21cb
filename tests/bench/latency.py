"""How long a person waits, through a whole studio: ``python -m tests.bench.latency [--runs 100] [--toys]``.

A visitor has the studio's page open and sends the form; the clock starts there. *First state* is the first
``job.state`` on the job page's own socket: after the answer to the form, the job's page, the handshake and
the subscription. Where the time goes is told by the row's times and by the engines (tests/bench/timed.py).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import httpx

from tests.bench.studio import load, summary, warm_studio
from tests.live.stack import Stack
from tests.live.visitor import FIELD, job_of, live_socket

WARM_UP = 5
IDLE_SECONDS = 0.3
# name -> (kind, fields, what to wait for, runs as a share of --runs, target for the median, for the p95)
CASES: dict[str, tuple[str, dict[str, str], str, float, float | None, float | None]] = {
    "submit to first state": ("paint", {"prompt": "winter forest", "count": "1"}, "state", 1.0, 0.1, 0.3),
    "first characters of a poem": ("verse", {"prompt": "江上秋月", "form": "7jueju"}, "text", 0.2, 0.5, None),
    "first line of an English poem": (
        "verse",
        {"prompt": "autumn rain", "form": "quatrain"},
        "text",
        0.2,
        0.5,
        None,
    ),
    "four paintings": (
        "paint",
        {"prompt": "a stormy sea at sunset, Aivazovsky", "count": "4"},
        "final",
        0.2,
        3.0,
        None,
    ),
    "a restyle of 512 px": (
        "restyle",
        {"style": "starry_night", "size": "512", "picture_image_work": "@picture"},
        "final",
        0.2,
        5.0,
        None,
    ),
}


async def follow(client: httpx.AsyncClient, kind: str, fields: Mapping[str, str]) -> dict[str, Any]:
    """Submit and watch to the end: seconds since the click by event, ``clicked`` (clock time) and ``job``."""
    page = await client.get(f"/studio/{kind}/")
    page.raise_for_status()
    origin = str(client.base_url).rstrip("/")
    await asyncio.sleep(IDLE_SECONDS)
    began, seen = time.perf_counter(), {"clicked": time.time()}

    def note(event: str) -> None:
        seen.setdefault(event, time.perf_counter() - began)

    data = {**dict(FIELD.findall(page.text)), **fields}
    answer = await client.post(f"/studio/{kind}/", data=data, headers={"Referer": origin})
    note("accepted")
    job = job_of(answer)
    (await client.get(f"/jobs/{job}/")).raise_for_status()
    note("page")
    cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    async with live_socket(origin, cookie, job, compression=None) as socket:
        note("socket")
        async for text in socket:
            message = json.loads(text)
            if message["type"] == "job.state":
                note("state")
                state = message["data"]["state"]
                note(state)
                if message["data"]["final"]:
                    note("final")
                    assert state == "succeeded", message
            elif message["type"] == "job.text" and message["data"]["text"]:
                note("text")
            elif message["type"] == "job.preview":
                note("preview")
            elif message["type"] == "job.output":
                note("output")
                if kind == "verse":
                    note("text")
            if "output" in seen and "final" in seen:
                break
    return {**seen, "job": job}


def breakdown(stack: Stack, seen: Mapping[str, Any]) -> dict[str, float]:
    """Seconds in each part, from the click to the final state on the page."""
    row = stack.job(seen["job"])
    times = stack.ask("Artwork.objects.get(pk=work).details['times']", work=row["artworks"][0])
    created, claimed, closed = (
        datetime.fromisoformat(row[name]).timestamp() for name in ("created_at", "started_at", "finished_at")
    )
    heard = times["heard"] if times["heard"] and times["heard"] >= created else created
    return {
        "web: form to row": created - seen["clicked"],
        "broker: row to notification received": heard - created,
        "claim: notification to lease": claimed - heard,
        "start: lease to model": times["began"] - claimed,
        "model": times["ended"] - times["began"],
        "file: model to closed row": closed - times["ended"],
        "event: closed row to page": seen["clicked"] + seen["final"] - closed,
    }


async def measure(stack: Stack, name: str, runs: int, cookie: dict[str, str], picture: str) -> bool:
    """Run one case and print its figures; whether its targets were met."""
    kind, fields, event, share, median_target, p95_target = CASES[name]
    fields = {key: value.replace("@picture", picture) for key, value in fields.items()}
    runs = max(3, round(runs * share))
    waits: dict[str, list[float]] = defaultdict(list)
    parts: dict[str, list[float]] = defaultdict(list)
    async with httpx.AsyncClient(base_url=stack.url, cookies=cookie, timeout=60) as client:
        for number in range(runs + WARM_UP):
            seen = await follow(client, kind, fields)
            if number < WARM_UP:
                continue
            for key, value in seen.items():
                if key not in ("clicked", "job"):
                    waits[key].append(value)
            for key, value in breakdown(stack, seen).items():
                parts[key].append(value)
    ordered = sorted(waits[event])
    median, p95 = ordered[len(ordered) // 2], ordered[round(0.95 * (len(ordered) - 1))]
    met = (median_target is None or median < median_target) and (p95_target is None or p95 < p95_target)
    target = f"median < {median_target:g} s" + (f", p95 < {p95_target:g} s" if p95_target else "")
    print(f"\n{name}: {summary(waits[event])}\n    target {target}: {'met' if met else 'MISSED'}")
    for key in ("accepted", "page", "socket", "state", "preview", "text", "final"):
        if waits[key]:
            print(f"    click to {key:<28} {summary(waits[key])}")
    for key, values in parts.items():
        print(f"    {key:<37} {summary(values)}")
    return met


def main() -> None:
    """Measure every case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--toys", action="store_true", help="engines without models")
    parser.add_argument("--only", choices=CASES, help="one case")
    given = parser.parse_args()
    print(load())
    with warm_studio(toys=given.toys) as stack:
        cookie, picture = (
            stack.cookie("ana"),
            stack.console.call("picture", name="ana", width=800, height=600),
        )
        met = [
            asyncio.run(measure(stack, name, given.runs, cookie, picture))
            for name in CASES
            if given.only in (None, name)
        ]
    print(f"\n{load()}")
    raise SystemExit(0 if all(met) else 1)


if __name__ == "__main__":
    main()
