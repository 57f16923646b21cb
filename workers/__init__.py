"""Worker processes: the only package that may import torch.

``app``, ``tasks`` and ``registry`` stay importable without torch; ``nets``, ``engines`` and
``training`` stay importable without Django.
"""
