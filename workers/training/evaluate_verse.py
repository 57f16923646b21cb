"""``python -m workers.training evaluate verse``: perplexity, rules, themes, speed, and forty poems.

Poems are written by the engine as it ships. Held-out poems are those whose first line hashes into
the validation split; neither the model, nor the tables, nor the trigram saw them.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from workers import weights
from workers.engines import prosody
from workers.engines.base import Poem, SilentReport, Task
from workers.engines.verse import VerseEngine
from workers.engines.verse_decoding import CANDIDATES
from workers.training import poems, trigram
from workers.training.verse import prepare, validate
from workers.training.verse_export import training_lines

THEMES = (
    "秋夜思乡", "江上望月", "送友人", "梅花", "autumn moon over the river", "山中隐士", "边塞", "春雨",
    "homesick in the snow", "古寺钟声", "荷塘夏日", "登高", "spring blossoms and butterflies", "大海",
    "悼亡", "饮酒", "竹", "farewell at the ferry", "渔父", "中秋", "雪夜读书", "宫怨", "柳", "怀古",
    "a lonely goose", "茶", "元日", "夕阳", "琴声", "dream of an old friend",
)  # fmt: skip
ACROSTICS = {6: "春夏秋冬", 17: "一帆风顺", 30: "明月清风"}
SHEET = 40

PROTOCOL = (
    "Perplexity per character of held-out poems (2 %, by hash of the first line): told title, scheme, "
    "rhyme and dynasty; told nothing but the form; an interpolated Kneser-Ney trigram on the same "
    "characters. {count} poems for each of {themes} themes and 4 forms at temperature 1, written by the "
    "engine and judged on the printed text with the tables of the weights. theme_association is the "
    "mean log ratio of a character's frequency in training poems that hold a theme character to its "
    "frequency in all, theme characters left out. Speed on {threads} CPU thread of a shared machine, "
    "{candidates} candidates a line."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the evaluation."""
    parser.add_argument("--data", type=Path, required=True, help="folder of the training data")
    parser.add_argument("--model", default="verse", help="name of the weights")
    parser.add_argument("--count", type=int, default=4, help="poems per theme and form")
    parser.add_argument("--threads", type=int, default=1)


def _task(prompt: str, form: str, seed: int, count: int = 1, acrostic: str = "") -> Task:
    parameters = {"prompt": prompt, "form": form, "acrostic": acrostic, "temperature": 1.0, "count": count}
    return Task(parameters, seed, SilentReport())


def _poems(engine: VerseEngine, tasks: Sequence[Task]) -> list[Poem]:
    found: list[Poem] = []
    for start in range(0, len(tasks), engine.batch_size):
        for result in engine.run(tasks[start : start + engine.batch_size]):
            if result.error is not None:
                raise result.error
            found += [output for output in result.outputs if isinstance(output, Poem)]
    return found


def _pattern(form: prosody.Form, name: str) -> int:
    return next(p for p in range(1, 5) if prosody.pattern_name(form, p) == name)


def rules(found: Sequence[Poem], words: Sequence[str], tables: poems.Tables) -> dict[str, float]:
    """Shares of poems (lines, slots) that keep each rule, measured on the printed text."""
    index = {word: i for i, word in enumerate(words)}
    names = {name: i for i, name in enumerate(tables.rhyme_names)}
    exact = rhymed = repeated = 0
    slots = right = 0
    for poem in found:
        form = prosody.FORM_BY_SLUG[poem.details["form"]]
        exact += len(poem.lines) == form.lines and all(len(line) == form.length for line in poem.lines)
        text = "".join(poem.lines)
        pattern = _pattern(form, poem.details["pattern"])
        ends = [index[text[slot]] for slot in prosody.rhyme_slots(form, pattern)]
        rhymed += bool(tables.rhymes[ends, names[poem.details["rhyme"]]].all())
        for character, code in zip(text, prosody.slot_codes(form, pattern), strict=True):
            if code != prosody.ANY:
                slots += 1
                right += prosody.tone_fits(int(tables.tones[index[character]]), code)
        once = [c for i, c in enumerate(text) if i == 0 or text[i - 1] != c]
        repeated += len(set(once)) < len(once)
    count = len(found)
    return {
        "form_exact": exact / count,
        "rhyme_kept": rhymed / count,
        "tone_slots_kept": right / max(slots, 1),
        "poems_that_repeat_a_character": repeated / count,
    }


def distinct(found: Sequence[Poem], size: int) -> float:
    """Different runs of ``size`` characters within lines, as a share of all."""
    grams = [line[i : i + size] for poem in found for line in poem.lines for i in range(len(line) - size + 1)]
    return len(set(grams)) / len(grams)


def theme_hits(found: Sequence[Poem]) -> float:
    """Share of poems in which at least one theme character stands."""
    return sum(any(c in "".join(p.lines) for c in p.details["theme"]) for p in found) / len(found)


def associations(engine: VerseEngine, corpora: Sequence[poems.FormCorpus], found: Sequence[Poem]) -> float:
    """How far a poem leans to its theme beyond naming it, in nats per character.

    The mean, over characters that are not of the theme, of the log of how often a character occurs in
    training poems that hold a theme character, over how often it occurs in all. 0 is no association.
    """
    size = len(engine.words)
    everywhere = sum(np.bincount(c.tokens.reshape(-1), minlength=size) for c in corpora) + 1.0
    with_theme: dict[str, Any] = {}
    total, count = 0.0, 0
    for poem in found:
        theme = poem.details["theme"]
        if theme not in with_theme:
            ids = [engine.index[c] for c in theme]
            near = np.ones(size)
            for corpus in corpora:
                rows = np.isin(corpus.tokens, ids).any(1)
                near += np.bincount(corpus.tokens[rows].reshape(-1), minlength=size)
            with_theme[theme] = np.log(near / near.sum()) - np.log(everywhere / np.sum(everywhere))
        values = [with_theme[theme][engine.index[c]] for c in "".join(poem.lines) if c not in theme]
        total, count = total + float(sum(values)), count + len(values)
    return total / count


def speed(engine: VerseEngine) -> dict[str, float]:
    """Poems (7jueju) a second, one by one and eight tasks at once, and the time to the first line."""
    tasks = [_task(theme, "7jueju", 1000 + i) for i, theme in enumerate(THEMES[:8])]
    engine.run(tasks[:1])
    started = time.perf_counter()
    for task in tasks:
        engine.run([task])
    single = len(tasks) / (time.perf_counter() - started)
    started = time.perf_counter()
    engine.run(tasks)
    batched = len(tasks) / (time.perf_counter() - started)
    first: list[float] = []

    class Watch(SilentReport):
        def text(self, text: str, index: int = 0) -> None:
            first.append(time.perf_counter())

    started = time.perf_counter()
    engine.run([Task(tasks[0].parameters, 5, Watch())])
    return {
        "poems_per_second_single": single,
        "poems_per_second_batch_of_8": batched,
        "first_characters_s": first[0] - started,
    }


def sheet_tasks() -> Iterator[tuple[int, Task]]:
    """The forty poems of the sheet: themes in turn, forms in turn, the number is the seed."""
    for number in range(1, SHEET + 1):
        theme = THEMES[(number - 1) % len(THEMES)]
        form = prosody.FORMS[(number - 1 + (number - 1) // 4) % 4].slug
        yield number, _task(theme, form, number, acrostic=ACROSTICS.get(number, ""))


def sheet(engine: VerseEngine) -> str:
    """Forty poems as Markdown, unpicked."""
    parts = [
        "# Forty poems, unpicked",
        "",
        f"By `{engine.model_name}` ({engine.model_digest[:12]}) at temperature 1; the number is the seed.",
        "",
    ]
    for number, task in sheet_tasks():
        (poem,) = _poems(engine, [task])
        facts = poem.details
        asked = f"“{task.parameters['prompt']}”"
        if facts["acrostic"]:
            asked += f", acrostic {facts['acrostic']}"
        head = f"## {number}. {poem.title}"
        about = (
            f"{facts['form_name']} ({facts['form']}), {facts['pattern']}, {facts['rhyme']}; asked for {asked}"
        )
        couplets = [
            f"{first}，{second}。  " for first, second in zip(poem.lines[::2], poem.lines[1::2], strict=True)
        ]
        parts += [head, "", about, "", *couplets, ""]
    return "\n".join(parts)


def main(arguments: argparse.Namespace) -> None:
    """Measure, write ``quality`` into the card and ``poems.md`` beside it."""
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    engine = VerseEngine(arguments.model)
    folder = weights.find(arguments.model)
    card = weights.load_card(folder)
    words, tables, training, held_out = prepare(arguments.data, len(card["config"]["characters"]))
    if words != engine.words:
        raise SystemExit("the weights were trained on other poems: their vocabulary is not that of --data")
    checks = poems.Batches(held_out, len(words), seed=1)
    told = validate(engine.model, checks, engine.device)
    plain = [
        poems.FormCorpus(c.form, c.tokens, c.titles * 0, c.dynasty * 0, c.pattern * 0, c.rhyme * 0)
        for c in held_out
    ]
    untold = validate(engine.model, poems.Batches(plain, len(words), seed=1), engine.device)
    baseline = trigram.nats(training, held_out, len(words))
    print("nats", told, untold, baseline, flush=True)
    found = []
    for form in prosody.FORMS:
        found += _poems(engine, [_task(t, form.slug, 100 + i, arguments.count) for i, t in enumerate(THEMES)])
    lines = training_lines(words, training)
    copied = sum(line in lines for poem in found for line in poem.lines) / sum(len(p.lines) for p in found)
    figures: dict[str, float] = {
        "perplexity": math.exp(told),
        "perplexity_told_nothing": math.exp(untold),
        "perplexity_trigram": math.exp(baseline),
        "held_out_poems": sum(len(c.tokens) for c in held_out),
        "poems_written": len(found),
        **rules(found, words, tables),
        "lines_copied_from_training": copied,
        "distinct_2": distinct(found, 2),
        "theme_character_present": theme_hits(found),
        "theme_association_nats": associations(engine, training, found),
        **speed(engine),
    }
    protocol = PROTOCOL.format(
        count=arguments.count, themes=len(THEMES), threads=arguments.threads, candidates=CANDIDATES
    )
    quality = {name: round(value, 4) for name, value in figures.items()} | {"protocol": protocol}
    weights.write_card(folder, {**card, "quality": quality})
    (folder / "poems.md").write_text(sheet(engine), "utf-8")
    for name, value in quality.items():
        print(name, value)
