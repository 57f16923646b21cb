"""From a corpus to a poem: the training command, its export and its evaluation on a made-up corpus."""

from __future__ import annotations

import json
import lzma
import math
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.engine.parameters import complete
from workers import weights
from workers.engines.base import SilentReport, Task
from workers.engines.poetry.chinese import prosody
from workers.engines.verse import VerseEngine
from workers.nets.chinese_verse_lstm import ChineseVerseLSTM, ChineseVerseLSTMConfig
from workers.training.__main__ import main
from workers.training.chinese_verse import evaluate, train
from workers.training.verse_common import author_attribution

LEVEL = [[chr(0x5000 + 50 * rhyme + i) for i in range(50)] for rhyme in range(2)]
OBLIQUE = [chr(0x6000 + i) for i in range(120)]


def poem(form: prosody.Form, pattern: int, chance: random.Random) -> list[str]:
    rhyme = chance.choice(LEVEL)
    left = {prosody.LEVEL: LEVEL[0] + LEVEL[1], prosody.OBLIQUE: OBLIQUE, prosody.RHYME: rhyme}
    left[prosody.ANY] = LEVEL[0] + LEVEL[1] + OBLIQUE
    text = "".join(chance.choice(left[code]) for code in prosody.slot_codes(form, pattern))
    return [text[i : i + form.length] for i in range(0, form.slots, form.length)]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    chance = random.Random(1)
    rows = []
    for number in range(600):
        form = prosody.FORMS[number % 4]
        lines = poem(form, 1 + number // 4 % 4, chance)
        row = {
            "title": f"{lines[0][0]}其一",
            "author": ("李白", "x")[number % 2],
            "dynasty": "tang",
            "form": form.slug,
            "lines": lines,
        }
        rows.append(json.dumps(row, ensure_ascii=False))
    folder = tmp_path / "data" / "text"
    folder.mkdir(parents=True)
    with lzma.open(folder / "chinese_regulated_verse.jsonl.xz", "wt", encoding="utf-8") as file:
        file.write("\n".join(rows))
    book = {"上平声部": {"一东": LEVEL[0], "二冬": LEVEL[1]}, "去声部": {"一送": OBLIQUE}}
    (folder / "pingshui_rhyme.json").write_text(json.dumps(book), "utf-8")
    return tmp_path / "data"


@pytest.fixture(autouse=True)
def restore() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.set_flush_denormal(False)


def test_a_corpus_becomes_an_engine(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARTSITE_DEVICE", "cpu")
    monkeypatch.setenv("ARTSITE_MODELS_DIR", str(tmp_path))
    sizes = ["--embed", "16", "--hidden", "16", "--vocabulary", "230", "--batch", "16", "--minutes", "5"]
    run = ["verse", "--data", str(data), "--out", str(tmp_path / "run"), *sizes]
    main([*run, "--steps", "20"])
    first = json.loads((tmp_path / "run" / "log.jsonl").read_text().splitlines()[-1])
    main([*run, "--steps", "40"])  # goes on where the first part stopped
    last = json.loads((tmp_path / "run" / "log.jsonl").read_text().splitlines()[-1])
    assert (first["step"], last["step"]) == (20, 40)
    assert last["validation"] < first["validation"]

    main([*run, "--export", str(tmp_path / "verse")])
    card = weights.load_card(tmp_path / "verse")
    assert card["steps"] == last["step"]
    assert card["config"]["rhymes_named"] == ["一东", "二冬"]
    engine = VerseEngine()
    tones = weights.load("verse").tensors["tones"].tolist()
    kinds = {word: tones[i] for i, word in enumerate(engine.chinese.words)}
    assert {kinds[c] for c in OBLIQUE if c in kinds} == {prosody.TONE_OBLIQUE}
    assert {kinds[c] for c in LEVEL[0] + LEVEL[1] if c in kinds} == {prosody.TONE_LEVEL}
    parameters = complete("verse", prompt=LEVEL[0][0], form="7lvshi")
    (result,) = engine.run([Task(parameters, 1, SilentReport())])
    assert result.error is None
    assert len(result.outputs) == 1

    # Other weights may begin with these.
    start = ["verse", "--data", str(data), "--out", str(tmp_path / "next"), *sizes, "--start", "verse"]
    main([*start, "--steps", "1"])
    begun = json.loads((tmp_path / "next" / "log.jsonl").read_text().splitlines()[-1])
    assert begun["validation"] < first["validation"]
    main([*start, "--export", str(tmp_path / "verse")])
    training = weights.load_card(tmp_path / "verse")["training"]
    assert training["began_with"]["sha256"] == card["sha256"]
    fewer = [size.replace("230", "100").replace("next", "other") for size in start]
    with pytest.raises(SystemExit, match="another vocabulary"):
        main(fewer)


def test_a_poet_whose_manner_was_learned_is_attributed() -> None:
    nats = np.array([[2.0, 1.0, 3.0], [2.0, 1.0, 1.5], [2.0, 4.0, 3.0], [2.0, 2.0, 1.0]])
    figures = author_attribution.figures(nats, [1, 2, 2, 2])
    assert (figures["poet_poems"], figures["poet_found"], figures["poet_found_by_chance"]) == (4, 0.75, 0.5)
    assert figures["poet_saves"] == pytest.approx(1 - math.exp((1.0 + 1.5 + 3.0 + 1.0) / 4 - 2.0))
    assert author_attribution.figures(np.zeros((0, 3)), []) == {"poet_poems": 0}


def test_held_out_poems_are_read_in_every_manner(data: Path) -> None:
    words, _tables, _training, held_out = train.load_corpora(data, 230)
    torch.manual_seed(1)
    model = ChineseVerseLSTM(ChineseVerseLSTMConfig(len(words), 8, 8, authors=3)).eval()
    for corpus in held_out:
        corpus.author[:] = 1 + np.arange(len(corpus.author)) % 2
    with torch.no_grad():
        model.author.weight.zero_()
    figures = evaluate.author_figures(model, held_out, len(words), most=6)
    # Nobody's manner differs from another's yet.
    assert figures["poet_poems"] == 6
    assert figures["poet_saves"] == pytest.approx(0.0, abs=1e-6)
