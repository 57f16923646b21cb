"""One worker process: claims jobs, runs engines, reports progress, keeps its lease."""
