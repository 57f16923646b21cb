"""Migrations keep what older versions of the studio stored."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor


def migrate_to(name: str) -> MigrationExecutor:
    """Migrate the gallery to ``name``, back or forth; an executor that knows the state there."""
    executor = MigrationExecutor(connection)
    executor.migrate([("gallery", name)])
    return MigrationExecutor(connection)


@pytest.mark.django_db(transaction=True)
def test_renamed_columns_of_jobs_keep_their_values() -> None:
    moment = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    latest = [key for key in MigrationExecutor(connection).loader.graph.leaf_nodes() if key[0] == "gallery"]
    try:
        apps = migrate_to("0005_enough").loader.project_state([("gallery", "0005_enough")]).apps
        owner = apps.get_model("gallery", "User").objects.create(username="ana")
        job = apps.get_model("gallery", "Job").objects.create(
            owner=owner, kind="verse", queue="rnn", seed=1, batch_key="b", idempotency_key="k",
            created_at=moment, rung_at=moment, enough=True,
        )  # fmt: skip
        migrate_to("0006_notified_at_finish_early")
        with connection.cursor() as cursor:
            cursor.execute("SELECT notified_at, finish_early FROM gallery_job WHERE seed = 1")
            notified_at, finish_early = cursor.fetchone()
        assert str(notified_at).startswith("2024-05-06 07:08:09")
        assert bool(finish_early)
        assert job.pk
    finally:
        MigrationExecutor(connection).migrate(latest)
