"""Characters: the simplified form of traditional ones, and emoji that mean words of the painter."""

from __future__ import annotations

from workers.engines.language.theme_lexicon import TRADITIONAL

# Beside the table of the verse lexicon: characters of places, painters, colours, animals and weather.
_MORE = """
藍蓝 濤涛 澗涧 嵐岚 峯峰 崗岗 塢坞 嶼屿 畝亩 瀾澜 凱凯 贊赞 賽赛 維维 納纳 蘭兰 紐纽 約约 聖圣 爾尔 魯鲁
薩萨 濱滨 鋼钢 鐵铁 築筑 廈厦 廳厅 樑梁 磚砖 階阶 欄栏 檸柠 櫸榉 樺桦 檜桧 薔蔷 鳶鸢 薊蓟 蘆芦 葦苇 蘋苹
棗枣 鉛铅 鈷钴 鎘镉 鉻铬 絳绛 緋绯 纖纤 繽缤 豔艳 雜杂 騰腾 驟骤 颱台 颶飓 飆飙 曇昙 曬晒 曖暧 暈晕 燦灿
爛烂 輝辉 瑩莹 閃闪 鋪铺 鎮镇 閣阁 壘垒 貝贝 鴿鸽 鵝鹅 鵲鹊 鴉鸦 鳩鸠 鴛鸳 鴦鸯 鸚鹦 鵡鹉 駱骆 駝驼 驢驴
騾骡 駿骏 羣群 獵猎 獅狮 豬猪 貓猫 鯨鲸 艦舰 艙舱 纜缆 錨锚 槳桨 檣樯 潛潜 瀉泻 溝沟 瀕濒 淵渊 澱淀 瀨濑
僑侨 隴陇 陝陕 遼辽 滬沪 喬乔 萊莱 賓宾 緹缇 賈贾 費费 諾诺 畢毕 歐欧 爲为 為为 於于 遙遥 謐谧 恆恒 悽凄
詭诡 祕秘 奧奥 蹟迹 跡迹 遺遗 廢废 堅坚 叢丛 蕪芜 蔭荫 蒼苍 綿绵 縷缕 絨绒 紋纹 軌轨 轎轿 輿舆 鑽钻 鑲镶
鍍镀 銅铜 鏽锈 銹锈 礦矿 硃朱 糧粮 倉仓 廠厂 闊阔 潑泼 繪绘 軸轴 捲卷 臨临 禪禅 賀贺 臘腊 誕诞 曆历 涼凉
潤润 乾干 暉晖 昇升 墜坠 殞殒 紗纱 湧涌 滾滚 溼湿 瀰弥 彌弥 籠笼 晝昼 鬥斗 嶄崭 巒峦 塹堑 墾垦 墳坟 壩坝
壟垄 徑径 橫横 欒栾 櫻樱 氾泛 淨净 湊凑 溫温 濘泞 瀅滢 灘滩 灝灏 炤照 燒烧 燼烬 牀床 犢犊 獨独 瑪玛 璽玺
甕瓮 癡痴 皚皑 盞盏 矯矫 碩硕 礫砾 穌稣 窯窑 竄窜 節节 籬篱 紀纪 級级 紮扎 絡络 綻绽 緬缅 縱纵 羨羡 聳耸
舖铺 艤舣 莖茎 葒荭 蒔莳 蓽荜 蕩荡 薈荟 蘿萝 虛虚 蜆蚬 蝦虾 蟻蚁 衆众 裝装 褲裤 覓觅 訪访 諧谐 豎竖 貨货
賴赖 躍跃 輻辐 轟轰 辭辞 邁迈 鄭郑 釀酿 鈴铃 鉤钩 銳锐 鎖锁 鏈链 鑄铸 閘闸 閱阅 闌阑 際际 雛雏 霑沾 韆千
韋韦 頓顿 頗颇 頸颈 颯飒 飼饲 馴驯 駁驳 騁骋 驗验 鮮鲜 鯉鲤 鱗鳞 鳳凤 鴴鸻 鵬鹏 鶉鹑 鷓鹧 鸛鹳 鸝鹂 麗丽
黴霉 龐庞 內内 敘叙 漲涨 煉炼 狹狭 體体 經经 書书 詞词 員员 調调 聯联 質质 興兴 術术 別别 蟲虫 亂乱 臉脸
態态 軟软 隊队 樣样 製制 脈脉 規规 膠胶 劇剧 蓋盖 險险 陸陆 髮发 敗败 湯汤 鹽盐 創创 掛挂 勁劲 構构 藝艺
塊块 桿杆 觸触 圍围 與与 衝冲 吳吴 療疗 擺摆 係系 駕驾 噴喷 沖冲 殼壳 給给 採采 剛刚 棄弃 臥卧 傑杰 緩缓
飾饰 塗涂 適适 漿浆 懸悬 撲扑 鋒锋 幫帮 這这 讓让 岡冈 綜综 彎弯 盜盗 顛颠 攝摄 貢贡 範范 佈布 繞绕 棧栈
覽览 煩烦 渾浑 慘惨 趙赵 鋸锯 壇坛 遲迟 獄狱 蕭萧 蝕蚀 齋斋 撐撑 蔥葱 鵰雕 俠侠 稜棱 悅悦 頹颓 樸朴 呂吕
隻只 綴缀 斂敛 襯衬 誇夸 瑤瑶 鬍胡 剎刹 軒轩 繫系 轍辙 頑顽 迴回 盪荡 欖榄 該该 驕骄 鴣鸪 崙仑 雖虽 侖仑
崑昆 瀘泸 簾帘 綢绸 鐮镰 靄霭 藪薮 磯矶 癒愈 熾炽 漣涟 嗎吗 窪洼 蟄蛰 闕阙 氈毡 爍烁 龕龛 靂雳 轅辕 嘯啸
漬渍 櫚榈 歎叹 凜凛 繚缭 疇畴 悵怅 鸕鸬 鶿鹚 鵜鹈 箏筝 韁缰 棟栋 蘚藓 裊袅 颼飕 潯浔 鶘鹕 鑾銮 嫻娴 鵪鹌
洶汹 縹缥 儼俨 堊垩 籟籁 簷檐 巔巅 櫓橹 鷳鹇 絢绚 緲缈 鈦钛 佇伫 濛蒙 纔才 奼姹 椏桠 梔栀 灕漓 縞缟 罌罂
蘢茏 龔龚 菴庵 墻墙 谿溪 愜惬 絹绢 斕斓 氳氲 觴觞 礡礴 蕎荞 説说 鼕冬 綫线 艸草 緑绿 緗缃 絶绝 菓果 蘓苏
顔颜 氷冰 黒黑 桜樱 歩步 駅驿 畵画 沢泽 浜滨 広广 竜龙 県县 楽乐 帰归
"""
_TABLE = TRADITIONAL | {ord(pair[0]): pair[1] for pair in _MORE.split() if pair[0] != pair[1]}

_EMOJI = """
🌊 wave sea | 🏖 beach | 🏝 island beach | 🏔 mountain snow | ⛰ mountain | 🌋 mountain | 🗻 mountain ukiyoe
🏞 landscape | 🏜 desert | 🌲 pine | 🌳 tree | 🌴 tree | 🌵 desert | 🌾 wheat | 🎋 forest green | 🌿 green
🍀 meadow | 🍁 autumn | 🍂 autumn | 🌸 blossom pink | 🌷 flower | 🌹 flower red | 🌺 flower
🌻 flower yellow | 🌼 flower | 💐 flower | 🪷 waterlily pond | 🪻 flower purple | 🌙 moon | 🌕 moon
🌑 moon | 🌛 moon | 🌜 moon | 🌝 moon | ☀ sun | 🌞 sun | 🌅 sunrise morning sun | 🌄 sunrise morning sun
🌇 sunset city | 🌆 evening city | 🌃 night city | 🌌 night | 🌉 bridge night | 🏙 city | ⭐ night
🌟 night | ✨ bright | 🌠 night | ☁ cloud | ⛅ cloud | 🌥 cloud | 🌤 sun | 🌧 rain | 🌦 rain sun | ☔ rain
🌂 rain | ⛈ storm | 🌩 storm | ⚡ storm | 🌪 storm | 🌬 storm | 🌫 fog | 🌈 rain sun | ❄ snow winter
☃ snow winter | ⛄ snow winter | 🌨 snow winter | 🧊 ice winter | 🔥 red | 🏡 house | 🏠 house
🛖 cottage house | 🏘 village | 🏰 castle | 🏯 castle ukiyoe | ⛪ church | 🕌 church | 🛕 temple
⛩ temple ukiyoe | 🏛 temple | 🗼 tower | 🌁 fog bridge | 🛤 road | 🛣 road | 🚂 station | 🚉 station
🚢 ship boat | ⛵ sailboat boat | 🛶 boat | 🚣 boat | ⛴ boat | 🎣 fishing | ⚓ harbour | 🐄 cattle
🐂 cattle | 🐑 cattle | 🐐 cattle | 🐎 horse | 🐴 horse | 🐦 bird | 🦢 bird | 🦆 bird | 🕊 bird | 🦅 bird
🐓 bird | ⛲ garden | 🎄 pine winter | 🏕 forest | 🌱 spring | 🎨 vivid | ⚫ black | ⚪ white | 🔴 red
🔵 blue | 🟢 green | 🟡 yellow | 🟠 orange | 🟣 purple | 🟤 brown | 🖤 black | 🤍 white | 💙 blue
💚 green | 💛 yellow | 🧡 orange | 💜 purple | 🤎 brown | 🩶 grey | 🩷 pink
"""


def _emoji() -> dict[str, tuple[str, ...]]:
    entries = (entry.split() for line in _EMOJI.splitlines() for entry in line.split("|") if entry.strip())
    return {entry[0]: tuple(entry[1:]) for entry in entries}


EMOJI = _emoji()
"""One character -> canonical words."""


def simplified(text: str) -> str:
    """Traditional characters in their simplified form; the length stays."""
    return text.translate(_TABLE)
