"""Reading prompts in English and Chinese."""
