"""The labels of the classifier in Chinese: styles, genres, painters, colours, things.

They are terms of a fixed vocabulary, not sentences. A word that is missing here is shown as it came.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import get_language

STYLES = {
    "Impressionism": "印象派", "Post-Impressionism": "后印象派", "Romanticism": "浪漫主义",
    "Symbolism": "象征主义", "Baroque": "巴洛克", "Art Nouveau": "新艺术", "Realism": "现实主义",
    "Chinese ink painting": "中国水墨", "Divisionism": "分色主义", "Japanese prints": "日本版画",
    "Renaissance": "文艺复兴", "Cubism": "立体主义", "Tonalism": "色调主义", "Expressionism": "表现主义",
    "Rococo": "洛可可", "Naturalism": "自然主义",
}  # fmt: skip
GENRES = {
    "landscape": "风景", "genre painting": "风俗画", "portrait": "肖像", "cityscape": "城市景观",
    "religious painting": "宗教画", "still life": "静物", "illustration": "插图",
    "abstract painting": "抽象画", "marine": "海景", "nude painting": "人体",
}  # fmt: skip
PAINTERS = {
    "Claude Monet": "莫奈", "Nicholas Roerich": "洛里奇", "Vincent van Gogh": "凡·高",
    "Ivan Aivazovsky": "艾瓦佐夫斯基", "Rembrandt": "伦勃朗", "Pierre Auguste Renoir": "雷诺阿",
    "Paul Cezanne": "塞尚", "Henri Martin": "亨利·马丁", "Peter Paul Rubens": "鲁本斯",
    "Odilon Redon": "雷东", "Camille Pissarro": "毕沙罗", "Ivan Bilibin": "比利宾",
    "Paul Gauguin": "高更", "Gustave Loiseau": "卢瓦索", "Maurice Prendergast": "普伦德加斯特",
    "Mikalojus Ciurlionis": "丘尔廖尼斯", "Alfred Sisley": "西斯莱", "Childe Hassam": "哈萨姆",
    "Eugene Boudin": "布丹", "Konstantin Somov": "索莫夫", "Boris Kustodiev": "库斯托季耶夫",
    "Henri de Toulouse Lautrec": "图卢兹-罗特列克", "Ohara Koson": "小原古邨", "Ferdinand Hodler": "霍德勒",
    "Konstantin Korovin": "柯罗文", "William Turner": "透纳", "Edgar Degas": "德加",
    "Kuzma Petrov Vodkin": "彼得罗夫-沃德金", "Koloman Moser": "莫泽", "Gustav Klimt": "克里姆特",
    "Jacob Jordaens": "约尔丹斯", "Gustave Moreau": "莫罗", "Edmund Dulac": "杜拉克", "Frans Hals": "哈尔斯",
    "Pierre Bonnard": "博纳尔", "Anthony van Dyck": "凡·戴克", "Mikhail Vrubel": "弗鲁别利",
    "Maurice Utrillo": "郁特里罗", "Canaletto": "卡纳莱托", "Arnold Bocklin": "勃克林",
    "William Blake": "布莱克", "Francisco Goya": "戈雅", "Marianne North": "玛丽安·诺斯",
    "Konstantin Makovsky": "马科夫斯基",
}  # fmt: skip
COLOURS = {
    "black": "黑", "charcoal": "炭黑", "grey": "灰", "silver": "银灰", "white": "白", "ivory": "象牙白",
    "cream": "奶油黄", "sand": "沙色", "beige": "米色", "tan": "棕褐", "ochre": "赭黄", "gold": "金黄",
    "yellow": "黄", "lemon": "柠檬黄", "orange": "橙", "apricot": "杏色", "rust": "铁锈红", "brown": "褐",
    "umber": "棕土", "sienna": "赭石", "red": "红", "vermilion": "朱红", "crimson": "绯红",
    "maroon": "暗红", "coral": "珊瑚红", "pink": "粉红", "rose": "玫瑰红", "magenta": "品红",
    "plum": "梅紫", "violet": "紫", "lavender": "薰衣草紫", "mauve": "藕荷", "indigo": "靛蓝",
    "navy": "藏青", "ultramarine": "群青", "blue": "蓝", "sky blue": "天蓝", "pale blue": "浅蓝",
    "slate blue": "石板蓝", "teal": "青黛", "turquoise": "绿松石", "sea green": "海绿", "emerald": "翠绿",
    "green": "绿", "lime": "嫩绿", "olive": "橄榄绿", "moss": "苔绿", "sage": "灰绿",
    "forest green": "墨绿", "slate": "石板灰",
}  # fmt: skip
THINGS = {
    "landscape": "风景", "sea": "海", "city": "城市", "village": "村庄", "river": "河", "lake": "湖",
    "pond": "池塘", "mountain": "山", "hill": "丘陵", "valley": "山谷", "forest": "森林", "tree": "树",
    "garden": "花园", "park": "公园", "field": "田野", "meadow": "草地", "wheat": "麦田",
    "haystack": "草垛",
    "bridge": "桥", "beach": "海滩", "cliff": "悬崖", "rock": "岩石", "coast": "海岸", "island": "岛",
    "harbour": "港口", "boat": "小船", "church": "教堂", "house": "房屋", "farm": "农庄", "mill": "磨坊",
    "castle": "城堡", "street": "街道", "road": "路", "canal": "运河", "water": "水", "waterlily": "睡莲",
    "flower": "花", "poppy": "罂粟", "blossom": "花枝", "willow": "柳", "poplar": "白杨", "olive": "橄榄树",
    "pine": "松", "waterfall": "瀑布", "wave": "浪", "ice": "冰", "ruins": "废墟", "temple": "庙宇",
    "station": "车站", "people": "人", "sky": "天空", "cloud": "云", "cathedral": "大教堂",
    "monastery": "修道院", "tower": "塔", "palace": "宫殿", "square": "广场", "avenue": "林荫道",
    "path": "小径", "gate": "门", "cottage": "农舍", "orchard": "果园", "stream": "溪流",
    "riverbank": "河岸", "bay": "海湾", "tide": "潮", "ship": "船", "sailboat": "帆船", "fishing": "渔",
    "cattle": "牛群", "horse": "马", "bird": "鸟", "desert": "沙漠", "fantasy": "幻想", "spring": "春",
    "summer": "夏", "autumn": "秋", "winter": "冬", "snow": "雪", "morning": "早晨", "day": "白昼",
    "evening": "傍晚", "sunset": "日落", "night": "夜", "moon": "月", "sun": "太阳", "fog": "雾",
    "rain": "雨", "storm": "风暴", "calm": "宁静", "sunrise": "日出", "afternoon": "午后",
    "bright": "明亮", "dark": "幽暗", "portrait": "肖像",
}  # fmt: skip


def term(word: str, vocabulary: Mapping[str, str]) -> str:
    """The word in the visitor's language."""
    return vocabulary.get(word, word) if (get_language() or "en").startswith("zh") else word
