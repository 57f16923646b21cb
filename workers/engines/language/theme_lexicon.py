"""What English (and modern Chinese) theme words are called in classical verse. Written for this project."""

from __future__ import annotations

_ENGLISH = """
moon 月 | moonlight 月光 | moonlit 月 | sun 日 | sunlight 日 | sunshine 晴日 | sunrise 晓日
sunset 夕阳 | dawn 晓 | daybreak 晓 | morning 朝 | noon 午 | dusk 暮 | evening 暮 | twilight 暮
night 夜 | midnight 夜半 | day 日 | today 今日 | star 星 | stars 星 | starry 星 | sky 天 | heaven 天
heavens 天 | cloud 云 | clouds 云 | cloudy 云阴 | mist 雾烟 | misty 烟 | fog 雾 | haze 烟霞 | wind 风
windy 风 | breeze 清风 | storm 风雨 | thunder 雷 | lightning 电 | rain 雨 | rainy 雨 | drizzle 细雨
snow 雪 | snowy 雪 | frost 霜 | ice 冰 | dew 露 | rainbow 虹 | season 时 | spring 春 | summer 夏
autumn 秋 | fall 秋 | winter 冬 | year 岁 | years 岁年 | time 光阴 | mountain 山 | mountains 山
hill 山 | hills 山 | peak 峰 | cliff 崖 | rock 石 | rocks 石 | stone 石 | valley 谷 | cave 洞
forest 林 | wood 林 | woods 林 | grove 林 | tree 树 | trees 树 | leaf 叶 | leaves 叶 | root 根
branch 枝 | pine 松 | pines 松 | cypress 柏 | willow 柳 | willows 柳 | bamboo 竹 | bamboos 竹 | plum 梅
peach 桃 | pear 梨 | apricot 杏 | orchid 兰 | orchids 兰 | chrysanthemum 菊 | chrysanthemums 菊
lotus 莲荷 | lily 荷 | lilies 荷 | peony 牡丹 | rose 蔷薇 | roses 蔷薇 | osmanthus 桂 | maple 枫
mulberry 桑 | flower 花 | flowers 花 | blossom 花 | blossoms 花 | bloom 花 | petal 落花 | petals 落花
grass 草 | moss 苔 | reed 芦 | reeds 芦 | garden 园 | orchard 园 | field 田 | fields 田 | meadow 草
farm 田 | farmer 农 | farmers 农 | harvest 禾 | wheat 麦 | rice 稻 | silk 丝 | water 水 | waters 水
river 江 | rivers 江河 | stream 溪 | brook 溪 | creek 溪 | lake 湖 | pond 池 | pool 池 | sea 海
ocean 海 | wave 波 | waves 波 | tide 潮 | waterfall 瀑 | spring-water 泉 | fountain 泉 | well 井
shore 岸 | beach 沙岸 | sand 沙 | island 洲 | boat 舟 | boats 舟 | ship 船 | ships 船 | sail 帆
sails 帆 | fisherman 渔 | fishermen 渔 | fishing 渔钓 | fish 鱼 | bridge 桥 | harbour 津 | harbor 津
ferry 渡 | road 路 | path 径 | journey 行 | travel 行客 | traveller 客 | traveler 客 | wanderer 客
stranger 客 | horse 马 | horses 马 | cart 车 | carriage 车 | train 车 | gate 门 | door 门 | window 窗
house 屋 | home 家 | homeland 故乡 | hometown 故乡 | homesick 乡思 | homesickness 乡思 | village 村
town 城 | city 城 | wall 城 | capital 京 | palace 宫 | temple 寺 | temples 寺 | monk 僧 | monks 僧
pagoda 塔 | tower 楼 | pavilion 亭 | courtyard 庭 | market 市 | tavern 酒旗 | lamp 灯 | lantern 灯
lanterns 灯 | candle 烛 | fire 火 | smoke 烟 | incense 香 | bell 钟 | drum 鼓 | flute 笛 | lute 琴
zither 琴 | music 乐 | song 歌 | songs 歌 | singing 歌 | dance 舞 | dancing 舞 | chess 棋 | book 书
books 书 | reading 读书 | poem 诗 | poems 诗 | poetry 诗 | poet 诗 | brush 笔 | painting 画 | picture 画
letter 书信 | wine 酒 | drunk 醉 | drinking 饮酒 | drink 饮 | tea 茶 | coffee 茶 | cup 杯 | feast 宴
sword 剑 | bow 弓 | arrow 箭 | war 战 | battle 战 | soldier 征戍 | soldiers 征戍 | general 将军
frontier 边塞 | border 边塞 | desert 沙塞 | army 军 | hero 英雄 | king 王 | emperor 帝 | empire 国
country 国 | nation 国 | peace 太平 | history 古 | ancient 古 | ruins 古台 | past 往事 | bird 鸟
birds 鸟 | goose 雁 | geese 雁 | crane 鹤 | cranes 鹤 | swallow 燕 | swallows 燕 | oriole 莺
cuckoo 杜鹃 | crow 鸦 | crows 鸦 | gull 鸥 | gulls 鸥 | seagull 鸥 | duck 凫 | ducks 凫 | eagle 鹰
owl 鸮 | phoenix 凤 | dragon 龙 | tiger 虎 | deer 鹿 | monkey 猿 | ape 猿 | gibbon 猿 | dog 犬 | cat 猫
cats 猫 | ox 牛 | cow 牛 | cattle 牛 | sheep 羊 | rabbit 兔 | turtle 龟 | snake 蛇 | rooster 鸡
chicken 鸡 | butterfly 蝶 | butterflies 蝶 | bee 蜂 | bees 蜂 | cicada 蝉 | cicadas 蝉 | cricket 蛩
crickets 蛩 | firefly 萤 | fireflies 萤 | dragonfly 蜻蜓 | frog 蛙 | frogs 蛙 | spider 蛛 | feather 羽
wing 翼 | wings 翼 | love 相思 | lover 相思 | lovers 相思 | beloved 相思 | longing 相思 | missing 相思
kiss 情 | heart 心 | soul 魂 | spirit 神 | ghost 鬼 | god 神 | dream 梦 | dreams 梦 | dreaming 梦
sleep 眠 | sleeping 眠 | memory 忆 | memories 忆 | remember 忆 | forget 忘 | hope 望 | sorrow 愁
sorrows 愁 | sad 愁 | sadness 愁 | grief 悲 | melancholy 愁 | tear 泪 | tears 泪 | crying 泪 | lonely 孤
loneliness 孤独 | alone 独 | solitude 独幽 | solitary 孤 | joy 欢 | happy 欢 | happiness 欢
laughter 笑 | smile 笑 | anger 怒 | fear 惊 | quiet 静 | silence 静 | silent 静 | calm 静 | stillness 静
peaceful 静 | free 逍遥 | freedom 逍遥 | idle 闲 | leisure 闲 | life 生 | death 死 | old 老 | aging 老
youth 少年 | young 少年 | child 儿 | children 儿童 | boy 童 | girl 女 | woman 女 | women 女
beauty 佳人 | beautiful 美 | bride 新妇 | mother 母慈 | grandmother 慈母 | grandfather 祖 | father 父
parents 父母 | brother 弟兄 | brothers 弟兄
sister 姊妹 | son 子 | daughter 女 | family 家 | wife 妻 | husband 夫 | friend 故人
friends 故人 | friendship 故人 | parting 别离 | farewell 送别 | goodbye 送别 | separation 别离
return 归 | returning 归 | reunion 相逢 | meeting 相逢 | guest 客 | hermit 隐 | recluse 隐 | immortal 仙
immortals 仙 | fairy 仙 | buddha 佛 | zen 禅 | tao 道 | dao 道 | philosophy 道 | fate 命 | eternity 千古
world 世 | universe 乾坤 | earth 地 | land 野 | wilderness 野 | dust 尘 | gold 金 | golden 金
silver 银 | jade 玉 | pearl 珠 | jewel 珠 | red 红 | crimson 红 | green 翠 | blue 碧 | white 白
black 黑 | yellow 黄 | purple 紫 | colour 色 | color 色 | light 光 | shadow 影 | shadows 影 | dark 暗
darkness 暗 | bright 明 | cold 寒 | warm 暖 | hot 热 | heat 暑 | cool 凉 | fragrance 香 | scent 香
sound 声 | voice 声 | echo 响 | mirror 镜 | robe 衣 | clothes 衣 | hair 鬓发 | face 颜 | eye 眼
eyes 眼 | hand 手 | south 南 | north 北 | east 东 | west 西 | yangtze 长江 | work 耕 | ploughing 耕
festival 佳节 | newyear 元日 | birthday 寿 | wedding 婚 | swing 秋千 | kite 纸鸢 | medicine 药
illness 病 | sick 病 | food 食 | fruit 果 | orange 橘 | grape 葡萄 | bread 麦 | salt 盐 | umbrella 伞
fan 扇 | boatman 舟子 | woodcutter 樵 | shepherd 牧 | flying 飞 | fly 飞 | climbing 登 | climb 登
walking 行 | walk 行 | waiting 待 | far 远 | distance 远 | distant 远 | high 高 | deep 深 | empty 空
emptiness 空 | falling 落 | blue-sky 碧天 | robot 木人 | computer 机 | machine 机 | music-box 乐
space 太空 | astronaut 天客
"""

_CHINESE = """
月亮 月 | 太阳 日 | 星星 星 | 星空 星天 | 下雨 雨 | 下雪 雪 | 大海 海 | 海洋 海 | 河流 河 | 湖泊 湖
高山 高山 | 大山 山 | 森林 林 | 树木 树 | 春天 春 | 夏天 夏 | 秋天 秋 | 冬天 冬 | 早晨 晓 | 早上 晓
晚上 夜 | 夜晚 夜 | 黄昏 黄昏 | 傍晚 暮 | 中午 午 | 今天 今日 | 日出 晓日 | 日落 夕阳 | 花朵 花
爱情 相思 | 恋爱 相思 | 想念 相思 | 思念 相思 | 爱 情 | 妈妈 慈母 | 母亲 慈母 | 爸爸 父 | 父亲 父
朋友 故人 | 友谊 故人 | 友情 故人 | 老师 师 | 孩子 儿 | 孤独 孤独 | 寂寞 寂寞 | 快乐 欢 | 高兴 欢
幸福 欢 | 悲伤 悲 | 难过 愁 | 伤心 伤心 | 忧伤 愁 | 离别 离别 | 分别 离别 | 告别 送别 | 毕业 送别
再见 送别 | 回家 归家 | 故乡 故乡 | 家乡 故乡 | 旅行 行客 | 旅游 游 | 战争 战 | 和平 太平 | 自由 逍遥
生日 寿 | 新年 元日 | 过年 元日 | 春节 元日 | 中秋 中秋月 | 端午 端午 | 重阳 重阳菊 | 清明 清明
元宵 元宵灯 | 七夕 七夕牛女 | 除夕 除夕 | 喝酒 饮酒 | 喝茶 茶 | 咖啡 茶 | 火车 车 | 汽车 车 | 飞机 飞天
电脑 机 | 手机 书信 | 猫 猫 | 小猫 猫 | 小狗 犬 | 狗 犬 | 蝴蝶 蝶 | 小鸟 鸟 | 鸟儿 鸟 | 燕子 燕
大雁 雁 | 荷花 荷 | 梅花 梅花 | 桃花 桃花 | 菊花 菊 | 竹子 竹 | 柳树 柳 | 瀑布 瀑布 | 大漠 沙塞
沙漠 沙塞 | 草原 草原 | 宇宙 乾坤 | 时间 光阴
"""

_EMOJI = """
🌙月 🌕月 🌛月 ☀日 🌞日 ⭐星 🌟星 ☁云 🌧雨 ☔雨 ⛈雷雨 ❄雪 ⛄雪 🌈虹 🌊海波 🔥火 🌸花 🌺花 🌹花 🌻花
🍂秋叶 🍁枫秋 🌲松 🌳树 🌿草 🎋竹 🏔山 ⛰山 🏯城 🐦鸟 🐟鱼 🐎马 🐴马 🐉龙 🐅虎 🐈猫 🐕犬 🦋蝶 🍵茶 🍶酒
🍷酒 📖书 🎵歌 ⛵舟 ❤情 💔愁 😢泪 😭泪 😴眠 🏮灯 🎑月 🌅晓日 🌇夕阳 🌃夜 🌾稻
"""

# Traditional characters that people type in themes, and the simplified ones of the vocabulary.
_TRADITIONAL = """
愛爱 葉叶 東东 馬马 鳥鸟 魚鱼 風风 雲云 飛飞 龍龙 鳳凤 雞鸡 鴨鸭 鵝鹅 鶴鹤 燈灯 燭烛 煙烟 無无 熱热 爐炉
營营 獨独 獸兽 畫画 盡尽 碼码 礎础 禮礼 種种 穀谷 窮穷 競竞 筆笔 節节 簡简 紅红 紙纸 純纯 細细 終终 結结
絕绝 絲丝 綠绿 網网 緒绪 線线 縣县 總总 織织 繡绣 羅罗 義义 習习 聖圣 聞闻 聲声 聽听 臺台 舊旧 艷艳 莊庄
華华 萬万 蓮莲 蘇苏 蘭兰 處处 蟬蝉 螢萤 蠶蚕 裡里 裏里 補补 見见 覺觉 親亲 觀观 記记 許许 詩诗 話话 語语
說说 誰谁 談谈 請请 論论 謝谢 讀读 變变 豐丰 貴贵 買买 賞赏 賢贤 贈赠 趕赶 車车 軍军 輕轻 輪轮 轉转 農农
連连 進进 遊游 運运 過过 達达 遠远 還还 邊边 鄉乡 醫医 釣钓 針针 銀银 錢钱 錦锦 鐘钟 鏡镜 長长 門门 開开
閑闲 閒闲 間间 關关 陰阴 陳陈 陽阳 隨随 隱隐 難难 雙双 離离 電电 霧雾 靈灵 靜静 韓韩 頂顶 頭头 顏颜 題题
願愿 類类 飄飘 飯饭 飲饮 養养 餘余 館馆 驚惊 驛驿 鬱郁 鬧闹 鬢鬓 鷗鸥 鷹鹰 鴻鸿 鶯莺 麗丽 麥麦 黃黄 點点
齊齐 龜龟 夢梦 歲岁 歸归 歷历 殘残 氣气 決决 淚泪 淒凄 淺浅 漁渔 漢汉 灣湾 滅灭 滿满 潔洁 澤泽 濁浊 濃浓
濕湿 瀟潇 烏乌 爭争 爺爷 牽牵 狀状 猶犹 環环 現现 瓊琼 異异 當当 疊叠 發发 皺皱 監监 盤盘 眾众 睏困 祿禄
稱称 積积 傷伤 傳传 偉伟 側侧 備备 億亿 儀仪 優优 兒儿 內内 兩两 冊册 凍冻 劍剑 劉刘 動动 務务 勝胜 勞劳
勢势 勸劝 區区 協协 單单 嚴严 問问 啟启 喚唤 喪丧 嘆叹 國国 園园 圓圆 圖图 團团 報报 場场 塵尘 壓压 壯壮
壽寿 夾夹 奪夺 婦妇 嬌娇 孫孙 學学 宮宫 實实 寧宁 審审 寫写 寬宽 寶宝 將将 專专 尋寻 對对 導导 層层 屬属
島岛 峽峡 嶺岭 嶽岳 巖岩 師师 帳帐 帶带 幾几 庫库 廣广 廟庙 廬庐 張张 強强 彈弹 後后 徑径 從从 復复 憂忧
憐怜 憶忆 應应 懷怀 戀恋 戰战 戲戏 戶户 揚扬 損损 搖摇 擇择 擊击 據据 擁拥 攜携 敵敌 數数 斷断 時时 晉晋
晝昼 曉晓 會会 條条 楊杨 楓枫 業业 極极 榮荣 樂乐 樓楼 標标 樹树 橋桥 機机 橫横 檢检 櫻樱 權权 歡欢 殺杀
沒没 溫温 滄沧 漲涨 漸渐 灑洒 灘滩 災灾 鄰邻 鋤锄 霽霁 韻韵 須须 順顺 領领 顧顾 飢饥 馮冯 馳驰 駐驻 騎骑
騷骚 鵑鹃 鷺鹭 麼么 齒齿 亞亚 個个 們们 來来 倫伦 倆俩 傘伞 僅仅 價价 儉俭 償偿 媽妈 嬋婵 嬰婴 慶庆 慮虑
懶懒 撫抚 攬揽 曠旷 朧胧 鳴鸣 嶇岖 牆墙 盧卢 紛纷 絃弦 綺绮
"""


def _pairs(text: str) -> dict[str, str]:
    entries = (entry.split() for line in text.splitlines() for entry in line.split("|") if entry.strip())
    return {entry[0]: entry[1] for entry in entries}


ENGLISH = _pairs(_ENGLISH)
"""English word, lower case -> one to three characters of the classical vocabulary."""
CHINESE = _pairs(_CHINESE)
"""Modern Chinese word -> what verse says instead."""
EMOJI = {entry[0]: entry[1:] for entry in _EMOJI.split()}
TRADITIONAL = {ord(pair[0]): pair[1] for pair in _TRADITIONAL.split() if pair[0] != pair[1]}
