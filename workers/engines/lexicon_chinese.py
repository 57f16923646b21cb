"""A Chinese lexicon for prompts: terms (simplified, and common traditional forms) -> vocabulary words.

Written for this project. The longest term wins, so compounds that mean something else than their
characters have an entry of their own.
"""

from __future__ import annotations

_LINES = """
海 大海 海洋 沧海 海上 海面 海景 汪洋 碧海 東海 东海 南海 海水 = sea
蓝色的海 蓝海 = sea blue
怒海 怒涛 惊涛骇浪 惊涛 = sea storm wave
海边 海岸 海滨 岸边 岸 海角 海湾 湾 海灣 = coast
沙滩 海滩 滩 沙灘 海灘 = beach
浪 波浪 海浪 浪花 波涛 波濤 涛 = wave sea
潮 潮水 潮汐 = sea coast
岛 小岛 海岛 孤岛 島 = island
港 港口 码头 海港 渔港 港湾 碼頭 泊 = harbour
船 小船 舟 孤舟 扁舟 帆 帆船 渔船 渔舟 轮船 舰 小舟 客船 画舫 漁船 船只 = boat
沉船 海难 = boat storm
渔夫 渔翁 渔民 渔家 人 行人 旅人 游人 农夫 人物 人们 = people
江 河 大江 河流 江水 江河 长江 黄河 溪 小溪 溪流 塞纳河 河水 江南 流水 泰晤士河 = river
秋江 春江 江上 河畔 江畔 = river
河岸 = river
湖 湖水 西湖 湖泊 湖面 湖畔 洞庭 = lake
池 池塘 水池 潭 荷塘 塘 = pond
水 水面 倒影 水中 水边 碧水 绿水 = water
山水 山水画 = ink mountain water
山 群山 高山 山峰 山脉 青山 大山 山峦 峰 岭 峻岭 远山 山岳 名山 泰山 黄山 华山 = mountain
山顶 富士山 火山 山脈 千山 山中 庐山 空山 = mountain
雪山 阿尔卑斯 阿尔卑斯山 = mountain snow
喜马拉雅 喜马拉雅山 珠峰 西藏 昆仑 藏 = himalaya mountain
丘 山丘 小山 丘陵 坡 山坡 沙丘 山岗 = hill
谷 山谷 峡谷 峡 三峡 谷地 = valley
崖 悬崖 峭壁 绝壁 断崖 懸崖 = cliff
岩 岩石 石头 石 礁石 礁 巨石 怪石 = rock
瀑布 飞瀑 飞流 瀑 = waterfall
冰 冰河 冰川 冰山 冰雪 结冰 霜 = ice cold
森林 树林 林 林间 丛林 密林 树丛 山林 深林 林中 = forest
竹林 竹 竹子 = forest green
树 树木 大树 古树 老树 樹 橡树 白桦 桦树 梧桐 枫树 柏树 槐 = tree
松 松树 松林 青松 = pine
柳 柳树 杨柳 垂柳 柳絮 = willow
白杨 杨树 = poplar
橄榄 橄榄树 = olive tree
花园 园 园林 庭园 庭院 后花园 院子 花圃 花園 果园 = garden
公园 = park
花 花朵 鲜花 野花 百花 花丛 菊 菊花 玫瑰 牡丹 兰花 蔷薇 郁金香 鳶尾 鸢尾 = flower
向日葵 = flower yellow
薰衣草 = flower purple field
罂粟 虞美人 = poppy flower
荷 荷花 莲 莲花 睡莲 荷叶 = waterlily pond
花开 开花 盛开 杏花 梨花 花枝 = blossom
樱花 桃花 櫻花 = blossom pink
梅花 梅 = blossom winter
田 田野 原野 稻田 农田 田园 平原 田間 田地 草原 荒原 旷野 野 = field
草地 草 草坪 牧场 芳草 青草 = meadow green
麦 麦田 麦子 小麦 庄稼 麥田 = wheat field
金色的麦田 金黄的麦田 = wheat field yellow
干草堆 草堆 草垛 干草 = haystack
桥 大桥 小桥 石桥 拱桥 断桥 橋 木桥 = bridge
小桥流水 = bridge river
路 小路 道路 大道 小径 山路 乡间小路 路上 道 径 = road
街 街道 大街 街头 巷 小巷 林荫道 街市 = street city
城 城市 都市 城镇 市 市区 广场 市场 都城 京城 长安 北京 上海 镇 高楼 城里 = city
村 村庄 村落 乡村 山村 农村 小镇 村莊 渔村 江村 水乡 乡间 = village
房子 屋 房屋 小屋 茅屋 木屋 家 屋顶 房 别墅 人家 农舍 = house
农场 农庄 = farm
磨坊 风车 水车 = mill
教堂 大教堂 圣母院 修道院 = church
寺 寺庙 庙 古寺 塔 宝塔 佛寺 寺院 庙宇 = temple
城堡 宫殿 宫 皇宫 堡垒 故宫 塔楼 = castle
废墟 遗迹 古迹 = ruins
运河 = canal water
威尼斯 水城 = venice city
巴黎 = paris city
伦敦 = london city
意大利 罗马 那不勒斯 佛罗伦萨 = italy
荷兰 阿姆斯特丹 = holland
日本 浮世绘 浮世繪 版画 木版画 和风 = ukiyoe
车站 火车站 火车 铁路 = station
天空 天 蓝天 天际 苍穹 长空 = sky
云 白云 云海 乌云 云彩 浮云 雲 多云 阴天 = cloud
风景 风光 景色 景 山河 江山 风景画 風景 = landscape
春 春天 春日 春季 早春 初春 春色 春光 春风 = spring
夏 夏天 夏日 夏季 盛夏 = summer
秋 秋天 秋日 秋季 深秋 秋色 秋风 金秋 落叶 红叶 枫叶 = autumn
冬 冬天 冬日 冬季 寒冬 隆冬 = winter
雪 白雪 大雪 雪景 下雪 积雪 雪地 飞雪 雪花 江雪 = snow winter
暴风雪 风雪 = snow storm
早晨 清晨 早上 晨 黎明 日出 朝霞 朝阳 拂晓 晨曦 = morning
白天 中午 正午 下午 午后 日间 = day
傍晚 黄昏 晚上 暮 暮色 薄暮 夕 = evening
日落 夕阳 落日 晚霞 斜阳 残阳 霞 落霞 夕照 = sunset
夜 夜晚 夜里 夜色 深夜 午夜 夜景 星空 星 星星 星夜 今夜 繁星 = night
月 月亮 明月 月色 圆月 新月 满月 秋月 = moon
月光 月夜 月下 静夜思 = moon night
太阳 阳光 日光 晴 晴天 晴朗 烈日 日 陽光 = sun
雾 薄雾 烟雾 雾气 烟 霧 烟波 朦胧 = fog
雨 下雨 细雨 烟雨 雨天 大雨 雨中 彩虹 虹 = rain
暴风雨 风暴 暴风 雷 雷雨 闪电 狂风 暴雨 风 大风 = storm
平静 宁静 安静 静 静谧 寂静 = calm
红 红色 赤 朱 朱红 紅 紅色 火红 鲜红 绯红 血红 = red
橙 橙色 橘色 橘红 橘黄 橘 = orange
黄 黄色 金 金色 金黄 黃色 鹅黄 = yellow
绿 绿色 碧 翠 翠绿 青绿 绿意 綠 綠色 碧绿 墨绿 苍翠 = green
青 青色 湖蓝 碧蓝 蓝绿 绿松石 天青 = cyan
蓝 蓝色 天蓝 深蓝 湛蓝 蔚蓝 藍 藍色 宝蓝 靛蓝 = blue
紫 紫色 淡紫 紫罗兰 = purple
粉 粉色 粉红 粉红色 桃红 = pink
棕 棕色 褐色 褐 咖啡色 赭石 土黄 = brown
白 白色 洁白 雪白 银白 = white
黑 黑色 漆黑 墨黑 = black
灰 灰色 银色 银 灰暗 = grey
暗 黑暗 昏暗 幽暗 阴暗 阴沉 深沉 = dark
亮 明亮 光明 光亮 光 灿烂 光辉 = bright
暖 温暖 暖色 温馨 = warm
冷 寒 寒冷 冰冷 冷色 清冷 = cold
鲜艳 艳丽 五彩 彩色 缤纷 五颜六色 绚丽 浓艳 = vivid
柔和 淡 淡雅 素雅 清淡 浅 朴素 = muted
印象派 印象主义 印象 = impressionism
后印象派 后印象主义 = postimpressionism
浪漫主义 浪漫派 浪漫 = romanticism
象征主义 象征派 神秘 梦幻 梦 = symbolism
新艺术 新艺术运动 = artnouveau
巴洛克 洛可可 = baroque
现实主义 写实 写实主义 自然主义 = realism
点彩 点彩派 点彩画 = pointillism
水墨 水墨画 国画 中国画 中国 宋 宋代 明代 宋画 卷轴 墨 古画 文人画 写意 = ink
立体派 立体主义 立体 = cubism
莫奈 = monet
罗里奇 列里赫 洛里奇 = roerich
梵高 凡高 梵谷 = gogh
艾瓦佐夫斯基 = aivazovsky
毕沙罗 = pissarro
西斯莱 = sisley
塞尚 = cezanne
雷诺阿 = renoir
布丹 = boudin
郁特里罗 = utrillo
高更 = gauguin
霍德勒 = hodler
透纳 特纳 = turner
柯罗文 科罗文 = korovin
萨金特 = sargent
弗里德里希 = friedrich
康斯太勃尔 康斯特布尔 = constable
克里姆特 = klimt
卡纳莱托 = canaletto
库因芝 库因吉 = kuindzhi
勃纳尔 博纳尔 = bonnard
索罗拉 = sorolla
席勒 = schiele
星月夜 = night gogh
"""

_STOP_LINES = """
的 了 和 在 一 是 有 与 及 之 上 下 里 中 内 外 着 个 幅 张 片 座 条 只 一个 一幅 一张 一片 一座
一条 一只 一艘 一轮 一叶 画 图 图画 油画 绘画 画面 作品 风格 式 请 画一幅 画一张 给我 我 我想
想要 要 你 它 他 她 我们 很 非常 最 更 美 美丽 漂亮 好看 好 大 小 老 古 古老 新 远 近 高 低 远处
近处 旁 旁边 边 前 后 前面 后面 之上 之下 之中 里面 上面 下面 中间 从 到 向 对 被 把 让 像 如 似
般 又 也 都 而 且 并 不 没有 无 这 那 些 几 多 许多 满 充满 色 色彩 颜色 时 时候 的时候 天的
有着 带 带有 两 三 独 处 是的 吧 呢 啊 吗
"""

CHINESE_STOP = frozenset(_STOP_LINES.split())
"""Function words and words of measure: neither understood nor reported."""


def _parse(lines: str) -> dict[str, tuple[str, ...]]:
    terms: dict[str, tuple[str, ...]] = {}
    for line in lines.strip().splitlines():
        left, _, right = line.partition("=")
        words = tuple(right.split())
        for term in left.split():
            terms[term] = words
    return terms


CHINESE = _parse(_LINES)
"""term -> words; one to six characters each."""
