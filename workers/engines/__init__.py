"""Engines: each knows how to make one kind. See :mod:`workers.engines.base` for the protocol."""
