"""Prompts of the evaluation: sixty in two languages, those of the sheet, pairs for loops."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request in both languages and what must be seen in its pictures.

    ``colour``: the main colour (one of the measured twelve) or empty. ``scene``: one that the scene
    classifier knows, or empty. ``tag``: one of its tags (a word of titles or ``artist:...``) or empty.
    """

    english: str
    chinese: str
    colour: str = ""
    scene: str = ""
    tag: str = ""


PROMPTS = (
    # Colours, alone and with what usually has another colour.
    Prompt("red", "红色", "red"),
    Prompt("orange landscape", "橙色的风景", "orange"),
    Prompt("yellow", "黄色", "yellow"),
    Prompt("green", "绿色", "green"),
    Prompt("blue landscape", "蓝色的风景", "blue"),
    Prompt("purple", "紫色", "purple"),
    Prompt("pink", "粉红色", "pink"),
    Prompt("brown landscape", "棕色的风景", "brown"),
    Prompt("grey", "灰色", "grey"),
    Prompt("white landscape", "白色的风景", "white"),
    Prompt("black", "黑色", "black"),
    Prompt("cyan water", "青色的水", "cyan"),
    Prompt("red mountains", "红色的山", "red", "mountain"),
    Prompt("purple mountains", "紫色的山脉", "purple", "mountain"),
    Prompt("blue mountains", "蓝色的山", "blue", "mountain"),
    Prompt("green sea", "绿色的大海", "green", "sea"),
    Prompt("blue sea", "蓝色的大海", "blue", "sea"),
    Prompt("grey sea", "灰色的海", "grey", "sea"),
    Prompt("orange forest", "橙色的森林", "orange", "forest"),
    Prompt("green forest", "绿色的森林", "green", "forest"),
    Prompt("yellow field", "黄色的田野", "yellow", "field"),
    Prompt("green meadow", "绿色的草地", "green", "field"),
    Prompt("pink garden", "粉色的花园", "pink", "garden"),
    Prompt("brown street", "棕色的街道", "brown", "city"),
    Prompt("grey city", "灰色的城市", "grey", "city"),
    Prompt("blue river", "蓝色的河流", "blue", tag="river"),
    Prompt("white snowy landscape", "白雪覆盖的白色风景", "white", "winter"),
    Prompt("blue snow", "蓝色的雪", "blue", "winter"),
    # Scenes in other words.
    Prompt("waves on the beach", "海滩上的波浪", scene="sea"),
    Prompt("cliffs on the coast", "海岸的悬崖", scene="sea"),
    Prompt("flower garden in spring", "春天的花园", scene="garden"),
    Prompt("valley in the mountains", "群山中的山谷", scene="mountain"),
    Prompt("high mountains and ice", "高山与冰", scene="mountain"),
    Prompt("trees in the woods", "树林里的树木", scene="forest"),
    Prompt("pine forest", "松林", scene="forest"),
    Prompt("street in Paris", "巴黎的街道", scene="city"),
    Prompt("a square in the city", "城市的广场", scene="city"),
    Prompt("night with a full moon", "满月之夜", scene="night"),
    Prompt("stars at night", "夜晚的星星", scene="night"),
    Prompt("wheat field", "麦田", scene="field"),
    Prompt("haystacks", "干草堆", scene="field"),
    Prompt("garden with flowers", "花园里的鲜花", scene="garden"),
    Prompt("blossoming orchard", "开花的果园", scene="garden"),
    Prompt("snow", "雪", scene="winter"),
    # Seasons and light.
    Prompt("winter forest", "冬天的森林", scene="winter", tag="winter"),
    Prompt("spring river", "春天的河", tag="spring"),
    Prompt("autumn forest", "秋天的森林", scene="forest", tag="autumn"),
    Prompt("summer meadow", "夏天的草地", scene="field", tag="summer"),
    Prompt("sea at night", "夜晚的大海", scene="night", tag="night"),
    Prompt("moonlight over the sea", "海上月光", scene="night", tag="night"),
    Prompt("sunset over the river", "河上日落", tag="sunset"),
    Prompt("city in the evening", "傍晚的城市", scene="city", tag="evening"),
    # Artists.
    Prompt("mountains by Roerich", "罗里奇的山", scene="mountain", tag="artist:Nicholas Roerich"),
    Prompt("stormy sea by Aivazovsky", "艾瓦佐夫斯基的暴风雨大海", scene="sea", tag="artist:Ivan Aivazovsky"),
    Prompt("cliffs by the sea, by Monet", "莫奈的海边悬崖", scene="sea", tag="artist:Claude Monet"),
    Prompt("wheat field by Van Gogh", "梵高的麦田", scene="field", tag="artist:Vincent van Gogh"),
    Prompt("street by Utrillo", "郁特里罗的街道", scene="city", tag="artist:Maurice Utrillo"),
    Prompt("forest by Cezanne", "塞尚的森林", scene="forest", tag="artist:Paul Cezanne"),
    Prompt("garden by Renoir", "雷诺阿的花园", scene="garden", tag="artist:Pierre Auguste Renoir"),
    Prompt("boulevard in Paris by Pissarro", "毕沙罗的巴黎大街", scene="city", tag="artist:Camille Pissarro"),
)

SHEET = (
    "red sunset over the sea",
    "blue sea with boats",
    "stormy sea, dark",
    "green forest",
    "autumn forest, orange",
    "winter, snow, white",
    "mountains in the style of Roerich, purple",
    "green mountain valley",
    "river in spring, by Monet",
    "water lilies, pond, by Monet",
    "yellow wheat field by Van Gogh",
    "night, moon, blue",
    "Venice, canal",
    "city street in Paris, grey",
    "church in a village",
    "bridge over a river in the fog",
    "beach, bright",
    "cliffs on the coast",
    "garden with flowers, pink",
    "Chinese ink landscape",
    "月光下的大海",
    "秋天的山水",
    "金色的麦田",
    "雪山，蓝色",
)
"""The same as for the first version, so that the sheets can be laid side by side."""

BRIDGES = (
    ("red sunset over the sea", "green forest"),
    ("winter, snow, white", "yellow wheat field by Van Gogh"),
    ("city street in Paris, grey", "mountains in the style of Roerich, purple"),
    ("night, moon, blue", "garden with flowers, pink"),
    ("Chinese ink landscape", "stormy sea, dark"),
    ("autumn forest, orange", "blue sea with boats"),
)
"""Pairs of pictures that have little in common."""
