"""The domain's rows. Every rule that writes them is in ``gallery.services``."""

from gallery.models.account import Invitation, User
from gallery.models.artwork import Artwork, Embedding, Lineage, Moderation, Upload, Visibility
from gallery.models.job import Job, JobInput, JobState
from gallery.models.moderation import ModerationAction, ModerationEntry
from gallery.models.worker import Worker

__all__ = [
    "Artwork",
    "Embedding",
    "Invitation",
    "Job",
    "JobInput",
    "JobState",
    "Lineage",
    "Moderation",
    "ModerationAction",
    "ModerationEntry",
    "Upload",
    "User",
    "Visibility",
    "Worker",
]
