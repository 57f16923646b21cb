"""The operators' page: queues, workers, failures, and the drain."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from gallery.errors import storable
from gallery.models import Worker
from gallery.selectors import jobs, workers
from gallery.services import storage
from gallery.services.workers import worker_drain
from gallery.views.access import operators_only, person_of


@require_safe
@never_cache
@operators_only
def overview(request: HttpRequest) -> HttpResponse:
    """Queues, workers and the newest failures as they are now."""
    online = list(workers.online())
    names = {worker.name for worker in online}
    context = {
        "queues": workers.queues(online),
        "workers": [(worker, worker.name in names) for worker in workers.workers()],
        "failures": jobs.recent_failures(),
        "now": timezone.now(),
        "storage": storage.folder_state(),
    }
    return render(request, "workers/index.html", context)


@require_POST
@operators_only
def drain(request: HttpRequest) -> HttpResponse:
    """Let a worker finish what it holds, or let it take jobs again."""
    try:
        worker_drain(
            name=storable(request.POST.get("name", "")),
            draining=request.POST.get("draining") == "on",
            by=person_of(request),
        )
    except Worker.DoesNotExist:
        raise Http404 from None
    return redirect("workers")
