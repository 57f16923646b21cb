"""Kinds against what people and programs send: clean values, or one message per field."""

from __future__ import annotations

import json
import time
import unicodedata
from typing import Any

import pytest
from django.test import Client

from gallery import kinds
from gallery.kinds import KINDS, InvalidRecipe, UnknownKind, clean_seed, clean_text
from gallery.models import Job, User

NAN, INFINITY = float("nan"), float("inf")


def errors_of(slug: str, values: dict[str, Any], roles: frozenset[str] = frozenset()) -> dict[str, list[str]]:
    with pytest.raises(InvalidRecipe) as refusal:
        kinds.kind(slug).clean(values, roles)
    assert all(text for texts in refusal.value.errors.values() for text in texts)
    return refusal.value.errors


# --- Kinds -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slug", KINDS)
def test_every_default_is_valid_and_json(slug: str) -> None:
    spec = kinds.kind(slug)
    roles = frozenset(given.role for given in spec.inputs)
    cleaned = spec.clean({}, roles)
    assert spec.clean(cleaned, roles) == cleaned
    assert json.loads(json.dumps(cleaned)) == cleaned
    assert len(spec.batch_key(cleaned)) <= 64
    assert spec.queue in kinds.QUEUES


@pytest.mark.parametrize("slug", ["", "Paint", "paint ", "../paint", "paint\0", "__class__", "draw", "绘"])
def test_an_unknown_kind_names_the_known_ones(slug: str) -> None:
    with pytest.raises(UnknownKind) as refusal:
        kinds.kind(slug)
    assert "paint" in refusal.value.errors["kind"][0]


@pytest.mark.parametrize("name", ["model", "__init__", "", "prompt ", "PROMPT", "x" * 10_000])
def test_an_unknown_setting_is_named_not_ignored(name: str) -> None:
    assert list(errors_of("paint", {name: "../../etc/passwd"})) == [name[:64]]


def test_every_wrong_field_is_named_at_once() -> None:
    errors = errors_of("paint", {"prompt": 7, "count": 99, "truncation": "much", "model": "x"})
    assert set(errors) == {"prompt", "count", "truncation", "model"}


def test_pictures_are_required_and_no_others_are_taken() -> None:
    assert set(errors_of("restyle", {"style": ""})) == {"image"}
    assert set(errors_of("restyle", {"style": ""}, frozenset({"image"}))) == {"style"}
    assert set(errors_of("paint", {}, frozenset({"image"}))) == {"image"}
    kinds.kind("restyle").clean({}, frozenset({"image", "style"}))


# --- Rules between fields -------------------------------------------------------------------------------


def parents(*numbers: int) -> frozenset[str]:
    return frozenset(f"parent_{number}" for number in numbers)


def test_a_mix_and_a_bridge_need_two_parents() -> None:
    blend = kinds.kind("blend")
    for mode in ("mix", "bridge"):
        assert set(errors_of("blend", {"mode": mode}, parents(1))) == {"parent_2"}
        assert blend.clean({"mode": mode}, parents(1, 3))["mode"] == mode
    assert set(errors_of("blend", {}, parents(2, 3))) == {"parent_1"}
    assert set(errors_of("blend", {}, parents(1, 2, 5))) == {"parent_5"}


def test_a_mutation_has_one_parent_and_a_strength() -> None:
    blend = kinds.kind("blend")
    assert blend.clean({"mode": "mutate"}, parents(1))["mutation"] == 0.4
    assert blend.clean({"mode": "mutate", "mutation": 0.1}, parents(1))["mutation"] == 0.1
    assert blend.clean({}, parents(1, 2))["mutation"] == 0
    assert set(errors_of("blend", {"mode": "mutate", "mutation": 0}, parents(1))) == {"mutation"}
    assert set(errors_of("blend", {"mode": "mutate"}, parents(1, 2, 4))) == {"parent_2", "parent_4"}


def test_at_least_one_parent_that_was_brought_has_a_share() -> None:
    none = {"weight_1": 0, "weight_2": "0"}
    assert set(errors_of("blend", none, parents(1, 2))) == {"weight_1"}
    assert kinds.kind("blend").clean(none, parents(1, 2, 3))["weight_3"] == 0.5
    kinds.kind("blend").clean({"mode": "mutate", **none}, parents(1))


@pytest.mark.parametrize("name", ["layout_from", "shapes_from", "colour_from"])
def test_a_depth_comes_from_a_parent_that_was_brought(name: str) -> None:
    assert set(errors_of("blend", {name: "3"}, parents(1, 2))) == {name}
    assert set(errors_of("blend", {name: "5"}, parents(1, 2))) == {name}
    assert kinds.kind("blend").clean({name: "2"}, parents(1, 2))[name] == "2"


def test_a_bridge_is_small_and_its_frames_are_counted() -> None:
    assert set(errors_of("blend", {"mode": "bridge", "size": "1024"}, parents(1, 2))) == {"size"}
    for frames in (15, 97, 0):
        assert set(errors_of("blend", {"frames": frames}, parents(1, 2))) == {"frames"}
    kinds.kind("blend").clean({"mode": "mix", "size": "1024"}, parents(1, 2))


def test_jobs_of_one_size_may_share_a_batch() -> None:
    for slug, roles in (("paint", frozenset()), ("blend", parents(1, 2))):
        spec = kinds.kind(slug)
        keys = {spec.batch_key(spec.clean({"size": size}, roles)) for size in ("256", "512", "1024")}
        assert len(keys) == 3
        assert spec.batch_key(spec.clean({"count": 1}, roles)) == spec.batch_key(spec.clean({}, roles))
    assert kinds.kind("upscale").batch_limit == 1


@pytest.mark.parametrize(
    ("factor", "size", "fits"),
    [
        ("4", (1024, 700), True),
        ("4", (700, 1025), False),
        ("2", (2048, 2048), True),
        ("2", (2049, 10), False),
    ],
)
def test_an_enlarged_picture_is_at_most_4096_px(factor: str, size: tuple[int, int], fits: bool) -> None:
    upscale = kinds.kind("upscale")
    cleaned = upscale.clean({"factor": factor}, frozenset({"image"}))
    if fits:
        upscale.clean_sizes(cleaned, {"image": size})
        return
    with pytest.raises(InvalidRecipe) as refusal:
        upscale.clean_sizes(cleaned, {"image": size})
    assert set(refusal.value.errors) == {"factor"}
    assert str(max(size)) in refusal.value.errors["factor"][0]


@pytest.mark.parametrize("style", ["nobody", "../starry-night", "starry\0night", 7, None, ["x"]])
def test_only_ready_styles_are_styles(style: Any) -> None:
    assert "style" in errors_of("restyle", {"style": style}, frozenset({"image"}))


def test_styles_have_titles_in_both_languages() -> None:
    styles = kinds.styles()
    assert len({style.slug for style in styles}) == len(styles) >= 30
    assert all(style.title_en and style.title_zh and style.artist for style in styles)


# --- Numbers ------------------------------------------------------------------------------------------


BAD_WHOLE = [0, 17, -1, 10**9, 2**64, 10**400, 1.5, NAN, INFINITY, -INFINITY, True, "", "x", "1e3", "0x4"]
BAD_WHOLE += ["NaN", "9" * 5000, [], {}, [4], "4 or 1=1", "٤٢٣", "4.0", b"4"]


@pytest.mark.parametrize("count", BAD_WHOLE, ids=lambda value: repr(value)[:20])
def test_a_count_that_is_none_is_refused(count: Any) -> None:
    assert list(errors_of("paint", {"count": count})) == ["count"]


@pytest.mark.parametrize(("count", "meant"), [("1", 1), (" 7 ", 7), (16, 16), (4.0, 4)])
def test_a_count_as_forms_and_programs_write_it_is_read(count: Any, meant: int) -> None:
    cleaned = kinds.kind("paint").clean({"count": count})["count"]
    assert (cleaned, type(cleaned)) == (meant, int)


@pytest.mark.parametrize(
    "value", [NAN, INFINITY, "nan", "inf", "-inf", "1e999", 1e308, 0, -1, "0,5", None.__class__]
)
def test_a_number_out_of_range_is_refused(value: Any) -> None:
    assert list(errors_of("paint", {"truncation": value})) == ["truncation"]


@pytest.mark.parametrize("size", [0, 7, 255, 2049, 10**9])
def test_a_size_out_of_range_is_refused(size: int) -> None:
    assert list(errors_of("restyle", {"size": size}, frozenset({"image", "style"}))) == ["size"]


@pytest.mark.parametrize(
    "seed", [-1, 2**63, 2**64, 1.0, 1.5, NAN, "1e999", "NaN", "", " ", "x", True, None, [], "9" * 5000, "١"]
)
def test_a_seed_that_is_none_is_refused(seed: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        clean_seed(seed)


@pytest.mark.parametrize(("seed", "meant"), [(0, 0), ("0", 0), (2**63 - 1, 2**63 - 1), ("42", 42)])
def test_a_seed_may_use_63_bits(seed: Any, meant: int) -> None:
    assert clean_seed(seed) == meant


@pytest.mark.parametrize("value", [2, -1, "maybe", None.__class__, [], 1.0])
def test_yes_and_no_are_nothing_else(value: Any) -> None:
    errors = errors_of("restyle", {"keep_colours": value}, frozenset({"image", "style"}))
    assert list(errors) == ["keep_colours"]


# --- Text ----------------------------------------------------------------------------------------------

ZALGO = "h" + "\u0300\u0301\u0302\u0303\u0304\u0305\u0306" * 200 + "ello"
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("", ""),
        ("  sea \n", "sea"),
        ("a\0b", "ab"),
        ("a\x1b[31mred", "a[31mred"),
        ("a\ud800b", "ab"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("a\tb", "a b"),
        ("\x7f\x80x", "x"),
        ("Cafe\u0301", "Café"),
        (FAMILY, FAMILY),
        ("黄昏的河流", "黄昏的河流"),
        ("<script>alert('x')</script>", "<script>alert('x')</script>"),
        ("{{7*7}} {% x %} %s %(y)s", "{{7*7}} {% x %} %s %(y)s"),
        ("'; DROP TABLE gallery_job; --", "'; DROP TABLE gallery_job; --"),
    ],
)
def test_text_is_kept_as_typed_without_what_cannot_be_stored(typed: str, kept: str) -> None:
    assert kinds.kind("paint").clean({"prompt": typed})["prompt"] == kept


def test_piles_of_marks_are_capped() -> None:
    cleaned = clean_text(ZALGO)
    assert sum(1 for char in cleaned if unicodedata.combining(char)) <= 4
    assert cleaned.endswith("ello")


def test_text_of_one_line_stays_one_line() -> None:
    assert "\n" not in kinds.kind("verse").clean({"prompt": "a\r\nSet-Cookie: b"})["prompt"]


def test_long_text_is_refused_quickly_with_its_length() -> None:
    began = time.monotonic()
    assert "100000" in errors_of("paint", {"prompt": "x" * 100_000})["prompt"][0]
    errors_of("paint", {"prompt": ZALGO * 1000 + "y" * 1000})
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("value", [7, None.__class__, ["sea"], {"a": 1}, b"sea", True])
def test_text_is_nothing_but_text(value: Any) -> None:
    assert list(errors_of("paint", {"prompt": value})) == ["prompt"]


# --- Through the page -----------------------------------------------------------------------------------

NASTY_PROMPTS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{7*7}}{% debug %}",
    "%s%n%(x)s",
    "\u202eevil\u202c",
    ZALGO,
    FAMILY * 20,
    "\x1b[2J\x1b]0;title\x07",
    "a\r\nSet-Cookie: x=1",
]


@pytest.mark.django_db
@pytest.mark.parametrize("prompt", NASTY_PROMPTS, ids=range(len(NASTY_PROMPTS)))
def test_a_nasty_prompt_makes_a_job_and_is_escaped_on_its_page(
    client: Client, person: User, prompt: str
) -> None:
    client.force_login(person)
    response = client.post("/studio/paint/", {"prompt": prompt, "count": "1"}, follow=True)
    assert response.status_code == 200
    job = Job.objects.get()
    assert job.parameters["prompt"] == clean_text(prompt, multiline=True)
    page = response.content.decode()
    for tag in ("<script>alert", "<img src=x"):
        assert tag not in page


@pytest.mark.django_db
@pytest.mark.parametrize(
    "values",
    [
        {"prompt": "x" * 100_000},
        {"prompt": "sea", "count": "-1"},
        {"prompt": "sea", "count": "1e999"},
        {"prompt": "sea", "seed": str(2**64)},
        {"prompt": "sea", "seed": "NaN"},
        {"prompt": "sea", "truncation": "nan"},
    ],
    ids=["long", "negative", "infinite", "seed", "no seed", "nan"],
)
def test_a_wrong_form_comes_back_with_its_content_and_makes_no_job(
    client: Client, person: User, values: dict[str, str]
) -> None:
    client.force_login(person)
    response = client.post("/studio/paint/", values)
    assert response.status_code == 422
    assert values["prompt"][:500] in response.content.decode()
    assert not Job.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["draw", "PAINT", "..", "paint%00", "%2e%2e%2fpaint"])
def test_a_page_of_an_unknown_kind_is_not_found(client: Client, person: User, kind: str) -> None:
    client.force_login(person)
    assert client.get(f"/studio/{kind}/").status_code == 404


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("har\u200bbour", "harbour"),
        ("har\u00adbour \ufeffat", "harbour at"),
        ("har\u200cbour", "harbour"),
        ("\u202eruobrah", "ruobrah"),  # an override of the direction
        ("\u6e2f\u200b\u53e3", "\u6e2f\u53e3"),
        ("\u3164\u115f\u200b", ""),  # a title that nobody sees
        ("\U0001f469\u200d\U0001f3a8", "\U0001f469\u200d\U0001f3a8"),  # a painter
        ("\u0646\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",) * 2,  # Persian
        ("\u0915\u094d\u200d\u0937",) * 2,  # Hindi
        ("\u2600\ufe0f",) * 2,  # the sun as an emoji
    ],
)
def test_what_nobody_sees_is_taken_out(typed: str, kept: str) -> None:
    assert clean_text(typed) == kept
