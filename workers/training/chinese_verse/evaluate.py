"""``python -m workers.training evaluate verse``: perplexity, rules, themes, speed, and forty poems.

Poems are written by the engine as it ships, and checked by tables and rules of their own. Held-out poems
are those whose first line hashes into the validation split; neither the model, nor the tables, nor the
trigram saw them.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from workers import weights
from workers.engines.base import Poem, SilentReport, Task
from workers.engines.poetry.chinese import prosody
from workers.engines.poetry.chinese.decoding import CANDIDATES
from workers.engines.verse import VerseEngine
from workers.nets.chinese_verse_lstm import ChineseVerseLSTM
from workers.training.chinese_verse import corpus as poems
from workers.training.chinese_verse.export import training_lines
from workers.training.chinese_verse.rule_checker import RuleChecker, shares
from workers.training.chinese_verse.theme_retrieval import THEMES as FIFTY
from workers.training.chinese_verse.theme_retrieval import Retrieval
from workers.training.chinese_verse.train import load_corpora, reading, validate
from workers.training.common.setup import data_argument
from workers.training.verse_common import trigram
from workers.training.verse_common.author_attribution import POEMS_PER_BATCH, Nats, attribution, mean_nats

THEMES = (
    "秋夜思乡", "江上望月", "送友人", "梅花", "autumn moon over the river", "山中隐士", "边塞", "春雨",
    "homesick in the snow", "古寺钟声", "荷塘夏日", "登高", "spring blossoms and butterflies", "大海",
    "悼亡", "饮酒", "竹", "farewell at the ferry", "渔父", "中秋", "雪夜读书", "宫怨", "柳", "怀古",
    "a lonely goose", "茶", "元日", "夕阳", "琴声", "dream of an old friend",
)  # fmt: skip
ACROSTICS = {6: "春夏秋冬", 17: "一帆风顺", 30: "明月清风"}
SHEET = 40
"""Poems in ``poems.md``."""

TANG = 125
"""Tang poems of each form that the checker itself is measured on."""
COUPLETS = 25
"""Held-out lines of each length that are answered."""
POETS = 400
"""Held-out poems by poets that the model is conditioned on, for author attribution."""
AT_ONCE = 100
"""Poems that are asked for at once."""

PROTOCOL = (
    "Perplexity per character of held-out poems (2 %, by hash of the first line): conditioned on title, "
    "scheme, rhyme, dynasty and poet; on nothing but the form; an interpolated Kneser-Ney trigram on the "
    "same characters. poet_found: held-out poems that are likeliest in their own poet's manner. {count} "
    "poems for each of {themes} themes and 4 forms at temperature 1, seeds from {seed} on, written by the "
    "engine. form, tones, rhyme: by workers.training.chinese_verse.rule_checker, whose tables are the "
    "rhyme book and the list of tones, not those of the weights, and whose rules are derived, not the "
    "four schemes; rhymes_all_listed: poems none of whose rhymes the book lacks, for those are not "
    "checked; tang_*: of {tang} poems of the Tang. theme_found: from the poem alone TF-IDF over training "
    "poems with the theme in their title names the right one of {themes}; theme_found_held_out: the same "
    "of real poems with such titles. distinct_2 beside that of as many training poems of the same forms. "
    "parallel: how much nearer, in cosine of embeddings, characters are that face each other in the "
    "middle couplets than neighbours of those. theme_association is the mean log ratio of a character's "
    "frequency in training poems that hold a theme character to its frequency in all, theme characters "
    "left out. Speed on {threads} CPU thread of a shared machine, {candidates} candidates a line."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the evaluation."""
    data_argument(parser)
    parser.add_argument("--model", default="verse", help="name of the weights")
    parser.add_argument("--count", type=int, default=5, help="poems per theme and form")
    parser.add_argument("--seed", type=int, default=9000, help="of the first poem")
    parser.add_argument("--threads", type=int, default=1)


def _task(prompt: str, form: str, seed: int, count: int = 1, opening: str = "", acrostic: str = "") -> Task:
    parameters = {
        "prompt": prompt,
        "form": form,
        "opening": opening,
        "count": count,
        "acrostic": acrostic,
        "english_poet": "any",
        "poet": "any",
        "dynasty": "tang",
        "rhyme_book": "pingshui",
        "rhyme": "any",
        "temperature": 1.0,
    }
    return Task(parameters, seed, SilentReport())


def _poems(engine: VerseEngine, tasks: Sequence[Task]) -> list[Poem]:
    found: list[Poem] = []
    for start in range(0, len(tasks), engine.batch_size):
        for result in engine.run(tasks[start : start + engine.batch_size]):
            if result.error is not None:
                raise result.error
            found += [output for output in result.outputs if isinstance(output, Poem)]
    return found


def tang(checker: RuleChecker, texts: Sequence[poems.PoemText]) -> dict[str, float]:
    """Which rules poems of the Tang keep: not all masters keep them, nor do all editors."""
    chance = random.Random(1)
    reports = []
    for form in prosody.FORMS:
        own = [text for text in texts if text.form == form.slug and text.dynasty == "tang"]
        reports += [checker.check(text.lines) for text in chance.sample(own, min(TANG, len(own)))]
    regular = sum(report.regular for report in reports) / max(len(reports), 1)
    return {"tang_poems": len(reports), "tang_regular": regular, **shares(reports, "tang_")}


def couplets(engine: VerseEngine, checker: RuleChecker, texts: Sequence[poems.PoemText]) -> dict[str, float]:
    """How many held-out lines are answered in opposite tones. Only lines that can be an upper line."""
    right = total = 0
    for length in prosody.COUPLETS:
        own = (text.lines for text in texts if text.held_out and len(text.lines[0]) == length)
        lines = [found[2] for found in own if len(found) == 8 and checker.couplet(found[2], found[3])]
        for number, line in enumerate(lines[:COUPLETS]):
            (poem,) = _poems(engine, [_task("", "couplet", number, opening=line)])
            right += checker.couplet(*poem.lines)
            total += 1
    return {"couplets_answered": total, "couplets_right": right / max(total, 1)}


def parallelism(engine: VerseEngine, found: Sequence[Sequence[str]]) -> float:
    """How much nearer characters are that face each other in a parallel couplet than those that do not.

    The difference of mean cosines of the network's own embeddings: same place of both lines, less one
    place further. 0 when couplets are parallel in nothing but tone. ``found``: poems of eight lines.
    """
    table = torch.nn.functional.normalize(engine.chinese.model.character.weight.float().cpu(), dim=1)
    facing: list[float] = []
    for lines in found:
        for below in prosody.PARALLEL_BELOW[8]:
            ids = [
                [engine.chinese.index.get(c, -1) for c in line] for line in (lines[below - 1], lines[below])
            ]
            if min(ids[0] + ids[1]) >= 0:
                cosines = table[ids[0]] @ table[ids[1]].T
                facing.append(float(cosines.diagonal().mean() - cosines.roll(1, 1).diagonal().mean()))
    return sum(facing) / max(len(facing), 1)


def found_themes(retrieval: Retrieval, found: Sequence[Poem], asked: Sequence[str]) -> float:
    """Share of poems from which alone the theme that was asked for is found."""
    return sum(retrieval.find(p.lines) == theme for p, theme in zip(found, asked, strict=True)) / len(found)


def _real_themes(retrieval: Retrieval, texts: Sequence[poems.PoemText]) -> float:
    """The same of held-out poems that carry a theme in their title."""
    known = [
        (text.lines, theme)
        for theme in FIFTY
        for text in [one for one in texts if one.held_out and theme in one.title][:10]
    ]
    return sum(retrieval.find(lines) == theme for lines, theme in known) / max(len(known), 1)


def _beside(texts: Sequence[poems.PoemText], found: Sequence[Poem]) -> list[Poem]:
    """As many training poems of each form as were written."""
    chance = random.Random(2)
    chosen: list[Poem] = []
    for form in prosody.FORMS:
        own = [Poem(text.lines) for text in texts if text.form == form.slug and not text.held_out]
        count = sum(poem.details["form"] == form.slug for poem in found)
        chosen += chance.sample(own, min(count, len(own)))
    return chosen


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
    size = len(engine.chinese.words)
    everywhere = sum(np.bincount(c.tokens.reshape(-1), minlength=size) for c in corpora) + 1.0
    with_theme: dict[str, Any] = {}
    total, count = 0.0, 0
    for poem in found:
        theme = poem.details["theme"]
        if theme not in with_theme:
            ids = [engine.chinese.index[c] for c in theme]
            near = np.ones(size)
            for corpus in corpora:
                rows = np.isin(corpus.tokens, ids).any(1)
                near += np.bincount(corpus.tokens[rows].reshape(-1), minlength=size)
            with_theme[theme] = np.log(near / near.sum()) - np.log(everywhere / np.sum(everywhere))
        values = [with_theme[theme][engine.chinese.index[c]] for c in "".join(poem.lines) if c not in theme]
        total, count = total + float(sum(values)), count + len(values)
    return total / count


def author_figures(
    model: ChineseVerseLSTM, corpora: Sequence[poems.FormCorpus], words: int, most: int
) -> dict[str, float]:
    """Author attribution of at most ``most`` poems by poets that the model is conditioned on."""
    batches, device = poems.Batches(corpora, words, seed=1), model.bias.device
    chosen = [(n, row) for n, c in enumerate(corpora) for row in np.flatnonzero(c.author)]
    chosen = sorted(chosen, key=lambda one: (int(one[1]) * 2654435761 + one[0]) % 2**32)[:most]

    def drawn() -> Iterator[poems.Batch]:
        for number in range(len(corpora)):
            rows = np.array([row for n, row in chosen if n == number], np.int64)
            for start in range(0, len(rows), POEMS_PER_BATCH):
                yield batches.draw(number, rows[start : start + POEMS_PER_BATCH], exact=True)

    def cost(batch: poems.Batch, author: int) -> Nats:
        inputs, target = reading(model, replace(batch, author=np.full_like(batch.author, author)), device)
        vectors, _state = model.features(inputs)
        return mean_nats(model.logits(vectors), target, torch.ones_like(target))

    return attribution(drawn(), model.config.authors, cost)


def _line_blocks(corpora: Sequence[poems.FormCorpus]) -> list[poems.Ids]:
    """The lines of each form, (N, length) token ids."""
    return [corpus.tokens.reshape(-1, corpus.form.length) for corpus in corpora]


def speed(engine: VerseEngine) -> dict[str, float]:
    """Poems (7jueju) a second, one by one and a hundred at once, and the time to the first line."""
    tasks = [_task(theme, "7jueju", 1000 + i) for i, theme in enumerate(THEMES[:8])]
    engine.run(tasks[:1])
    started = time.perf_counter()
    for task in tasks:
        engine.run([task])
    single = len(tasks) / (time.perf_counter() - started)
    many = [_task(THEMES[i % len(THEMES)], "7jueju", 2000 + i) for i in range(AT_ONCE)]
    started = time.perf_counter()
    written = len(_poems(engine, many))
    batched = written / (time.perf_counter() - started)
    first: list[float] = []

    class Watch(SilentReport):
        def text(self, text: str, index: int = 0) -> None:
            first.append(time.perf_counter())

    started = time.perf_counter()
    engine.run([Task(tasks[0].parameters, 5, Watch())])
    return {
        "poems_per_second_single": single,
        "poems_per_second_hundred": batched,
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
    words, _tables, training, held_out = load_corpora(arguments.data, len(card["config"]["characters"]))
    if words != engine.chinese.words:
        raise SystemExit("the weights were trained on other poems: their vocabulary is not that of --data")
    checks = poems.Batches(held_out, len(words), seed=1)
    conditioned = validate(engine.chinese.model, checks, engine.device)
    plain = [
        poems.FormCorpus(
            c.form, c.tokens, c.titles * 0, c.dynasty * 0, c.pattern * 0, c.rhyme * 0, c.author * 0
        )
        for c in held_out
    ]
    unconditioned = validate(engine.chinese.model, poems.Batches(plain, len(words), seed=1), engine.device)
    baseline = trigram.nats(_line_blocks(training), _line_blocks(held_out), len(words))
    print("nats", conditioned, unconditioned, baseline, flush=True)
    texts = poems.read(arguments.data)
    checker, retrieval = RuleChecker.load(arguments.data), Retrieval(texts)
    found: list[Poem] = []
    asked: list[str] = []
    for form in prosody.FORMS:
        found += _poems(
            engine, [_task(t, form.slug, arguments.seed + i, arguments.count) for i, t in enumerate(FIFTY)]
        )
        asked += [theme for theme in FIFTY for _poem in range(arguments.count)]
        print(form.slug, shares(checker.check(poem.lines) for poem in found), flush=True)
    lines = training_lines(words, training)
    copied = sum(line in lines for poem in found for line in poem.lines) / sum(len(p.lines) for p in found)
    figures: dict[str, float] = {
        "perplexity": math.exp(conditioned),
        "perplexity_told_nothing": math.exp(unconditioned),
        "perplexity_trigram": math.exp(baseline),
        **author_figures(engine.chinese.model, held_out, len(words), POETS),
        "held_out_poems": sum(len(c.tokens) for c in held_out),
        "poems_written": len(found),
        **shares(checker.check(poem.lines) for poem in found),
        **tang(checker, texts),
        **couplets(engine, checker, texts),
        "lines_copied_from_training": copied,
        "distinct_2": distinct(found, 2),
        "distinct_2_corpus": distinct(_beside(texts, found), 2),
        "parallel": parallelism(engine, [p.lines for p in found if len(p.lines) == 8]),
        "parallel_held_out": parallelism(
            engine, [text.lines for text in texts if text.held_out and len(text.lines) == 8]
        ),
        "theme_found": found_themes(retrieval, found, asked),
        "theme_found_held_out": _real_themes(retrieval, texts),
        "theme_character_present": theme_hits(found),
        "theme_association_nats": associations(engine, training, found),
        **speed(engine),
    }
    protocol = PROTOCOL.format(
        count=arguments.count,
        themes=len(FIFTY),
        seed=arguments.seed,
        tang=int(figures["tang_poems"]),
        threads=arguments.threads,
        candidates=CANDIDATES,
    )
    quality = {name: round(value, 4) for name, value in figures.items()} | {"protocol": protocol}
    weights.write_card(folder, {**card, "quality": quality})
    (folder / "poems.md").write_text(sheet(engine), "utf-8")
    for name, value in quality.items():
        print(name, value)
