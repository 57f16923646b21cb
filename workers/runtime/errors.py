"""Exception -> why a job failed, for two readers: the visitor's sentence and the operator's text."""

from __future__ import annotations

import sys
import traceback
from dataclasses import dataclass

from workers.engines.base import EngineError, TooLarge
from workers.registry import EngineUnavailable


class DeviceBroken(Exception):
    """The device's context is poisoned: nothing more can be made in this process."""


class InputMissing(EngineError):
    """The picture that the job takes in this ``role`` is gone or damaged. ``label`` names it to visitors."""

    code = "input_missing"
    visitor = "A picture that this work starts from is no longer there."

    def __init__(self, operator: str, *, role: str, label: str) -> None:
        super().__init__(
            operator, visitor=f"A picture that this work starts from is no longer there: {label}."
        )
        self.role = role

    @property
    def note(self) -> dict[str, str]:
        """Which picture it is, for pages in every language."""
        return {"code": self.code, "role": self.role}


class StorageUnavailable(Exception):
    """The disk takes no writes at the moment: what was made is given back to the queue, for later."""


class StorageFailed(EngineError):
    """The results could not be written."""

    code = "storage_failed"
    visitor = "The studio could not store this work. Please try again later."


@dataclass(frozen=True, slots=True)
class FailureReport:
    """``code`` is stable, ``visitor`` may be shown to anybody, ``operator`` names the cause."""

    code: str
    visitor: str
    operator: str


def failure_report(error: BaseException) -> FailureReport:
    """The two texts for ``error``."""
    if isinstance(error, EngineUnavailable):
        return FailureReport(
            "engine_unavailable",
            "The worker cannot load the model for this kind of work. Its operators can see why.",
            str(error),
        )
    if is_out_of_memory(error):
        return FailureReport(TooLarge.code, TooLarge.visitor, f"{type(error).__name__}: {error}")
    if isinstance(error, EngineError):
        return FailureReport(error.code, error.visitor, f"{type(error).__name__}: {error}")
    return FailureReport(EngineError.code, EngineError.visitor, "".join(traceback.format_exception(error)))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether less at once could have worked. Known by name and text: torch may not be imported here."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)


def is_device_broken(error: BaseException) -> bool:
    """Whether every later call to the device will fail too."""
    if is_out_of_memory(error):
        return False
    return type(error).__name__ == "AcceleratorError" or (
        isinstance(error, RuntimeError) and "CUDA error" in str(error)
    )


def free_device_memory() -> None:
    """Give cached memory back before a smaller try."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
