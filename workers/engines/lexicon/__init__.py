"""Understanding prompts: the painter's words, the terms of two languages that mean them, and the reader."""
