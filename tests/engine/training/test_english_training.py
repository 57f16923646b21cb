"""From English poems to weights that write: the corpus, a few steps, the export."""

from __future__ import annotations

import argparse
import json
import lzma
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from workers.engines.poetry.english.model import EnglishVerseModel
from workers.nets.english_verse_lstm import START, UNKNOWN, EnglishVerseLSTM, EnglishVerseLSTMConfig
from workers.training.english_verse import corpus, rule_checker, train
from workers.training.english_verse import evaluate as evaluate_english
from workers.training.english_verse.evaluate import trigram_nats
from workers.training.english_verse.pronunciation import dictionary

RHYMES = ["day", "way", "say", "night", "light", "sight", "tree", "sea", "free", "more", "shore", "door"]


def poem(number: int) -> dict[str, str]:
    ends = RHYMES[number % 9 : number % 9 + 4]
    text = "\n".join(f"I saw the {'old' if number % 2 else 'golden'} river, and the {end};" for end in ends)
    return {
        "author": f"Poet {number % 3}",
        "title": f"The River {number}",
        "text": f"{text}\n\nO'er all, {number}",
    }


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "text").mkdir()
    dialect = {"author": "X", "title": "T", "text": "Wha thinkst frae gang awa\nAn maun nae gie thy siller\n"}
    with lzma.open(tmp_path / "text" / "english_poems.jsonl.xz", "wt", encoding="utf-8") as file:
        for row in [*(poem(i) for i in range(60)), dialect]:
            file.write(json.dumps(row) + "\n")
    return tmp_path


def test_lines_are_tokens_in_one_spelling() -> None:
    assert corpus.tokens("“To-day -- ’tis lov’d,—”") == ("today", ",", "'tis", "loved", ",")
    assert corpus.tokens("…!, Rosy-mouthed?!") == ("rosy", "mouthed", "?")


def test_chunks_hold_each_line_from_its_end(data: Path) -> None:
    poems = corpus.read(data)
    assert not any(p.author == "X" for p in poems)  # dialect
    words = corpus.vocabulary(poems, 100)
    chunk = corpus.encode(poems[:1], words, ["Poet 0"])[0]
    firsts = np.flatnonzero(chunk.fresh)
    line = [words[token] for token in chunk.target[firsts[0] : firsts[1]]]
    assert line == [";", "day", "the", "and", ",", "river", "golden", "the", "saw", "i"]
    assert chunk.left[: firsts[1]].tolist() == [10, 10, 9, 8, 7, 7, 5, 3, 2, 1]
    assert chunk.before[0] == START
    assert words[chunk.before[firsts[1]]] == "day"
    assert chunk.stage[firsts].tolist() == [4, 3, 2, 1]


def test_the_softmax_of_two_levels_is_a_distribution_and_the_loss_its_logarithm(data: Path) -> None:
    words, names, training, _ = train.load_corpora(data, 100)
    torch.manual_seed(0)
    model = EnglishVerseLSTM(
        EnglishVerseLSTMConfig(len(words), 12, embed=8, hidden=8, authors=1 + len(names))
    )
    batch = corpus.Batches(training, words, seed=1).draw([0, 1, 2], conditioned=True)
    inputs, target = train.reading(model, batch, torch.device("cpu"))
    chances = model.log_chances(model.features(inputs)[0])
    assert torch.allclose(chances.exp().sum(-1), torch.ones(target.shape), atol=1e-5)
    counted = target != UNKNOWN
    expected = -chances.gather(2, target[..., None])[..., 0][counted].mean()
    loss, count = train.loss_of(model, batch, torch.device("cpu"))
    assert count == int(counted.sum())
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def options(data: Path, out: Path, *more: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    small = ["--embed", "8", "--hidden", "8", "--head", "20", "--vocabulary", "60", "--batch", "200"]
    return parser.parse_args(["--data", str(data), "--out", str(out), "--minutes", "1", *small, *more])


def test_a_run_learns_goes_on_and_writes(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "run"
    train.main(options(data, out, "--steps", "3"))
    train.main(options(data, out, "--steps", "8"))
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    ends = [line for line in lines if "unconditioned" in line]
    assert [line["step"] for line in ends] == [3, 8]
    assert ends[1]["validation"] < ends[0]["validation"] < math.log(100)
    with pytest.raises(SystemExit, match="another vocabulary"):
        train.main(options(data, out, "--steps", "9", "--vocabulary", "5", "--head", "3"))
    train.main(options(data, out, "--export", str(tmp_path / "verse-english")))
    monkeypatch.setenv("ARTSITE_MODELS_DIR", str(tmp_path))
    writer = EnglishVerseModel(torch.device("cpu"))
    evaluate(tmp_path, data)
    draft = writer.draft("haiku", torch.Generator().manual_seed(1), author="Poet 1", temperature=1.0)
    assert max(writer.write([draft])) == sum(draft.form.syllables)
    assert rule_checker.check(writer.lines(draft), "haiku").right


def evaluate(models: Path, data: Path) -> None:
    """The figures and poems that come into the card of a model that knows forty words."""
    parser = argparse.ArgumentParser()
    evaluate_english.add_arguments(parser)
    small = ["--themes", "2", "--count", "1", "--sheet", "3", "--forms", "haiku"]
    evaluate_english.main(parser.parse_args(["--data", str(data), *small]))
    card = json.loads((models / "verse-english" / "card.json").read_text())
    quality = card["quality"]
    assert quality["poems"] == 2
    assert quality["syllables_right"] == quality["line_count_right"] == 1.0
    assert 1 < quality["perplexity_trigram"] < 100
    assert 0 <= quality["retrieval"] <= 1
    assert quality["poet_poems"] > 0
    sheet = (models / "verse-english" / "poems.md").read_text("utf-8")
    assert card["sha256"][:12] in sheet
    assert sheet.count("Haiku (haiku)") == 3


def test_the_trigram_is_asked_for_known_words_alone(data: Path) -> None:
    words, _, training, held_out = train.load_corpora(data, 12)
    nats = trigram_nats(training, held_out or training, len(words))
    assert 0 < nats < math.log(len(words))


def test_short_forms_of_poets_are_in_the_dictionary() -> None:
    known = dictionary()
    assert [known[word][0].syllables for word in ("o'er", "heaven", "beauteous", "th'")] == [1, 2, 3, 0]
    assert known["o'er"][0].rhyme == known["shore"][0].rhyme
