"""What Chinese theme words are called in English verse: the lexicon of verse read the other way round."""

from __future__ import annotations

from collections.abc import Iterator

from workers.engines.language.theme_lexicon import CHINESE, ENGLISH
from workers.engines.poetry.prompt_tokens import GRAMMAR

# Where the way back would lead elsewhere, or there is none; the likelier word first.
_TABLE = """
爱 love | 爱情 love | 恋爱 love | 恋 love | 情 love | 情人 lover | 吻 kiss | 心 heart | 想念 longing
思念 longing | 思 longing,memory | 思乡 home | 乡愁 home,sorrow | 乡 home | 母 mother | 母亲 mother
妈妈 mother | 慈母 mother | 父亲 father | 爸爸 father | 祖母 grandmother | 人 man | 人生 life
人间 world | 王子 prince | 公主 princess | 女王 queen | 皇后 queen | 天使 angel | 上帝 god
士兵 soldier | 水手 sailor | 船长 captain | 旅人 wanderer,stranger | 老师 teacher,master
师 teacher,master | 婴儿 infant | 河 river | 高山 mountain | 山水 mountain,river | 雪山 snow,mountain
江山 mountain,river | 江南 river,south | 黄昏 twilight,evening | 夕 evening | 晚 evening
昏 dusk,twilight | 阳 sun | 阳光 sunshine,sun | 天空 sky | 星空 stars,sky | 星光 starlight,stars
河水 river | 海浪 waves | 波浪 waves | 浪 waves | 浪花 waves | 海岸 shore | 沙滩 shore,beach | 岛 island
岛屿 island | 帆船 sail,ship | 灯塔 lighthouse,beacon | 小溪 stream | 雪花 snow | 冰雪 ice,snow
落叶 leaves,autumn | 树叶 leaves | 叶子 leaves | 叶 leaves | 玫瑰 rose | 百合 lily | 樱花 cherry
梅花 plum | 桃花 peach | 枫叶 maple,leaves | 草原 meadow,plain | 原 plain | 花园 garden
花 flowers,flower | 鸟 bird | 狮子 lion | 狮 lion | 老虎 tiger | 狼 wolf | 狐狸 fox | 狐 fox
夜莺 nightingale | 蜜蜂 bee | 鲸 whale | 鲸鱼 whale | 羊 sheep | 蓝 blue | 蓝色 blue | 绿 green
绿色 green | 青 green | 粉 rose | 橙 orange | 灰 grey,gray | 红色 red | 白色 white | 黑色 black
火焰 flame | 燃烧 fire | 世界 world | 城市 city | 城 city | 都市 city | 街 street | 街道 street
车站 station | 房子 house | 教堂 church | 钟声 bell | 音乐 music | 歌曲 song | 诗人 poet | 诗歌 poem
画家 painter | 梦想 dream | 希望 hope | 回忆 memory | 记忆 memory | 眼泪 tears | 泪 tears | 微笑 smile
灵魂 soul | 生命 life | 死亡 death | 生 life | 死 death | 国王 king | 美丽 beauty | 美 beauty
青春 youth | 少年 youth | 老人 old | 寂寞 lonely | 孤独 lonely | 孤单 lonely | 寂 silence
安静 silence,quiet | 宁静 calm,quiet | 平静 calm | 光明 light | 黑暗 darkness | 阴影 shadow
伤心 sorrow | 悲伤 sorrow | 忧伤 sorrow | 愁 sorrow | 离别 parting | 分别 parting | 别离 parting
告别 farewell | 送别 farewell | 再见 farewell | 别 parting | 送 farewell | 离 parting | 毕业 farewell
归 return | 归家 home | 回家 home | 游 journey | 旅行 journey | 旅途 journey | 中秋 moon,autumn
元宵 lantern | 清明 grave,spring | 端午 dragon,river | 重阳 autumn,mountain | 七夕 stars,love
除夕 night,year | 新年 year | 元日 year | 圣诞 christmas | 飞机 sky,wings | 火车 train | 汽车 carriage
手机 letter | 电脑 machine | 机 machine | 岁月 years | 光阴 time | 时间 time | 永恒 eternity
千古 eternity | 月光 moonlight | 日子 days | 今夜 night | 今宵 night | 今日 today | 明天 tomorrow
昨天 yesterday | 早 morning | 雪夜 snow,night | 小鸟 bird | 小猫 cat | 小狗 dog | 狗 dog | 牛 cattle
食 bread | 麦 wheat | 耕 plough,field | 命 fate | 命运 fate | 勇气 courage | 力量 power | 真理 truth
智慧 wisdom | 战争 war | 和平 peace | 自由 freedom | 友谊 friendship,friend | 朋友 friend
童年 childhood | 童 boy | 影 shadow | 声 voice,sound | 静 silence | 行 journey | 客 wanderer,stranger
落 falling | 远方 far | 晴 sunshine | 晴天 sunshine | 彩虹 rainbow | 清风 breeze | 秋 autumn | 木 wood
林 forest | 茶 tea
"""

# Grammar of phrases: words of place, number and manner that make no theme.
_WEAK = GRAMMAR | frozenset(
    "上下中里内外前后边间旁一二三四五六七八九十百千万大小多少来去出入见看听问到从向对会能可将已又更再还最此何"
    "如若同共自所无不未有首个过着得写作给是要想只两几每时处今只色"
)


def _entries() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Entries of the reversed lexicon, then those of the table, which replace them."""
    back: dict[str, list[str]] = {}
    for english, classical in ENGLISH.items():
        back.setdefault(classical, []).append(english)
    yield from ((classical, tuple(words)) for classical, words in back.items())
    yield from ((modern, tuple(back[word])) for modern, word in CHINESE.items() if word in back)
    for entry in _TABLE.replace("\n", "|").split("|"):
        if entry.strip():
            chinese, words = entry.split()
            yield chinese, tuple(words.split(","))


_ENTRIES = dict(_entries())
_LONGEST = max(map(len, _ENTRIES))


def pieces(run: str) -> list[tuple[str, tuple[str, ...]]]:
    """A run of simplified Chinese characters as [(piece, English words for it)], the longest piece first.

    The words are in order of preference and mean about the same. A piece without any is one that was not
    understood; grammar is left out.
    """
    found: list[tuple[str, tuple[str, ...]]] = []
    place = 0
    while place < len(run):
        sizes = range(min(_LONGEST, len(run) - place), 0, -1)
        size = next((size for size in sizes if run[place : place + size] in _ENTRIES), 1)
        piece = run[place : place + size]
        if piece in _ENTRIES or piece not in _WEAK:
            found.append((piece, _ENTRIES.get(piece, ())))
        place += size
    return found


def others(word: str) -> tuple[str, ...]:
    """What else an English word of the lexicon may be called: those that share its Chinese."""
    return tuple(other for other in _ENTRIES.get(ENGLISH.get(word, ""), ()) if other != word)
