"""The pattern page: every partial and page in its states, for people who work on the templates.

It exists with ``DEBUG`` only. Pages come from the real views, with sample rows (:mod:`.samples`) in a
transaction that is rolled back, so that they cannot differ from what visitors see.
"""
