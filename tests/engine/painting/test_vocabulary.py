"""Reading prompts: English, Chinese, mixtures, what is denied, and what is not understood."""

from __future__ import annotations

import pytest

from workers.engines.language.prompt_lexicon import GROUPS, Segment, Vocabulary, terms_of, words_of
from workers.engines.language.prompt_lexicon.characters import simplified
from workers.engines.language.prompt_lexicon.terms import CHINESE, ENGLISH, FOREIGN, Terms

ALL = Vocabulary(words_of())


def meant(terms: Terms) -> dict[str, tuple[str, ...]]:
    return {term: words for term, words in terms.meanings.items() if words and words != FOREIGN}


@pytest.mark.parametrize(
    ("prompt", "words", "unknown"),
    [
        ("a stormy sea at night, by Aivazovsky", "storm sea night aivazovsky", ""),
        (
            "Red sunset over the snowy Himalayas in the style of van Gogh",
            "red sunset snow winter himalaya mountain gogh",
            "",
        ),
        ("water lilies in Giverny", "waterlily pond giverny village", ""),
        ("moonlit harbours with a cyberpunk robot", "moon night harbour", "cyberpunk robot"),
        ("GREENISH FIELDS", "green field", ""),
        ("Café de Paris", "paris city", "cafe"),
        ("J.M.W. Turner's sea-storm, Sainte-Victoire", "turner storm sea wave provence mountain", ""),
        ("autumn leaves, wheat fields and weeping willows", "tree autumn wheat field willow", ""),
        ("water, lilies", "water waterlily pond", ""),
        ("dusk, twilight, gloaming", "evening", ""),
        ("a skyscraper in cobalt and ochre", "city blue yellow", ""),
        ("still life with a sea lion and a cat", "", "still life sea lion cat"),
        ("月光下的大海，一只小船", "moon night sea boat", ""),
        ("莫奈的睡莲池塘，熊猫在吃竹子", "monet waterlily pond forest green", "熊猫 吃"),
        ("秋天的 forest with 恐龙", "autumn forest", "恐龙"),
        ("sea大海", "sea", ""),
        ("雪山", "mountain snow", ""),
        ("星月夜", "night gogh", ""),
        ("莫內的睡蓮，霧裡的威尼斯，貢多拉", "monet waterlily pond fog venice city boat", ""),
        ("黄昏 日暮 薄暮 傍晚", "evening", ""),
        ("石青与赭石", "blue brown", ""),
        ("🌊 and 🌅", "wave sea sunrise morning sun", ""),
        ("", "", ""),
        ("the of and 的", "", ""),
        ("12345 !!! 🦄", "", ""),
        ("море", "", "море"),
    ],
)
def test_prompts(prompt: str, words: str, unknown: str) -> None:
    understood = ALL.read(prompt)
    assert (" ".join(understood.words), " ".join(understood.unknown)) == (words, unknown)


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("a beach without people", "beach"),
        ("no boats or clouds, a calm lake", "lake calm"),
        ("a harbour without red boats at dusk", "harbour evening"),
        ("not only red but blue", "red blue"),
        ("a house not far from the sea", "house sea"),
        ("no. The sea", "sea"),
        ("a street without cars", "street"),
        ("没有船的大海", "sea"),
        ("没有红色的船的海", "sea"),
        ("不要人和云，只要山", "mountain"),
        ("无云的天空", "sky"),
        ("无边的大海，不远处的山", "sea mountain"),
        ("没有汽车、人的街道", "street"),
    ],
)
def test_what_is_denied_is_no_wish_and_no_riddle(prompt: str, words: str) -> None:
    understood = ALL.read(prompt)
    assert (set(understood.words), understood.unknown) == (set(words.split()), ())


_TWINS = """
sea 大海 | ocean 海洋 | rough sea 怒海 | storm 暴风雨 | calm 宁静 | wave 波浪 | coast 海岸 | bay 海湾
beach 沙滩 | island 岛屿 | low tide 退潮 | harbour 港口 | boat 小船 | ship 轮船 | sailboat 帆船
fishing boat 渔船 | shipwreck 沉船 | gondola 贡多拉 | river 河流 | riverbank 河岸 | stream 小溪
lake 湖泊 | pond 池塘 | water lily 睡莲 | waterfall 瀑布 | canal 运河 | bridge 桥 | mountain 群山
hill 丘陵 | valley 山谷 | snowy mountain 雪山 | forest 森林 | bamboo 竹林 | pine 松树 | pine forest 松林
willow 杨柳 | poplar 白杨 | oak 橡树 | cypress 丝柏 | maple 枫树 | olive tree 橄榄树 | orchard 果园
garden 花园 | park 公园 | field 田野 | meadow 草地 | wheat field 麦田 | haystack 干草堆 | desert 沙漠
rock 岩石 | cliff 悬崖 | flower 花朵 | rose 玫瑰 | peony 牡丹 | sunflower 向日葵 | poppy 罂粟花
cherry blossom 樱花 | peach blossom 桃花 | wisteria 紫藤 | daffodil 水仙 | iris 鸢尾 | city 城市
skyscraper 摩天大楼 | square 广场 | street 街道 | road 道路 | path 小径 | village 村庄
fishing village 渔村 | house 房子 | cottage 茅屋 | farm 农场 | windmill 风车 | castle 城堡 | palace 宫殿
tower 塔 | gate 城门 | church 教堂 | cathedral 大教堂 | monastery 修道院 | temple 寺庙 | ruins 废墟
train station 火车站 | fisherman 渔夫 | crowd 人群 | cow 奶牛 | sheep 绵羊 | horse 骏马 | carriage 马车
seagull 海鸥 | crane 仙鹤 | swan 天鹅 | crow 乌鸦 | sky 天空 | blue sky 蓝天 | cloud 白云 | spring 春天
summer 夏日 | autumn 深秋 | winter 寒冬 | april 四月 | july 七月 | october 十月 | december 十二月
christmas 圣诞节 | snow 大雪 | snowstorm 暴风雪 | ice 冰川 | hoarfrost 雾凇 | dawn 黎明 | sunrise 日出
noon 正午 | afternoon 午后 | dusk 黄昏 | twilight 薄暮 | sunset 夕阳 | afterglow 余晖 | night 夜晚
starry sky 星空 | starry night 星月夜 | moonlight 月光 | full moon 满月 | sunshine 阳光 | fog 浓雾
haze 雾霭 | rain 细雨 | rainbow 彩虹 | lightning 闪电 | red 红色 | vermilion 朱砂 | crimson 绯红
orange 橙色 | amber 琥珀 | yellow 黄色 | gamboge 藤黄 | green 绿色 | malachite 孔雀石 | emerald 祖母绿
turquoise 绿松石 | blue 蓝色 | cobalt 钴蓝 | azurite 石青 | ultramarine 群青 | purple 紫色
amethyst 紫水晶 | pink 粉色 | brown 棕色 | umber 熟褐 | white 白色 | ivory 象牙白 | black 黑色 | grey 灰色
silver 银色 | dark 黑暗 | melancholy 忧郁 | bright 明亮 | joyful 欢快 | warm 温暖 | cold 寒冷 | vivid 鲜艳
muted 淡雅 | soft light 柔光 | high contrast 高对比度 | fairy tale 童话 | dreamlike 梦幻 | venice 威尼斯
paris 巴黎 | montmartre 蒙马特 | london 伦敦 | rome 罗马 | florence 佛罗伦萨 | naples 那不勒斯
capri 卡普里 | italy 意大利 | holland 荷兰 | amsterdam 阿姆斯特丹 | seine 塞纳河 | thames 泰晤士河
giverny 吉维尼 | normandy 诺曼底 | rouen 鲁昂 | etretat 埃特勒塔 | brittany 布列塔尼 | provence 普罗旺斯
arles 阿尔勒 | spain 西班牙 | alps 阿尔卑斯山 | vienna 维也纳 | norway 挪威 | russia 俄罗斯
moscow 莫斯科 | crimea 克里米亚 | england 英格兰 | new york 纽约 | america 美国 | istanbul 伊斯坦布尔
india 印度 | tibet 西藏 | himalayas 喜马拉雅山 | everest 珠穆朗玛峰 | mount fuji 富士山 | west lake 西湖
guilin 桂林 | impressionism 印象派 | post-impressionism 后印象派 | romanticism 浪漫主义
symbolism 象征主义 | art nouveau 新艺术 | baroque 巴洛克 | realism 现实主义 | pointillism 点彩派
ukiyo-e 浮世绘 | ink wash 水墨 | cubism 立体派 | claude monet 莫奈 | van gogh 梵高 | cezanne 塞尚
renoir 雷诺阿 | turner 透纳 | klimt 克里姆特 | hokusai 葛饰北斋 | seurat 修拉 | levitan 列维坦
manet 马奈 | gauguin 高更 | sisley 西斯莱 | caillebotte 卡耶博特 | böcklin 勃克林 | roerich 列里赫
aivazovsky 艾瓦佐夫斯基 | kuindzhi 库因芝 | schiele 席勒 | canaletto 卡纳莱托
"""


def test_twins_of_two_languages_mean_the_same() -> None:
    twins = [
        pair.strip().rsplit(" ", 1)
        for line in _TWINS.splitlines()
        for pair in line.split("|")
        if pair.strip()
    ]
    assert len(twins) >= 120
    readings = {english: (set(ALL.read(english).words), set(ALL.read(han).words)) for english, han in twins}
    assert {english: pair for english, pair in readings.items() if pair[0] != pair[1] or not pair[0]} == {}


def test_both_languages_have_thousands_of_terms_and_each_reads_as_it_says() -> None:
    for terms in (ENGLISH, CHINESE):
        whole = meant(terms)
        assert len(whole) >= 2000
        assert {term: words for term, words in whole.items() if set(ALL.read(term).words) != set(words)} == {}
    assert not [term for term in CHINESE.meanings if simplified(term) != term]


def test_terms_of_a_word_lead_back_to_it() -> None:
    for word in words_of():
        for language in ("en", "zh"):
            terms = terms_of(word, language)
            assert terms, (word, language)
            assert all(ALL.read(term).words[0] == word for term in terms), (word, language)
    assert {"gloaming", "dusk"} <= set(terms_of("evening", "en"))
    assert {"薄暮", "日暮"} <= set(terms_of("evening", "zh"))
    # Venice is always a city too.
    assert "venezia" in terms_of("venice", "en")
    with pytest.raises(ValueError, match="astronaut"):
        terms_of("astronaut", "en")


@pytest.mark.parametrize(
    "prompt",
    [
        "A Calm sea,\tat SUNSETT\n— Café, no people! 🌊🦄",
        "莫內的睡蓮，恐龙 море הים عربي हिन्दी e\u0301\u0301 ﬁ ＳＥＡ",
        "\u202eright to left \x00 \ud800 lone",
        "  ",
    ],
)
def test_segments_give_the_prompt_back(prompt: str) -> None:
    understood = ALL.read(prompt)
    assert "".join(segment.text for segment in understood.segments) == prompt
    assert tuple(dict.fromkeys(word for one in understood.segments for word in one.words)) == understood.words
    assert len(understood.unknown) <= sum(one.nearest is not None for one in understood.segments)


def test_segments_say_what_was_understood_where() -> None:
    assert ALL.read("Water Lilies at sunsett, no cat").segments == (
        Segment("Water Lilies", ("waterlily", "pond")),
        Segment(" at "),
        Segment("sunsett", nearest="sunset"),
        Segment(", no cat"),
    )
    assert ALL.read("没有人的霧，恐龙").segments == (
        Segment("没有人的"),
        Segment("霧", ("fog",)),
        Segment("，"),
        Segment("恐龙", nearest=""),
    )


@pytest.mark.parametrize(
    ("typed", "nearest"),
    [
        ("sunsett", "sunset"),
        ("montain", "mountain"),
        ("snwo", "snow"),
        ("imprsionist", "impressionist"),
        ("mountaineer", "mountain"),
        ("霭然", "霭"),
        ("robot", ""),
        ("portrait", ""),
        ("恐龙", ""),
        ("море", ""),
    ],
)
def test_the_nearest_term_is_offered(typed: str, nearest: str) -> None:
    (segment,) = [one for one in ALL.read(typed).segments if one.nearest is not None]
    assert nearest in (segment.nearest or "")
    assert bool(nearest) == bool(segment.nearest)


def test_only_terms_that_the_model_knows_are_offered() -> None:
    assert Vocabulary(["sea"]).read("montain").segments == (Segment("montain", nearest=""),)


@pytest.mark.parametrize(
    "text",
    [
        "sea xyzzy " * 10_000,
        "x" * 100_000,
        "霭" * 33_000,
        "没有" * 17_000,
        "no " * 33_000,
        "🦄" * 25_000,
        "e" + "\u0301" * 50_000,
        "".join(
            f"q{chr(97 + n % 26)}{chr(97 + n // 26 % 26)}{chr(97 + n // 676 % 26)}zz " for n in range(14_000)
        ),
    ],
)
def test_long_texts_are_read_to_the_end(text: str) -> None:
    assert "".join(segment.text for segment in ALL.read(text).segments) == text


def test_a_repeated_word_counts_once() -> None:
    assert ALL.read("sea sea ocean 大海 dragon dragon").words == ("sea",)
    assert ALL.read("dragon dragon").unknown == ("dragon",)


def test_words_that_the_model_lacks_are_unknown() -> None:
    small = Vocabulary(["sea", "night"])
    understood = small.read("moonlight over a mountain and the sea, 雪山")
    assert understood.words == ("night", "sea")
    assert understood.unknown == ("mountain", "雪山")


def test_vectors_have_one_place_per_word() -> None:
    small = Vocabulary(["sea", "night", "red"])
    assert small.vector(["red", "sea"]) == [1.0, 0.0, 1.0]
    with pytest.raises(KeyError):
        small.vector(["green"])
    with pytest.raises(ValueError, match="once"):
        Vocabulary(["sea", "sea"])


def test_words_are_in_one_group_each() -> None:
    assert len(words_of()) == len(set(words_of())) == sum(len(g.split()) for g in GROUPS.values())
