"""How models are shown: JSON payloads, labels, titles and layouts, free of HTTP."""
