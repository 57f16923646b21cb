"""Every page: sane HTML, nothing inline, named fields, two languages, nothing escaped twice or not at all."""

from __future__ import annotations

import ast
import gettext
import re
from html import unescape
from pathlib import Path

import pytest
from django.test import RequestFactory
from django.utils.translation import override
from django.utils.translation.template import templatize
from django.views.defaults import server_error

from gallery.kinds import KINDS
from gallery.models import JobState
from gallery.presentation import shapes
from tests.web import factories
from tests.web.site_pages import PAGES, Page, World, address, client_of, make_world

pytestmark = pytest.mark.django_db
LOCALE = Path("gallery/locale/zh_Hans/LC_MESSAGES")
QUOTED = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
HAN = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture
def world() -> World:
    return make_world()


def who(world: World, allowed: str) -> object:
    return {"anybody": None, "person": world.owner}.get(allowed) or getattr(world, allowed, None)


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_sane_in_both_languages(world: World, name: str, language: str) -> None:
    target, allowed = PAGES[name]
    response = client_of(who(world, allowed), language).get(address(world, target))  # type: ignore[arg-type]
    assert response.status_code == 200
    page = Page(response.content.decode())
    assert page.problems == []
    assert page.language == ("zh-Hans" if language == "zh-hans" else "en")
    if language == "zh-hans":
        assert HAN.search(page.text)
    assert "script-src 'self'" in response["Content-Security-Policy"]
    assert "unsafe" not in response["Content-Security-Policy"]


def test_what_people_wrote_is_text_and_nothing_else(world: World) -> None:
    content = client_of(None).get(address(world, "artwork listed")).content.decode()
    assert "<script>alert" not in content
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; {{7*7}}" in content
    assert "<script>alert(1)</script> & {{7*7}}" in unescape(content)


@pytest.mark.parametrize("state", JobState.values)
@pytest.mark.parametrize("kind", KINDS)
def test_a_job_page_is_sane_in_every_state(world: World, kind: str, state: str) -> None:
    job = factories.make_job(
        world.owner, kind, state, phase="loading", notes=[{"code": "unknown_words", "words": ["brr"]}]
    )
    content = client_of(world.owner).get(address(world, f"job {job.pk}")).content.decode()
    page = Page(content)
    assert page.problems == []
    assert "brr" in page.text
    assert f'data-state="{state}"' in content


@pytest.mark.parametrize(
    ("path", "status"), [("/nothing/", 404), ("/works/00000000-0000-4000-8000-000000000000/", 404)]
)
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_a_missing_page_speaks_the_visitors_language(path: str, status: int, language: str) -> None:
    response = client_of(None, language).get(path)
    assert response.status_code == status
    page = Page(response.content.decode())
    assert page.problems == []
    assert bool(HAN.search(page.text.replace("中文", ""))) == (language == "zh-hans")


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_500_page_needs_neither_database_nor_person(language: str) -> None:
    with override(language):
        broken = server_error(RequestFactory().get("/"))
    assert broken.status_code == 500
    page = Page(broken.content.decode())
    assert page.problems == []
    assert bool(HAN.search(page.text)) == (language == "zh-hans")


def test_a_request_for_another_host_is_a_page_of_ours() -> None:
    response = client_of(None).get("/", headers={"host": "evil.example"})
    assert response.status_code == 400
    assert Page(response.content.decode()).problems == []
    assert "evil.example" not in response.content.decode()


def test_every_shape_has_its_class() -> None:
    css = Path("gallery/static/gallery/css/ratios.css").read_text("utf-8")
    known = set(re.findall(r"\.(r\d+)\{", css))
    for width, height in ((1, 4), (1, 100), (100, 1), (4, 1), (3, 2), (512, 341), (0, 0)):
        assert shapes.size_ratio(width, height) in known
    assert {shapes.poem_ratio(4), shapes.poem_ratio(8)} <= known


def test_every_sentence_is_written_in_chinese_too() -> None:
    with (LOCALE / "django.mo").open("rb") as file:
        chinese = gettext.GNUTranslations(file)
    known = {key[0] if isinstance(key, tuple) else key for key in chinese._catalog}  # type: ignore[attr-defined]
    known |= {key.partition("\x04")[2] for key in known if "\x04" in key}
    assert sorted(_sentences() - known) == []


def test_the_compiled_translation_is_that_of_the_source() -> None:
    with (LOCALE / "django.mo").open("rb") as file:
        chinese = gettext.GNUTranslations(file)
    entry = r'^(?:msgctxt "(.+)"\n)?msgid "((?:[^"\\]|\\.)+)"\nmsgstr "((?:[^"\\]|\\.)*)"'
    entries = re.findall(entry, (LOCALE / "django.po").read_text("utf-8"), re.M)
    assert len(entries) > 300
    for context, *texts in entries:
        source, text = (part.replace('\\"', '"').replace("\\n", "\n") for part in texts)
        compiled = chinese.pgettext(context, source) if context else chinese.gettext(source)
        assert text, source
        assert compiled == text, source


def test_placeholders_survive_translation() -> None:
    po = (LOCALE / "django.po").read_text("utf-8")
    for source, text in re.findall(r'^msgid "(.+)"\nmsgstr "(.+)"', po, re.M):
        assert sorted(re.findall(r"%\(\w+\)[sd]", source)) == sorted(re.findall(r"%\(\w+\)[sd]", text)), (
            source
        )


def test_prose_in_chinese_has_no_english_left(world: World) -> None:
    with override("zh-hans"):
        content = client_of(world.owner, "zh-hans").get(address(world, "studio_kind verse")).content.decode()
    text = Page(content).text
    for example in KINDS["verse"].examples:
        text = text.replace(example, "\n")
    assert not re.findall(r"[A-Za-z]{4,} [a-z]{3,} [a-z]{3,}", text)


def _sentences() -> set[str]:
    """Every text that code and templates ask to have translated."""
    found: set[str] = set()
    for path in Path("templates").rglob("*.html"):
        source = templatize(path.read_text("utf-8"), origin=str(path))
        for context, texts in re.findall(rf"\b(p?)n?gettext\(((?:u?{QUOTED}(?:, ?)?)+)", source):
            found.add(ast.literal_eval(re.findall(QUOTED, texts)[1 if context else 0]))
    for path in Path("gallery").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            if node.func.id in ("_", "gettext", "gettext_lazy", "ngettext") and node.args:
                first = node.args[0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    found.add(first.value)
    return {text for text in found if text.strip()}
