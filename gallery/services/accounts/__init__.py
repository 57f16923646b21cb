"""Rules of accounts: who may have one, under which name, and what is written down about it."""
