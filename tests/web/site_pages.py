"""What the tests of pages share: every page with the people who may open it, and a reader of HTML."""

from __future__ import annotations

from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

from django.test import Client
from django.urls import reverse

from gallery.models import Artwork, Job, JobState, ModerationEntry, User, Visibility
from gallery.services import moderation
from tests.toy_engines import ToyAnalyse
from tests.web import factories

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
SVG_LEAF = {"path", "rect", "circle", "image"}


@dataclass
class World:
    """People and rows that pages are about."""

    owner: User
    stranger: User
    moderator: User
    operator: User
    job: Job
    failed: Job
    picture: Artwork
    listed: Artwork
    poem: Artwork
    inscribed: Artwork
    written: Job
    waiting: Artwork
    blended: Job
    child: Artwork
    loop: Artwork
    seen: Artwork
    looked: Job
    entry: ModerationEntry


def make_world() -> World:
    """One of everything."""
    owner = factories.make_user("ana")
    moderator = factories.make_user("mira", permissions=["moderate_artworks"])
    job = factories.make_job(owner, state=JobState.SUCCEEDED, parameters={"prompt": "a quiet river"})
    picture = factories.make_artwork(owner, job=job, prompt="a quiet river")
    listed = factories.make_listed(owner, prompt="<script>alert(1)</script> & {{7*7}}")
    turned_down = factories.make_artwork(owner, visibility=Visibility.PUBLIC, published_at=job.created_at)
    entry = moderation.artwork_reject(artwork=turned_down, by=moderator, reason="spam", note="No.")
    factories.make_lineage(picture, listed)
    factories.make_lineage(picture, None, "style")
    blended = factories.make_job(owner, "blend", JobState.SUCCEEDED, parameters={"weight_1": 0.7})
    factories.make_input(blended, "parent_1", picture)
    factories.make_input(blended, "parent_2", factories.make_upload(owner))
    child = factories.make_artwork(owner, "blend", job=blended, prompt="")
    factories.make_lineage(child, picture, "parent", 0.7)
    looked = factories.make_job(owner, "analyse", JobState.SUCCEEDED)
    seen = factories.make_artwork(
        owner, "analyse", job=looked, prompt="", details={"analysis": ToyAnalyse().analysis()}
    )
    for work in (seen, picture, listed):
        factories.make_embedding(work)
    written = factories.make_job(owner, "verse", JobState.SUCCEEDED)
    factories.make_input(written, "image", picture)
    read = {"genre": "landscape", "objects": ["mountain"], "colours": ["navy"], "prompt": "a quiet river"}
    inscribed = factories.make_artwork(owner, "verse", job=written, prompt="", details={"picture": read})
    factories.make_lineage(inscribed, picture, "poem_of")
    factories.make_worker(models_loaded=[{"name": "painter", "digest": "ab" * 32, "kind": "paint"}])
    return World(
        owner=owner,
        stranger=factories.make_user("ben"),
        moderator=moderator,
        operator=factories.make_user("otto", permissions=["operate_workers"], is_staff=True),
        job=job,
        failed=factories.make_job(
            owner, state=JobState.FAILED, error_code="too_large", error_operator="CUDA out of memory"
        ),
        picture=picture,
        listed=listed,
        poem=factories.make_listed(owner, "verse", prompt="秋"),
        inscribed=inscribed,
        written=written,
        waiting=factories.make_artwork(owner, visibility=Visibility.PUBLIC, published_at=job.created_at),
        blended=blended,
        child=child,
        loop=factories.make_artwork(owner, "blend", prompt="", video="artworks/loop.mp4"),
        seen=seen,
        looked=looked,
        entry=entry,
    )


def client_of(person: User | None, language: str = "en") -> Client:
    """A browser in which the person is signed in; None: nobody."""
    client = Client(headers={"accept-language": language})
    if person is not None:
        client.force_login(person)
    return client


PAGES: dict[str, tuple[str, str]] = {
    # name -> (URL, who sees it: anybody, person, owner, moderator or operator)
    "gallery": ("gallery", "anybody"),
    "sign in": ("account_login", "anybody"),
    "sign up": ("account_signup", "anybody"),
    "reset": ("account_reset_password", "anybody"),
    "reset done": ("account_reset_password_done", "anybody"),
    "listed work": ("artwork listed", "anybody"),
    "poem": ("artwork poem", "anybody"),
    "paint": ("studio_kind paint", "person"),
    "blend": ("studio_kind blend", "person"),
    "upscale": ("studio_kind upscale", "person"),
    "restyle": ("studio_kind restyle", "person"),
    "dream": ("studio_kind dream", "person"),
    "analyse": ("studio_kind analyse", "person"),
    "verse": ("studio_kind verse", "person"),
    "search": ("picture_search", "person"),
    "my works": ("my_works", "person"),
    "my jobs": ("my_jobs", "person"),
    "password": ("account_change_password", "person"),
    "e-mail": ("account_email", "person"),
    "sign out": ("account_logout", "person"),
    "job": ("job job", "owner"),
    "failed job": ("job failed", "owner"),
    "private work": ("artwork picture", "owner"),
    "family": ("artwork_family picture", "owner"),
    "listed family": ("artwork_family listed", "anybody"),
    "blend job": ("job blended", "owner"),
    "child": ("artwork child", "owner"),
    "loop": ("artwork loop", "owner"),
    "analysis": ("artwork seen", "owner"),
    "analyse job": ("job looked", "owner"),
    "similar": ("artwork_similar seen", "owner"),
    "like a listed work": ("artwork_similar listed", "anybody"),
    "poem on a picture": ("artwork inscribed", "owner"),
    "inscription": ("artwork_inscribe inscribed", "owner"),
    "verse job": ("job written", "owner"),
    "delete": ("artwork_delete picture", "owner"),
    "review": ("moderation", "moderator"),
    "log": ("moderation_log", "moderator"),
    "workers": ("workers", "operator"),
}


def address(world: World, target: str) -> str:
    """``"job failed"`` -> the URL of the world's failed job."""
    name, _, argument = target.partition(" ")
    if not argument:
        return reverse(name)
    row: Any = getattr(world, argument, None)
    return reverse(name, args=[row.pk if row is not None else argument])


class Page(HTMLParser):
    """A reader that complains about what browsers forgive. ``problems`` is empty for a sane page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.problems: list[str] = []
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.language = ""
        self.headings = 0
        self._open: list[str] = []
        self._labels: set[str] = set()
        self._fields: list[tuple[str, dict[str, str]]] = []
        self._references: list[str] = []
        self._in_label = 0
        self.text = ""
        self.feed(text)
        self._finish()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        given = {name: value or "" for name, value in attrs}
        if len(names) != len(set(names)):
            self.problems.append(f"<{tag}> has an attribute twice: {names}")
        for name, value in given.items():
            if name == "style" or name.startswith("on") or value.lower().startswith("javascript:"):
                self.problems.append(f"<{tag}> has the inline {name}={value!r}")
        if tag == "style" or (
            tag == "script" and "src" not in given and given.get("type") != "application/json"
        ):
            self.problems.append(f"inline <{tag}>")
        if identity := given.get("id"):
            if identity in self.ids:
                self.problems.append(f"id {identity!r} twice")
            self.ids.add(identity)
        if tag == "html":
            self.language = given.get("lang", "")
        if tag == "h1":
            self.headings += 1
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag == "img" and "alt" not in given:
            self.problems.append(f"<img src={given.get('src')!r}> without alt")
        if tag == "img" and "src" in given and not {"width", "height"} <= set(given):
            self.problems.append(f"<img src={given['src']!r}> without width and height")
        if tag == "label":
            self._in_label += 1
            self._labels.add(given.get("for", ""))
        if tag in ("input", "select", "textarea") and given.get("type") != "hidden" and not self._in_label:
            self._fields.append((tag, given))
        for name in ("for", "aria-labelledby"):
            self._references += given.get(name, "").split() if tag != "output" else []
        if tag not in VOID and tag not in SVG_LEAF:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in SVG_LEAF:
            return
        if not self._open or self._open[-1] != tag:
            self.problems.append(f"</{tag}> at line {self.getpos()[0]} closes {self._open[-3:]}")
            return
        self._open.pop()
        if tag == "label":
            self._in_label -= 1

    def handle_data(self, data: str) -> None:
        if self._open[-1:] not in (["script"], ["style"]):
            self.text += data

    def _finish(self) -> None:
        if self._open:
            self.problems.append(f"never closed: {self._open}")
        if self.headings != 1:
            self.problems.append(f"{self.headings} <h1>")
        for tag, given in self._fields:
            if given.get("id") not in self._labels and "aria-label" not in given:
                self.problems.append(f"<{tag} name={given.get('name')!r}> without a label")
        for reference in self._references:
            if reference not in self.ids:
                self.problems.append(f"nothing has the id {reference!r}")
