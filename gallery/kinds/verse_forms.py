"""The forms of verse and the poets in whose manner it can be written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.functional import Promise, lazy
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

CHINESE, ENGLISH = "zh", "en"


@dataclass(frozen=True, slots=True)
class VerseForm:
    """A form: ``stanzas`` tells the lines of each, ``length`` about how many letters a line has."""

    slug: str
    language: str
    label: Promise
    stanzas: tuple[int, ...]
    length: int
    note: str | Promise = ""

    @property
    def lines(self) -> int:
        """How many lines a poem has."""
        return sum(self.stanzas)

    @property
    def opens(self) -> tuple[bool, ...]:
        """For every line whether it opens another stanza."""
        return tuple(n == 0 < stanza for stanza, size in enumerate(self.stanzas) for n in range(size))


FORMS: Mapping[str, VerseForm] = {
    form.slug: form
    for form in (
        VerseForm("5jueju", CHINESE, _("Five-character quatrain (五言绝句)"), (4,), 5),
        VerseForm("7jueju", CHINESE, _("Seven-character quatrain (七言绝句)"), (4,), 7),
        VerseForm("5lvshi", CHINESE, _("Five-character eight-line verse (五言律诗)"), (8,), 5),
        VerseForm("7lvshi", CHINESE, _("Seven-character eight-line verse (七言律诗)"), (8,), 7),
        VerseForm("couplet", CHINESE, _("The answer to a couplet (对联)"), (2,), 7),
        VerseForm("quatrain", ENGLISH, _("Quatrain"), (4,), 40, _("four lines, ABAB")),
        VerseForm("ballad", ENGLISH, _("Ballad"), (4, 4), 40, _("two stanzas of long and short lines")),
        VerseForm("heroic", ENGLISH, _("Heroic couplets"), (6,), 48, _("six lines, AABBCC")),
        VerseForm("sonnet", ENGLISH, _("Sonnet"), (4, 4, 4, 2), 48, _("fourteen lines, as Shakespeare's")),
        VerseForm("limerick", ENGLISH, _("Limerick"), (5,), 36, _("five lines, AABBA")),
        VerseForm("haiku", ENGLISH, _("Haiku"), (3,), 28, _("5, 7 and 5 syllables")),
    )
}
CHINESE_FORMS = tuple(form.slug for form in FORMS.values() if form.language == CHINESE)
ENGLISH_FORMS = tuple(form.slug for form in FORMS.values() if form.language == ENGLISH)

TANG_POETS: Mapping[str, str] = {
    "李白": "Li Bai", "杜甫": "Du Fu", "王维": "Wang Wei", "孟浩然": "Meng Haoran", "白居易": "Bai Juyi",
    "李商隐": "Li Shangyin", "杜牧": "Du Mu", "刘禹锡": "Liu Yuxi", "岑参": "Cen Shen",
    "刘长卿": "Liu Changqing", "韦应物": "Wei Yingwu", "元稹": "Yuan Zhen", "贾岛": "Jia Dao",
    "温庭筠": "Wen Tingyun", "许浑": "Xu Hun", "罗隐": "Luo Yin", "贯休": "Guanxiu", "齐己": "Qiji",
    "陆龟蒙": "Lu Guimeng", "韦庄": "Wei Zhuang",
}  # fmt: skip
SONG_POETS: Mapping[str, str] = {
    "苏轼": "Su Shi", "陆游": "Lu You", "杨万里": "Yang Wanli", "王安石": "Wang Anshi",
    "黄庭坚": "Huang Tingjian", "范成大": "Fan Chengda", "欧阳修": "Ouyang Xiu", "梅尧臣": "Mei Yaochen",
    "邵雍": "Shao Yong", "朱熹": "Zhu Xi", "文天祥": "Wen Tianxiang", "朱淑真": "Zhu Shuzhen",
}  # fmt: skip
ENGLISH_POETS: Mapping[str, str] = {
    "William Blake": "布莱克", "Emily Bronte": "艾米莉·勃朗特", "Elizabeth Barrett Browning": "勃朗宁夫人",
    "Robert Burns": "彭斯", "Lord Byron": "拜伦", "Lewis Carroll": "刘易斯·卡罗尔",
    "Gilbert Keith Chesterton": "切斯特顿", "John Clare": "约翰·克莱尔",
    "Samuel Taylor Coleridge": "柯勒律治", "Emily Dickinson": "狄金森", "Paul Laurence Dunbar": "邓巴",
    "Ralph Waldo Emerson": "爱默生", "Thomas Hardy": "哈代", "Robert Herrick": "赫里克",
    "Thomas Hood": "托马斯·胡德", "Alfred Edward Housman": "豪斯曼", "John Keats": "济慈",
    "Rudyard Kipling": "吉卜林", "D. H. Lawrence": "劳伦斯", "Edward Lear": "爱德华·利尔",
    "Henry Wadsworth Longfellow": "朗费罗", "Amy Lowell": "艾米·洛威尔", "Herman Melville": "麦尔维尔",
    "Edna St. Vincent Millay": "米莱", "John Milton": "弥尔顿", "Thomas Moore": "托马斯·穆尔",
    "Banjo Paterson": "班卓·帕特森", "Edgar Allan Poe": "爱伦·坡", "Alexander Pope": "蒲柏",
    "Christina Rossetti": "克里斯蒂娜·罗塞蒂", "William Shakespeare": "莎士比亚",
    "Percy Bysshe Shelley": "雪莱", "Jonathan Swift": "斯威夫特",
    "Algernon Charles Swinburne": "斯温伯恩", "Sara Teasdale": "蒂斯代尔",
    "Alfred Lord Tennyson": "丁尼生", "Walt Whitman": "惠特曼", "Oscar Wilde": "王尔德",
    "William Wordsworth": "华兹华斯", "William Butler Yeats": "叶芝",
}  # fmt: skip
"""By family name. The values of a recipe are the names that the networks' weights have for them."""


def _named(english: str, chinese: str) -> str:
    return chinese if (get_language() or "en").startswith("zh") else english


_named_lazy = lazy(_named, str)


def poet_label(name: str) -> str | Promise:
    """A poet's name for the visitor: with its reading, or its Chinese form, beside it."""
    if name in ENGLISH_POETS:
        return _named_lazy(name, f"{ENGLISH_POETS[name]} {name}")
    reading = TANG_POETS.get(name) or SONG_POETS.get(name)
    return _named_lazy(f"{reading} {name}", name) if reading else name
