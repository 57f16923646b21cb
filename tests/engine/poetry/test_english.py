"""English verse at toy size: real classes and words, random weights, judged by the evaluation's checker."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from workers import weights
from workers.engines.base import InvalidRequest
from workers.engines.poetry.bloom_filter import BloomFilter
from workers.engines.poetry.english import forms
from workers.engines.poetry.english.annotation import annotate
from workers.engines.poetry.english.lexicon import FIRST_WORD, pack_columns
from workers.engines.poetry.english.model import EnglishVerseModel
from workers.engines.poetry.english.next_token import GUIDANCE, NextTokenPredictor, Nodes
from workers.engines.poetry.english.planning import Draft
from workers.nets.english_verse_lstm import EnglishVerseLSTM, EnglishVerseLSTMConfig, LSTMInputs
from workers.training.english_verse import rule_checker
from workers.training.english_verse.corpus import SPECIALS
from workers.training.english_verse.export import lexicon
from workers.training.english_verse.pronunciation import dictionary

FORMS = [form.slug for form in forms.FORMS]
# Short words of all sounds; a few long ones, so that beats matter.
_SHORT = sorted(w for w in dictionary() if w.isalpha() and len(w) in (3, 4))[::5]
_LONG = sorted(w for w in dictionary() if w.isalpha() and len(w) in (7, 8) and w[0] != "z")[::60]
WORDS = [*SPECIALS, *dict.fromkeys(["the", "a", "an", "of", "sea", "night", *_SHORT, *_LONG])]
TOY = EnglishVerseLSTMConfig(vocabulary=len(WORDS), head=200, embed=12, hidden=16, authors=2)


def save_toy(folder: Path, words: list[str] = WORDS, known_lines: bytes = bytes(8)) -> None:
    torch.manual_seed(0)
    config = EnglishVerseLSTMConfig.from_dict(TOY.as_dict() | {"vocabulary": len(words)})
    model = EnglishVerseLSTM(config)
    with torch.no_grad():
        model.bias.normal_(std=2.0)
    tensors = model.state_dict() | {
        "lexicon": pack_columns(lexicon(words, {"i"})),
        "topics": torch.randn(len(words), 4),
        "known_lines": torch.frombuffer(bytearray(known_lines), dtype=torch.uint8),
    }
    card = {
        "name": "verse-english",
        "architecture": "toy",
        "data": [],
        "steps": 0,
        "quality": {},
        "limits": [],
    }
    weights.save(folder, tensors, card | {"config": config.as_dict() | {"authors_named": ["John Clare"]}})


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A models folder with a toy ``verse-english``."""
    monkeypatch.setenv("ARTSITE_MODELS_DIR", str(tmp_path))
    save_toy(tmp_path / "verse-english")
    return tmp_path / "verse-english"


@pytest.fixture
def writer(models: Path) -> EnglishVerseModel:
    return EnglishVerseModel(torch.device("cpu"))


def drafts(writer: EnglishVerseModel, form: str, seeds: range, acrostic: str = "") -> list[Draft]:
    return [
        writer.draft(form, torch.Generator().manual_seed(s), acrostic=acrostic, temperature=1.0)
        for s in seeds
    ]


def write(writer: EnglishVerseModel, wanted: list[Draft]) -> list[tuple[str, ...]]:
    for _ in writer.write(wanted):
        pass
    return [writer.lines(draft) for draft in wanted]


@pytest.mark.parametrize("form", FORMS)
def test_syllables_rhymes_and_beats_are_right_whatever_the_model_says(
    writer: EnglishVerseModel, form: str
) -> None:
    for lines in write(writer, drafts(writer, form, range(4))):
        verdict = rule_checker.check(lines, form)
        assert verdict.right, (lines, verdict)
        assert verdict.beats == 1.0, lines


@pytest.mark.parametrize(
    ("form", "acrostic"), [("quatrain", "Moon"), ("sonnet", "SPRING"), ("haiku", "a b.c!")]
)
def test_lines_begin_with_the_letters_of_an_acrostic(
    writer: EnglishVerseModel, form: str, acrostic: str
) -> None:
    letters = "".join(c for c in acrostic.lower() if c.isalpha())
    for lines in write(writer, drafts(writer, form, range(3), acrostic)):
        assert rule_checker.acrostic(lines).lower().startswith(letters)
        assert rule_checker.check(lines, form).right, lines


def test_a_poem_is_its_seeds_whoever_is_written_beside_it(writer: EnglishVerseModel) -> None:
    alone = write(writer, drafts(writer, "ballad", range(3, 4)))[0]
    together = write(writer, drafts(writer, "ballad", range(5)))
    assert together[3] == alone
    assert len(set(together)) == 5


def test_short_steps_say_what_the_network_says() -> None:
    torch.manual_seed(0)
    model = EnglishVerseLSTM(TOY).eval().requires_grad_(False)
    tokens, before = torch.randint(2, 300, (5, 4)), torch.randint(2, 300, (5, 4))
    left, theme, author = (
        torch.randint(1, 12, (5, 4)),
        torch.randint(2, 300, (5, 3)),
        torch.tensor([0, 1, 0, 1, 1]),
    )
    predictor = NextTokenPredictor(model, torch.device("cpu"))
    told, plain = model.condition(theme, author), model.condition(theme * 0, author)
    condition, skipped_condition = predictor.conditions(theme, author)
    state = (torch.zeros(1, 5, TOY.hidden), torch.zeros(1, 5, TOY.hidden))
    nodes = Nodes(state, condition, skipped_condition, tokens[:, 0], before[:, 0])
    steps = []
    for i in range(4):
        nodes.last, nodes.before = tokens[:, i], before[:, i]
        steps.append(predictor.predict(nodes, left[:, i], 3, i == 0).guided)
    fresh = torch.tensor([1, 0, 0, 0]).expand(5, 4)
    whole, _ = model.features(LSTMInputs(tokens, before, left, torch.full_like(left, 3), fresh, told))
    whole = whole + GUIDANCE * (model.condition_skip(told) - model.condition_skip(plain))[:, None]
    torch.testing.assert_close(torch.stack(steps, 1), model.log_chances(whole), rtol=1e-4, atol=1e-4)


def test_lines_are_kept_and_the_others_written_to_rhyme_with_them(writer: EnglishVerseModel) -> None:
    first = write(writer, drafts(writer, "quatrain", range(1)))[0]
    end = " ".join(first[2].split()[-2:])
    kept = {1: first[1], 2: end}
    draft = writer.draft("quatrain", torch.Generator().manual_seed(9), given=kept, temperature=1.0)
    again = write(writer, [draft])[0]
    assert again[1] == first[1]
    assert again[2].lower().endswith(end.lower())
    assert again[0] != first[0]
    assert rule_checker.check(again, "quatrain").right, again


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({0: "zzyzx"}, "pronounce “zzyzx”"),
        ({1: "🌊!"}, "English words; “🌊”"),
        ({4: "the sea"}, "4 lines"),
        ({0: "night " * 9}, "Line 1 of the draft has 9 syllables; the form has 8"),
        ({0: "the sea", 2: "the night"}, "Line 3 should rhyme with line 1"),
        ({0: "the night", 2: "a night"}, "Lines 1 and 3 end on the same sound"),
    ],
)
def test_kept_lines_that_break_the_form_are_refused(
    writer: EnglishVerseModel, given: dict[int, str], said: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        writer.draft("quatrain", torch.Generator(), given=given, temperature=1.0)
    assert said in refused.value.visitor


def test_every_word_tells_what_else_was_likely(writer: EnglishVerseModel) -> None:
    draft = drafts(writer, "haiku", range(1))[0]
    write(writer, [draft])
    for tokens, alternatives in zip(draft.tokens, draft.alternatives, strict=True):
        assert len(alternatives) == len(tokens)
        for choice in alternatives:
            shares = [share for _, share in choice]
            assert shares == sorted(shares, reverse=True)
            assert 0 < sum(shares) <= 1.001


def test_a_dropped_draft_does_not_disturb_the_others(writer: EnglishVerseModel) -> None:
    wanted = drafts(writer, "quatrain", range(3))
    for syllables in writer.write(wanted):
        wanted[1].dropped = syllables >= 16
    assert [len(draft.tokens) for draft in wanted] == [4, 2, 4]
    assert writer.lines(wanted[2]) == write(writer, drafts(writer, "quatrain", range(2, 3)))[0]


def test_the_print_has_capitals_marks_and_an_end(writer: EnglishVerseModel) -> None:
    for draft in drafts(writer, "quatrain", range(4)):
        lines = write(writer, [draft])[0]
        assert all(next(c for c in line if c.isalpha()).isupper() for line in lines)
        assert lines[-1][-1] in ".!?"
        assert not any("_" in line or "  " in line or " ," in line for line in lines)
        facts = annotate(draft, writer.lexicon)
        stresses = [[piece["stress"] for piece in line] for line in facts["lines"]]
        assert [sum(map(len, line)) for line in stresses] == [8, 8, 8, 8]


def test_articles_agree_and_pauses_follow_words_of_weight(models: Path) -> None:
    """A model that likes nothing better than articles and commas."""
    loaded = weights.load("verse-english")
    bias = loaded.tensors["bias"]
    bias[[WORDS.index("a"), WORDS.index("an"), WORDS.index("of"), WORDS.index(",")]] += 5.0
    weights.save(models, loaded.tensors, {k: v for k, v in loaded.card.items() if k != "sha256"})
    writer = EnglishVerseModel(torch.device("cpu"))
    text = "\n".join(line for lines in write(writer, drafts(writer, "quatrain", range(6))) for line in lines)
    followed = re.findall(r"\b(a|an) ([a-z']+)", text.lower())
    assert {article for article, _ in followed} == {"a", "an"}
    for article, word in followed:
        opened = dictionary()[word][0].phones[0][-1].isdigit()
        assert (article == "an") == opened, (article, word)
    assert "," in text
    assert not re.search(r"\b(a|an|of|the),", text.lower())


def test_the_theme_is_read_by_its_words_of_sense(writer: EnglishVerseModel) -> None:
    def words(prompt: str) -> list[str]:
        return [writer.lexicon.words[token] for token in writer.understand(prompt).tokens]

    prompt = "Write a sonnet about the sea of NIGHTS, 🌊 telecommunication " + "x" * 100_000
    assert words(prompt) == ["sea", "night"]
    assert "telecommunication" in writer.understand(prompt).unknown
    assert words("🌊 夜") == words("请以“大海”为题，写夜的英文诗") == ["sea", "night"]
    # Grammar is not reported, whatever its language.
    assert writer.understand("it is the sea's, don't you 的").unknown == ()
    assert writer.understand("🦄 龘").unknown == ("🦄", "龘")


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"form": "epic"}, "form must be one of"),
        ({"acrostic": "HELLO"}, "4 letters at most"),
        ({"acrostic": "a1"}, "A to Z"),
        ({"acrostic": "春風"}, "A to Z"),
        ({"author": "Nobody"}, "manner"),
    ],
)
def test_wishes_that_nobody_can_keep_are_refused(
    writer: EnglishVerseModel, wish: dict[str, str], said: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        writer.draft(**{"form": "quatrain", **wish}, generator=torch.Generator(), temperature=1.0)  # type: ignore[arg-type]
    assert said in refused.value.visitor


def test_a_letter_that_begins_no_word_is_refused_before_writing(tmp_path: Path, models: Path) -> None:
    save_toy(models, [word for word in WORDS if word in SPECIALS or word[0] != "k"])
    with pytest.raises(InvalidRequest) as refused:
        EnglishVerseModel(torch.device("cpu")).draft(
            "haiku", torch.Generator(), acrostic="ink", temperature=1.0
        )
    assert "“K”" in refused.value.visitor


def test_a_letter_with_one_word_is_reached_from_any_length(models: Path) -> None:
    """Every other word has one syllable or three; the line must leave room for the one that opens it."""
    known = dictionary()
    some = [w for w in WORDS[FIRST_WORD:] if w[0] != "x" and known[w][0].syllables in (1, 3)]
    save_toy(models, [*SPECIALS, *some, "xerox"])
    writer = EnglishVerseModel(torch.device("cpu"))
    for lines in write(writer, drafts(writer, "haiku", range(4), "XXX")):
        assert all(line.startswith("Xerox") for line in lines)
        assert rule_checker.check(lines, "haiku").right


def test_a_line_of_the_training_is_left_for_another_candidate(models: Path) -> None:
    writer = EnglishVerseModel(torch.device("cpu"))
    first = write(writer, drafts(writer, "haiku", range(1)))[0][0]
    known = BloomFilter.of({" ".join(rule_checker.words(first))}, 4096)
    save_toy(models, known_lines=bytes(known.data))
    again = EnglishVerseModel(torch.device("cpu"))
    assert write(again, drafts(again, "haiku", range(1)))[0][0] != first


def test_tables_of_another_vocabulary_are_refused(models: Path) -> None:
    loaded = weights.load("verse-english")
    tensors = loaded.tensors | {"lexicon": pack_columns(lexicon(WORDS[:-1], set()))}
    weights.save(models, tensors, {k: v for k, v in loaded.card.items() if k != "sha256"})
    with pytest.raises(weights.WeightsCorrupt):
        EnglishVerseModel(torch.device("cpu"))


@pytest.mark.parametrize(
    ("shape", "template", "start", "fitting"),
    [
        ("01", "wsws", 0, True),
        ("10", "wsws", 2, False),
        ("10", "wsws", 0, True),  # the first foot may be turned round
        ("10", "wsws", 1, True),
        ("100", "wsws", 1, True),  # a weak syllable is lifted onto a beat
        ("0", "ws", 1, False),
        ("*", "ws", 1, True),
        ("010", "wsws", 2, False),  # longer than what is left
    ],
)
def test_words_fit_by_their_main_stress(shape: str, template: str, start: int, fitting: bool) -> None:
    assert forms.fits(shape, template, start) is fitting


def test_the_checker_knows_verse_that_everybody_knows() -> None:
    assert rule_checker.count("Shall I compare thee to a summer’s day?") == 10
    assert rule_checker.rhymes("day", "may")
    assert rule_checker.rhymes("ocean", "motion")
    assert not rule_checker.rhymes("day", "day")
    assert not rule_checker.rhymes("night", "knight")
    assert not rule_checker.rhymes("love", "move")
    right = (
        "The moon is on the silent sea,",
        "The night is cold and deep,",
        "And all the",
        "The world asleep.",
    )
    assert not rule_checker.check(right, "quatrain").right
