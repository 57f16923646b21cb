"""Understanding prompts: from English or Chinese text to the words that a model was trained on.

Torch-free. The same reading makes captions of titles in training and conditions of prompts in the
engine, so a word means the same in both. A model's own word list (in its card) decides which of
the words here it knows.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from workers.engines.lexicon_chinese import CHINESE, CHINESE_STOP

GROUPS: dict[str, str] = {
    "scene": """
        landscape sea city village river lake pond mountain hill valley forest tree garden park
        field meadow wheat haystack bridge beach cliff rock coast island harbour boat church house
        farm mill castle street road canal venice paris london italy holland himalaya water
        waterlily flower poppy blossom willow poplar olive pine waterfall wave ice ruins temple
        station people sky cloud
    """,
    "season": "spring summer autumn winter snow",
    "light": "morning day evening sunset night moon sun fog rain storm calm",
    "colour": "red orange yellow green cyan blue purple pink brown white black grey",
    "tone": "dark bright warm cold vivid muted",
    "style": """
        impressionism postimpressionism romanticism symbolism artnouveau baroque realism pointillism
        ukiyoe tonalism ink cubism
    """,
    "artist": """
        monet roerich gogh aivazovsky loiseau pissarro sisley martin cezanne renoir boudin hassam
        utrillo gauguin prendergast hodler turner maufra twachtman ciurlionis korovin grimshaw
        bogaevsky sargent cole friedrich constable klimt onderdonk canaletto lebedeva somov kuindzhi
        alt bonnard sorolla springer schiele macdonald chase rose crome
    """,
}
"""Every word that a caption may hold, by group. A model keeps those with enough examples."""

SYNONYMS = """
sea: ocean seascape marine mer marina naval
coast: shore seashore seaside shoreline bay cape gulf pointe etretat pourville fecamp varengeville
  dieppe antibes estaque bordighera crimea crimean cote yalta riviera capri
city: cityscape town urban metropolis downtown skyline amsterdam moscow petersburg rome vienna rouen
  constantinople york boston square market plaza buildings
village: hamlet rural montmartre auvers giverny vetheuil pontoise moret argenteuil
river: seine thames loing oise epte creuse eure rhone brook stream creek banks riverbank rio siene
  neva marne rhine
lake: geneva thun lakeside tarn
pond: pool
mountain: mountainous alps alpine peak peaks summit mount kangchenjunga everest vesuvius volcano
  fuji range
himalaya: himalayas himalayan tibet ladakh lahaul mongolia sikkim kulu
hill: hillside dune dunes hilly knoll
valley: canyon gorge ravine glen pass
forest: wood woods woodland grove jungle undergrowth thicket fontainebleau wooded
tree: oak oaks chestnut birch birches elm elms trunk trunks larch maple linden cypress cypresses
  bush
garden: gardens terrace parterre tuileries
park: bois
field: fields plain plains farmland countryside pasture steppe prairie
meadow: meadows grass grassland lawn
wheat: corn harvest barley rye cornfield
haystack: haystacks wheatstack wheatstacks grainstack grainstacks hay stacks
bridge: pont viaduct aqueduct footbridge
beach: sand sands trouville deauville sandy strand
cliff: cliffs falaise manneport crag precipice needle aval
rock: rocks rocky stone stones boulder boulders
island: isle ile islands islet
harbour: harbor port quay pier dock docks jetty wharf haven havre honfleur collioure
boat: boats ship ships sail sails sailing sailboat sailboats barge barges fishing regatta yacht
  vessel vessels fleet shipwreck gondola gondolas schooner steamer canoe raft
church: cathedral chapel abbey basilica steeple notre_dame salute maggiore kremlin mosque
house: houses cottage cottages villa home hut cabin roof roofs building farmhouse mansion barn
  chateau
farm: farms farmyard
mill: windmill windmills moulin mills watermill
castle: palace fortress fort tower towers palazzo towns_hall citadel parliament
street: streets boulevard avenue rue alley promenade sidewalk
road: path lane track way paths walk roads trail
canal: canals grand_canal
venice: venetian rialto lagoon
paris: parisian louvre
london: waterloo charing charing_cross
italy: italian naples roman florence sicily tuscany campagna
holland: dutch zaandam netherlands haarlem
water: reflection reflections flood waters lagoons swamp marsh
waterlily: waterlilies water_lily water_lilies lily lilies lotus nympheas
flower: flowers floral roses iris irises tulip tulips sunflower sunflowers chrysanthemum
  chrysanthemums wildflowers lilac lavender peony bouquet hollyhocks
poppy: poppies coquelicots
blossom: blossoms bloom blooming flowering cherry orchard orchards apple almond peach plum
  blossoming
willow: willows weeping_willow
poplar: poplars
olive: olives
pine: pines fir firs cedar spruce conifer
waterfall: waterfalls falls cascade rapids
wave: waves surf breakers tide swell billow
ice: frozen glacier iceberg frost floes icy
ruins: ruin ancient ruined abandoned
temple: monastery pagoda shrine dzong hermitage sanctuary cloister lamasery
station: railway train lazare railroad locomotive
people: figures figure fisherman fishermen women peasants crowd peasant woman man men children
  walkers bathers
sky: skies heaven
cloud: clouds cloudy overcast
spring: springtime april may
summer: june july august summertime
autumn: fall october november september autumnal
winter: december january february wintertime wintry
snow: snowy snowfall snowstorm blizzard
morning: dawn sunrise daybreak matin early
day: noon midday afternoon daytime daylight
evening: dusk twilight soir
sunset: sundown afterglow
night: nocturne midnight starry star stars nighttime nocturnal
moon: moonrise crescent lunar
sun: sunlight sunshine sunny sunlit sunbeam solar
fog: mist haze foggy misty hazy smoke
rain: rainy rainbow drizzle wet shower
storm: thunder stormy tempest thunderstorm wind windy lightning gale hurricane
calm: still quiet peaceful tranquil serene
red: crimson scarlet ruby vermilion
orange: amber copper tangerine rust
yellow: gold golden lemon ochre
green: emerald olive_green jade verdant lush
cyan: turquoise teal aqua aquamarine
blue: azure cobalt indigo navy ultramarine
purple: violet mauve magenta lilac_coloured
pink: rose_coloured salmon
brown: sepia earthy umber chestnut_brown
white: ivory pale
black: ebony
grey: gray silver silvery monochrome
dark: darkness gloomy sombre somber shadow shadows dim shady gloom
bright: luminous light radiant shining glowing brilliant
warm: cosy
cold: chilly cool
vivid: colourful colorful saturated vibrant
muted: pastel soft faded subdued delicate
landscape: scenery vista panorama
impressionism: impressionist impressionistic
postimpressionism: post_impressionism post_impressionist postimpressionist
romanticism: romantic romanticist
symbolism: symbolist mystical dreamlike
artnouveau: art_nouveau jugendstil secession
baroque: dutch_golden_age rococo
realism: realist realistic naturalism naturalist
pointillism: divisionism pointillist divisionist dots
ukiyoe: ukiyo_e ukiyo shin_hanga hanga woodblock japanese japan hiroshige hokusai japonism
  japanese_print
tonalism: tonalist
ink: chinese shanshui shan_shui china scroll ming song_dynasty ink_wash
cubism: cubist cubo_futurism cubo
gogh: van_gogh vincent vincent_van_gogh
monet: claude_monet claude
turner: william_turner
friedrich: caspar_david_friedrich caspar
martin: henri_martin
cole: thomas_cole
rose: guy_rose
alt: rudolf_von_alt
chase: william_merritt_chase
lebedeva: anna_ostroumova_lebedeva ostroumova
sargent: john_singer_sargent
ciurlionis: mikalojus_ciurlionis
cezanne: paul_cezanne
gauguin: paul_gauguin
"""

SEVERAL: dict[str, tuple[str, ...]] = {
    "moonlight": ("moon", "night"),
    "moonlit": ("moon", "night"),
    "seascape": ("sea",),
    "starry_night": ("night", "gogh"),
    "japanese_bridge": ("bridge", "pond"),
    "nightfall": ("evening", "dark"),
    "snowstorm": ("snow", "storm"),
    "blizzard": ("snow", "storm"),
    "sunflower": ("flower", "yellow"),
    "rose": ("flower",),
    "lavender": ("flower", "purple"),
    "olive_trees": ("olive", "tree"),
    "wheatfield": ("wheat", "field"),
    "wheat_field": ("wheat", "field"),
    "wheatfields": ("wheat", "field"),
    "cornfield": ("wheat", "field"),
    "himalayas": ("himalaya", "mountain"),
    "himalaya": ("himalaya", "mountain"),
    "venice": ("venice", "city"),
    "paris": ("paris", "city"),
    "london": ("london", "city"),
    "grand_canal": ("venice", "canal"),
    "shipwreck": ("boat", "storm"),
    "sunrise": ("morning", "sun"),
    "sea_storm": ("sea", "storm"),
    "cherry_blossom": ("blossom", "pink"),
    "cherry_blossoms": ("blossom", "pink"),
    "seaport": ("sea", "harbour"),
    "countryside": ("field", "village"),
    "cypress": ("tree",),
    "mont_sainte_victoire": ("mountain", "cezanne"),
}
"""Terms that mean more than one word; they win over SYNONYMS."""

_STOP_LINES = """
a an the of in on at with and or from near by s de la le les du des d l l' to under over view scene
seen study after before between behind along through into is are it its my our your some very with
without no not i ii iii st saint sainte san santa di della effect picture painting paint paintings
painted image style like artwork art oil canvas draw make please me show beautiful pretty nice
wonderful lovely great grand small little big large old new two three one as for this that there
where when while his her their be was were across against around toward towards upon up down out
full many few more most much lots lot other artist by version masterpiece quality high detailed
trending
"""
STOP = frozenset(_STOP_LINES.split())

_LATIN = re.compile(r"[a-z]+")
_PIECES = re.compile(r"[㐀-鿿豈-﫿]+|[^\W\d_]+", re.UNICODE)
_HAN = re.compile(r"[㐀-鿿豈-﫿]")
_LONGEST_PHRASE = 3


def words_of(*groups: str) -> list[str]:
    """The words of ``groups`` (all groups when none is named), in their fixed order."""
    return [word for group in groups or GROUPS for word in GROUPS[group].split()]


def _build_terms() -> dict[str, tuple[str, ...]]:
    """term (tokens joined by ``_``) -> words."""
    terms: dict[str, tuple[str, ...]] = {word: (word,) for word in words_of()}
    word = ""
    for line in SYNONYMS.strip().splitlines():
        head, colon, tail = line.partition(":")
        if colon:
            word = head.strip()
        for term in (tail if colon else line).split():
            terms.setdefault(term, (word,))
    terms.update(SEVERAL)
    return terms


_TERMS = _build_terms()


@dataclass(frozen=True, slots=True)
class Understood:
    """What was read in a prompt: ``words`` that the model knows and ``unknown`` pieces of the text.

    Both are without repeats, in the order of the text. Stop words are in neither.
    """

    words: tuple[str, ...]
    unknown: tuple[str, ...]


def _stems(token: str) -> Iterable[str]:
    """``token`` and simpler forms of it, best first."""
    yield token
    for ending, stem in (
        ("ies", "y"),
        ("es", ""),
        ("s", ""),
        ("ish", ""),
        ("ish", "e"),
        ("y", ""),
        ("ing", ""),
        ("ing", "e"),
        ("ed", ""),
        ("ed", "e"),
        ("en", ""),
    ):
        if token.endswith(ending) and len(token) - len(ending) >= 3:
            short = token[: len(token) - len(ending)] + stem
            yield short
            if not stem and len(short) > 3 and short[-1] == short[-2]:
                yield short[:-1]


def _plain(text: str) -> str:
    """Lower case, accents taken off, full-width letters made plain."""
    spread = unicodedata.normalize("NFKD", text.casefold())
    return unicodedata.normalize("NFC", "".join(c for c in spread if not unicodedata.combining(c)))


class Vocabulary:
    """The ``words`` of one model, in the order of its condition vector."""

    def __init__(self, words: Sequence[str]) -> None:
        """Raises ValueError for repeats: each word is one input of the network."""
        if len(set(words)) != len(words):
            raise ValueError("a vocabulary has each word once")
        self.words = tuple(words)
        self.index = {word: number for number, word in enumerate(words)}

    def __len__(self) -> int:
        return len(self.words)

    def read(self, text: str) -> Understood:
        """Understand a prompt in English, Chinese or a mixture of them."""
        found: dict[str, None] = {}
        unknown: dict[str, None] = {}
        latin: list[str] = []

        def flush() -> None:
            self._read_latin(latin, found, unknown)
            latin.clear()

        for piece in _PIECES.findall(_plain(text)):
            if _HAN.match(piece):
                flush()
                self._read_chinese(piece, found, unknown)
            elif _LATIN.fullmatch(piece):
                latin.append(piece)
            else:
                flush()
                unknown[piece] = None
        flush()
        return Understood(tuple(found), tuple(unknown))

    def vector(self, words: Iterable[str]) -> list[float]:
        """Multi-hot condition, one number per word of the vocabulary. Raises KeyError for other words."""
        out = [0.0] * len(self.words)
        for word in words:
            out[self.index[word]] = 1.0
        return out

    def _accept(self, terms: tuple[str, ...], found: dict[str, None]) -> bool:
        known = [word for word in terms if word in self.index]
        found.update(dict.fromkeys(known))
        return bool(known)

    def _read_latin(self, tokens: Sequence[str], found: dict[str, None], unknown: dict[str, None]) -> None:
        position = 0
        while position < len(tokens):
            for length in range(min(_LONGEST_PHRASE, len(tokens) - position), 1, -1):
                phrase = "_".join(tokens[position : position + length])
                if phrase in _TERMS and self._accept(_TERMS[phrase], found):
                    position += length
                    break
            else:
                token = tokens[position]
                position += 1
                known = any(stem in _TERMS and self._accept(_TERMS[stem], found) for stem in _stems(token))
                if not known and token not in STOP and len(token) > 1:
                    unknown[token] = None

    def _read_chinese(self, text: str, found: dict[str, None], unknown: dict[str, None]) -> None:
        position, strange = 0, ""
        while position < len(text):
            for length in range(min(_LONGEST_CHINESE, len(text) - position), 0, -1):
                term = text[position : position + length]
                if term in CHINESE_STOP:
                    break
                if term in CHINESE and self._accept(CHINESE[term], found):
                    break
            else:
                strange += text[position]
                position += 1
                continue
            if strange:
                unknown[strange] = None
                strange = ""
            position += length
        if strange:
            unknown[strange] = None


_LONGEST_CHINESE = max(map(len, CHINESE))
