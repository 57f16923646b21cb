"""Measures of the painting generator (in the making)."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``evaluate paint``."""


def main(arguments: argparse.Namespace) -> None:
    """Measure."""
