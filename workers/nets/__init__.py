"""Architectures, one file each: a config dataclass and the module that it describes."""
