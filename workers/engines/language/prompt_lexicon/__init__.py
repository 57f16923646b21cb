"""Understanding prompts: the painter's words, the terms of two languages that mean them, and the reader.

Torch-free. The same reading makes captions of titles in training and conditions of prompts in the
engine, so a word means the same in both. A model's own word list (in its card) decides which of
the words here it knows.
"""

from workers.engines.language.prompt_lexicon.reader import Segment, Understood, Vocabulary
from workers.engines.language.prompt_lexicon.terms import terms_of
from workers.engines.language.prompt_lexicon.words import GROUPS, words_of

__all__ = ["GROUPS", "Segment", "Understood", "Vocabulary", "terms_of", "words_of"]
