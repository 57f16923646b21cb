"""The verse engine at toy size: real classes, random weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.engine.parameters import complete
from workers import weights
from workers.engines.base import InvalidRequest, JobCanceled, JobReleased, Poem, Result, SilentReport, Task
from workers.engines.poetry.bloom_filter import BloomFilter
from workers.engines.poetry.chinese import prosody
from workers.engines.poetry.chinese.lstm_stepper import LSTMStepper, LSTMTables
from workers.engines.poetry.prompt_tokens import simplify
from workers.engines.verse import VerseEngine
from workers.nets.chinese_verse_lstm import ChineseVerseLSTM, ChineseVerseLSTMConfig, LSTMInputs
from workers.nets.english_verse_lstm import EnglishVerseLSTM, EnglishVerseLSTMConfig
from workers.training.chinese_verse import corpus as poems
from workers.training.verse_common.loss import ChunkedCrossEntropy

FORMS = [form.slug for form in prosody.FORMS]
_SOME = "月秋乡思山江春夏冬风" + "".join(chr(0x4E00 + 7 * i) for i in range(600))
# What a draft is read as: a poem of other characters could not be given back.
CHARACTERS = "".join(dict.fromkeys(simplify(_SOME)))
WORDS = ["□", "^", *CHARACTERS]
TOY = ChineseVerseLSTMConfig(vocabulary=len(WORDS), embed=16, hidden=24)


def tables() -> tuple[torch.Tensor, torch.Tensor]:
    """Every third character is oblique; level ones spread over three rhymes."""
    number = torch.arange(len(WORDS))
    tones = torch.where(number % 3 == 0, prosody.TONE_OBLIQUE, prosody.TONE_LEVEL).to(torch.uint8)
    rhymes = torch.zeros(len(WORDS), 30, dtype=torch.uint8)
    for rhyme in range(3):
        rhymes[:, rhyme] = (number % 9 == 1 + 3 * rhyme) | (number % 9 == 2 + 3 * rhyme)
    return tones, rhymes


def save_toy(
    folder: Path, known_lines: bytes = bytes(8), poets: tuple[str, ...] = (), **changes: Any
) -> None:
    torch.manual_seed(0)
    toy = replace(TOY, authors=1 + len(poets))
    model = ChineseVerseLSTM(toy)
    with torch.no_grad():
        model.bias.normal_(std=2.0)
    tones, rhymes = tables()
    config = toy.as_dict() | {
        "authors_named": poets,
        "specials": WORDS[:2],
        "characters": CHARACTERS,
        "rhymes_named": [f"韵{i}" for i in range(30)],
        "pattern_weights": [[0.25] * 4] * 4,
        "rhyme_weights": [[1 / 3] * 3 + [0.0] * 27] * 4,
    }
    card = {"name": "verse", "architecture": "toy", "config": config | changes, "data": [], "steps": 0}
    known = torch.frombuffer(bytearray(known_lines), dtype=torch.uint8)
    tensors = model.state_dict() | {
        "tones": tones,
        "rhymes": rhymes,
        "doubles": torch.ones(len(WORDS), dtype=torch.uint8),
        "couplet_above": torch.randn(len(WORDS), 4),
        "couplet_below": torch.randn(len(WORDS), 4),
        "known_lines": known,
    }
    weights.save(folder, tensors, {**card, "quality": {}, "limits": []})


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A models folder with a toy ``verse``."""
    monkeypatch.setenv("ARTSITE_MODELS_DIR", str(tmp_path))
    monkeypatch.setenv("ARTSITE_DEVICE", "cpu")
    save_toy(tmp_path / "verse")
    return tmp_path / "verse"


@pytest.fixture
def engine(models: Path) -> VerseEngine:
    return VerseEngine()


class Recorder(SilentReport):
    """Keeps everything; ``at`` may raise at a step."""

    def __init__(self, at: Callable[[int], None] = lambda step: None) -> None:
        self.at = at
        self.steps: list[int] = []
        self.texts: dict[int, list[str]] = {}
        self.notes: list[tuple[str, dict[str, Any]]] = []

    def step(self, step: int, steps: int | None, message: str = "") -> None:
        self.steps.append(step)
        self.at(step)

    def text(self, text: str, index: int = 0) -> None:
        self.texts.setdefault(index, []).append(text)

    def note(self, code: str, **data: Any) -> None:
        self.notes.append((code, data))


def task(seed: int = 7, report: SilentReport | None = None, **changes: Any) -> Task:
    given = {"prompt": "秋月", "form": "5jueju", "temperature": 1.0} | changes
    return Task(complete("verse", **given), seed, report or SilentReport())


def written(result: Result) -> tuple[Poem, ...]:
    if result.error is not None:
        raise result.error
    assert all(isinstance(output, Poem) for output in result.outputs)
    return tuple(output for output in result.outputs if isinstance(output, Poem))


@pytest.mark.parametrize("slug", FORMS)
@pytest.mark.parametrize("temperature", [0.3, 1.5])
def test_every_rule_holds(engine: VerseEngine, slug: str, temperature: float) -> None:
    form = prosody.FORM_BY_SLUG[slug]
    tones, rhymes = tables()
    for poem in written(engine.run([task(form=slug, count=8, temperature=temperature)])[0]):
        assert [len(line) for line in poem.lines] == [form.length] * form.lines
        text = "".join(poem.lines)
        ids = [WORDS.index(character) for character in text]
        names = {prosody.pattern_name(form, p): p for p in range(1, 5)}
        pattern = names[poem.details["pattern"]]
        for token, code in zip(ids, prosody.slot_codes(form, pattern), strict=True):
            assert prosody.tone_fits(int(tones[token]), code)
        rhyme = int(poem.details["rhyme"].removeprefix("韵"))
        assert all(rhymes[ids[slot], rhyme] for slot in prosody.rhyme_slots(form, pattern))
        once = [c for i, c in enumerate(text) if i == 0 or text[i - 1] != c]
        assert len(set(once)) == len(once)
        json.dumps(dict(poem.details))


def test_one_recipe_is_one_poem(engine: VerseEngine) -> None:
    first, again = (written(engine.run([task(count=3)])[0]) for _ in range(2))
    assert first == again
    assert len({poem.lines for poem in first}) == 3
    assert written(engine.run([task(seed=8)])[0])[0].lines != first[0].lines
    assert written(engine.run([task(count=1)])[0])[0] == first[0]


def test_neighbours_in_a_batch_change_nothing(engine: VerseEngine) -> None:
    tasks = [
        task(1, prompt="秋夜思乡", count=2),
        task(2, prompt="", temperature=1.4),
        task(3, prompt="江山", acrostic="春夏秋冬"),
    ]
    assert len({engine.batch_key(t.parameters) for t in tasks}) == 1
    together = [written(result) for result in engine.run(tasks)]
    alone = [written(engine.run([t])[0]) for t in tasks]
    assert together == alone


def test_forms_do_not_share_a_batch(engine: VerseEngine) -> None:
    tasks = [task(form=slug) for slug in FORMS]
    assert len({engine.batch_key(t.parameters) for t in tasks}) == 4
    with pytest.raises(ValueError, match="several forms"):
        engine.run(tasks[:2])


def test_the_poem_appears_character_by_character(engine: VerseEngine) -> None:
    report = Recorder()
    poems_made = written(engine.run([task(report=report, count=2, form="7jueju")])[0])
    assert report.steps == list(range(1, 29))
    for index, poem in enumerate(poems_made):
        whole = "\n".join(poem.lines)
        shown = [text.replace("\n", "") for text in report.texts[index]]
        assert [len(text) for text in shown] == list(range(1, 29))
        assert all(whole.startswith(text) for text in report.texts[index])


def test_an_acrostic_stands_where_it_should(engine: VerseEngine) -> None:
    poem = written(engine.run([task(acrostic="春夏秋冬")])[0])[0]
    assert [line[0] for line in poem.lines] == list("春夏秋冬")
    part = written(engine.run([task(form="7lvshi", acrostic="月月")])[0])[0]
    assert [line[0] for line in part.lines[:2]] == ["月", "月"]
    assert all("月" not in line for line in part.lines[2:])
    # Unknown, rare and traditional characters stay as they were typed.
    rare = written(engine.run([task(acrostic="龘風𠀀")])[0])[0]
    assert [line[0] for line in rare.lines[:3]] == ["龘", "風", "𠀀"]
    assert all(len(line) == 5 for line in rare.lines)


def test_a_bad_acrostic_fails_alone(engine: VerseEngine) -> None:
    bad, good = engine.run([task(acrostic="spring"), task()])
    assert isinstance(bad.error, InvalidRequest)
    assert "“s”" in bad.error.visitor
    assert len(written(good)) == 1
    (unknown,) = engine.run([task(form="epic")])
    assert isinstance(unknown.error, InvalidRequest)
    assert "“epic”" in unknown.error.visitor


def test_unknown_words_are_told_and_ignored(engine: VerseEngine) -> None:
    report = Recorder()
    poem = written(engine.run([task(report=report, prompt="autumn blockchain 🦄")])[0])[0]
    assert report.notes == [("unknown_words", {"words": ["blockchain", "🦄"]})]
    assert (poem.details["theme"], poem.title) == ("秋", "咏秋")


@pytest.mark.timeout(20)
@pytest.mark.parametrize("prompt", ["", "秋" * 100_000, "🙂" * 1000, "x" * 100_000, "秋 moon луна 🌙\x00"])
def test_strange_themes_still_give_a_poem(engine: VerseEngine, prompt: str) -> None:
    poem = written(engine.run([task(prompt=prompt)])[0])[0]
    assert [len(line) for line in poem.lines] == [5] * 4
    assert len(poem.title) <= 16


@pytest.mark.parametrize("reason", [JobCanceled, JobReleased])
def test_a_stopped_task_ends_within_a_step_and_alone(engine: VerseEngine, reason: type[Exception]) -> None:
    def stop(step: int) -> None:
        if step == 8:
            raise reason

    report = Recorder(stop)
    stopped, going = engine.run([task(1, report=report, count=2), task(2)])
    assert isinstance(stopped.error, reason)
    assert not stopped.outputs
    assert report.steps[-1] == 8
    assert written(going) == written(engine.run([task(2)])[0])
    only = Recorder(stop)
    (alone,) = engine.run([task(1, report=only)])
    assert isinstance(alone.error, reason)
    assert only.steps[-1] == 8


def test_a_line_of_the_training_poems_is_not_repeated(models: Path) -> None:
    first = written(VerseEngine().run([task()])[0])[0]
    known = BloomFilter.of(first.lines[:1], 4096)
    save_toy(models, known_lines=bytes(known.data))
    other = written(VerseEngine().run([task()])[0])[0]
    assert other.lines[0] != first.lines[0]


def test_damaged_weights_are_refused(models: Path) -> None:
    file = models / "model.safetensors"
    data = bytearray(file.read_bytes())
    data[-100] ^= 1
    file.write_bytes(data)
    with pytest.raises(weights.WeightsCorrupt, match="sha256"):
        VerseEngine()


@pytest.mark.parametrize(
    "changes", [{"characters": "月秋"}, {"hidden": 99}, {"specials": None}, {"authors_named": ["李白"]}]
)
def test_a_card_that_does_not_fit_its_weights_is_refused(models: Path, changes: dict[str, Any]) -> None:
    save_toy(models, **changes)
    with pytest.raises(weights.WeightsCorrupt):
        VerseEngine()


def test_missing_weights_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARTSITE_MODELS_DIR", str(tmp_path))
    with pytest.raises(weights.WeightsMissing, match="poetess"):
        VerseEngine("poetess")


def test_the_network_steps_as_it_reads() -> None:
    torch.manual_seed(0)
    model = ChineseVerseLSTM(TOY).eval()
    ids = torch.randint(2, len(WORDS), (2, 6))
    condition = model.condition(ids[:, :3], torch.tensor([1, 0]), torch.tensor([1, 2]), torch.tensor([0, 0]))
    slots, codes = torch.arange(6).expand(2, 6), torch.randint(0, 25, (2, 6))
    whole, _ = model.features(LSTMInputs(ids, ids.flip(1), slots, codes, condition))
    state, steps = None, []
    for i in range(6):
        part = slice(i, i + 1)
        reading = LSTMInputs(ids[:, part], ids.flip(1)[:, part], slots[:, part], codes[:, part], condition)
        vectors, state = model.features(reading, state)
        steps.append(vectors)
    torch.testing.assert_close(torch.cat(steps, 1), whole, rtol=1e-4, atol=1e-5)
    # Padding says nothing: a theme is a set.
    padded = torch.cat([ids[:, :3].flip(1), torch.zeros(2, 2, dtype=torch.int64)], 1)
    again = model.condition(padded, torch.tensor([1, 0]), torch.tensor([1, 2]), torch.tensor([0, 0]))
    torch.testing.assert_close(again, condition)


def test_stored_weights_keep_their_keys() -> None:
    """Those of the shipped models, whatever the attributes are called."""
    for name, model in (
        ("verse", ChineseVerseLSTM(TOY)),
        ("verse-english", EnglishVerseLSTM(EnglishVerseLSTMConfig(vocabulary=20, head=5))),
    ):
        keys = model.state_dict().keys()
        assert {"weigh.weight", "weigh.bias", "remind.weight"} <= keys
        assert keys <= weights.load(name).tensors.keys()
        other = type(model)(model.config)  # type: ignore[arg-type]
        other.load_state_dict(model.state_dict())
        assert torch.equal(other.condition_skip.weight, model.condition_skip.weight)


def test_the_chunked_loss_is_cross_entropy() -> None:
    torch.manual_seed(0)
    vectors, table, bias = (torch.randn(*shape, requires_grad=True) for shape in ((700, 8), (50, 8), (50,)))
    target = torch.randint(0, 50, (700,))
    gradients = []
    for loss in (
        torch.nn.functional.cross_entropy(vectors @ table.T + bias, target),
        ChunkedCrossEntropy.apply(vectors, table, bias, target),
    ):
        gradients.append((loss.detach(), *torch.autograd.grad(loss * 3, (vectors, table, bias))))
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-4, atol=1e-6)


def test_patterns_and_rhymes_are_found_in_poems() -> None:
    form = prosody.FORM_BY_SLUG["5jueju"]
    tones, rhymes = (table.numpy() for table in tables())
    random = np.random.default_rng(0)
    for pattern in range(1, 5):
        rows = []
        for code in prosody.slot_codes(form, pattern):
            fits = [
                token
                for token in range(2, len(WORDS))
                if prosody.tone_fits(int(tones[token]), code) and (code != prosody.RHYME or rhymes[token, 1])
            ]
            rows.append(random.choice(fits, 20))
        tokens = np.stack(rows, 1).astype(np.int64)
        none = np.zeros(20, np.int64)
        corpus = poems.FormCorpus(form, tokens, np.zeros((20, 12), np.int64), none, none, none, none)
        poems.detect_patterns(corpus, tones)
        poems.detect_rhymes(corpus, rhymes.astype(bool))
        assert (corpus.pattern == pattern).all()
        assert (corpus.rhyme == 2).all()


@pytest.mark.parametrize("layers", [1, 2])
def test_short_steps_say_what_the_network_says(layers: int) -> None:
    torch.manual_seed(0)
    model = ChineseVerseLSTM(replace(TOY, layers=layers)).eval().requires_grad_(False)
    ids = torch.randint(2, len(WORDS), (3, 2, 5))  # three drafts of two rows
    above, codes = torch.randint(2, len(WORDS), (3, 5)), torch.randint(0, 25, (3, 5))
    ids[:, 1, :2] = ids[:, 0, :2]
    none = torch.zeros(3, dtype=torch.int64)
    condition = model.condition(ids[:, 0], none, none, none)
    reader = LSTMStepper(LSTMTables(model), condition, condition, 0.9)
    steps = []
    for i in range(5):
        # As long as the rows are the same, one is enough.
        last = ids[:, :, i] if i > 1 else ids[:, :1, i]
        steps.append(reader.step(last, above[:, i], i, codes[:, i]).expand(3, 2, -1))
    rows = [tensor.repeat_interleave(2, 0) for tensor in (above, codes, condition)]
    reading = LSTMInputs(ids.flatten(0, 1), rows[0], torch.arange(5).expand(6, 5), rows[1], rows[2])
    whole, _ = model.features(reading)
    torch.testing.assert_close(torch.stack(steps, 2).flatten(0, 1), whole, rtol=1e-4, atol=1e-5)
    # The third draft goes on alone, with its second row.
    reader.choose(torch.tensor([0, 0, 1]))
    reader.keep(torch.tensor([2]))
    more = ids[2:, 1, :1]
    again = torch.cat([reading.last[5:], more], 1), torch.cat([rows[0][5:], more], 1)
    long = LSTMInputs(
        *again, torch.arange(6)[None], torch.cat([rows[1][5:], codes[2:, :1]], 1), condition[2:]
    )
    stepped = reader.step(more, more[:, 0], 5, codes[2:, 0])
    torch.testing.assert_close(stepped[:, 0], model.features(long)[0][:, 5], rtol=1e-4, atol=1e-5)


def test_guidance_urges_what_the_theme_adds() -> None:
    torch.manual_seed(0)
    model = ChineseVerseLSTM(TOY).eval().requires_grad_(False)
    none, ids = torch.zeros(1, dtype=torch.int64), torch.tensor([[5, 6]])
    told, plain = (model.condition(theme, none, none, none) for theme in (ids, ids * 0))
    mild, urged = (
        LSTMStepper(LSTMTables(model), told, plain, much).step(ids[:, :1], none, 0, none)
        for much in (0.0, 2.0)
    )
    torch.testing.assert_close((urged - mild)[:, 0], 2 * model.condition_skip(told - plain))


@pytest.mark.parametrize("slug", [*FORMS, "quatrain", "limerick"])
def test_a_shipped_poem_is_the_same_alone_and_among_others(slug: str, shipped: VerseEngine) -> None:
    """With all that is told of it: the chances of what else might have stood there, too."""
    themes = ("秋夜思乡", "", "autumn moon", "送友人", "梅花", "边塞")
    tasks = [task(100 + i, form=slug, prompt=theme) for i, theme in enumerate(themes)]
    together = [written(result)[0] for result in shipped.run([*tasks, task(9, form=slug, count=6)])]
    alone = [written(shipped.run([one])[0])[0] for one in tasks[:3]]
    assert together[:3] == alone
    assert len({poem.lines for poem in together}) == len(together)


@pytest.fixture(scope="module")
def shipped() -> VerseEngine:
    return VerseEngine()
