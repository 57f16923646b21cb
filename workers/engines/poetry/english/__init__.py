"""English verse: its forms, the sounds of its words, and writing that keeps both."""
