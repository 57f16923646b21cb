#!/usr/bin/env python
"""Django's command line.

``--data DIR`` names the studio's data folder for any command: the settings are read from it, so it
must be known before Django starts.
"""

import os
import sys


def take_data_option(arguments: list[str]) -> list[str]:
    """Move ``--data DIR`` (or ``--data=DIR``) from the arguments into ``ARTSITE_DATA``."""
    rest = list(arguments)
    for position, argument in enumerate(rest):
        if argument == "--data" and position + 1 < len(rest):
            os.environ["ARTSITE_DATA"] = os.path.abspath(rest[position + 1])
            return rest[:position] + rest[position + 2 :]
        if argument.startswith("--data="):
            os.environ["ARTSITE_DATA"] = os.path.abspath(argument.removeprefix("--data="))
            return rest[:position] + rest[position + 1 :]
    return rest


MAKE_THE_FOLDER = ("studio", "migrate", "check", "collectstatic", "createsuperuser")
"""Commands that may be the first in a data folder; for any other a folder that is not there is a mistake."""


def main() -> None:
    """Run one management command."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "artsite.settings")
    from django.core.management import execute_from_command_line

    rest = take_data_option(sys.argv)
    folder = os.environ.get("ARTSITE_DATA", "")
    if rest != sys.argv and rest[1:2] and rest[1] not in MAKE_THE_FOLDER and not os.path.isdir(folder):
        sys.exit(f"--data: {folder} is not the data folder of a studio that was started.")
    execute_from_command_line(rest)


if __name__ == "__main__":
    main()
