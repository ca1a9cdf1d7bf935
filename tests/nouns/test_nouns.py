"""Whole captions, with the real tagger."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.nouns.nouns import Noun, caption_nouns
from pipeline.nouns.params import NounRules
from pipeline.nouns.tagger import load_tagger
from tests.nouns.linear import assert_linear
from tests.shipped import RULES


@pytest.fixture(scope="module")
def tagger():
    return load_tagger()


def nouns(text, tagger, **options):
    return [noun.noun for noun in caption_nouns(text, tagger, RULES.model_copy(update=options))[0]]


CAPTIONS = [
    ("two brown dogs sit near a sailboat on the green grass", "dog sailboat grass"),
    ("A fire hydrant and palm trees.", "fire_hydrant palm_tree"),
    ("The Teddy-Bears sit by traffic lights", "teddy_bear traffic_light"),
    ("a close up view of two fire engines and a soccer ball", "fire_engine soccer_ball"),
    ("A group of people on a sunny day", "person"),
    ("a double-decker bus, a surf board and tooth brushes",
     "double_decker_bus surfboard toothbrush"),
    ("some scissors next to wine glasses and a bus", "scissors wine_glass bus"),
    ("glasses of beer for a man with glasses", "glass beer man glasses"),
    ("A couple of cats and a couple on a bench", "cat couple bench"),
    ("a black and white photo of a video game", ""),
    ("cross country skiers and their wine glasses", "cross_country_skier wine_glass"),
    ("a hot dog stand in front of a brick wall", "hot_dog_stand brick_wall"),
    ("a baby elephant with a baby", "baby_elephant baby"),
    ("A laptop computer sits on the kitchen table", "laptop_computer kitchen_table"),
    ("This is a picture of something in the background.", ""),
    ("A man rides the Bronx subway", "man subway"),
    ("two giraffe's and the giraffes", "giraffe"),
    # nouns that the tagger takes for adjectives or verbs
    ("snow covered slopes and a pen next to a toy", "snow slope pen toy"),
    ("a building which has an atm inside.", "building atm"),
    ("a slice of toast sits on a dish", "slice toast dish"),
    # verbs, places and events
    ("A passenger train pulls into a station.", "passenger_train station"),
    ("a surfer on the crest of a wave at a trade show", "surfer wave"),
    # names of two words, and words that stand for another
    ("a jet airplane and orange slices", "jet_airplane orange_slice"),
    ("people on horseback with snow skis and a frisbe", "person horse ski frisbee"),
    # from the web: entities, tags, addresses, handles
    ("A cup &amp; a fork &lt; a dog&nbsp;on a sofa", "cup fork dog sofa"),
    ("Mac &amp; cheese and mac 'n' cheese", "mac_and_cheese"),
    ("A man&#39;s hat, a girl&#x2019;s shoe, a boy&rsquo;s ball", "man hat girl shoe boy ball"),
    ("A cat says &amp;quot;hello&amp;quot;", "cat"),
    ("A <b>cake</b><br/>with a <a href='http://a.org/dog'>candle</a><!-- plate -->", "cake candle"),
    ("Photo by @marco_rossi: a cat on https://example.com/a/b.jpg?c=d.", "cat"),
    ("A dog (see www.example.com/cats), ftp://a.b/c or shop.lamps@example.co.uk", "dog"),
    ("IMG_1234.jpg A dog at example.com with a ball, bit.ly/2xYz", "dog ball"),
    ("RT @user: dog! See http://a.org/x.", "dog"),
    ("see www.a.org, and a cat (see https://b.org)", "cat"),
    ("A cat at 5 o' clock, a dog at three o 'clock and at 6 o’ clock", "cat dog"),
    ("A cat on a sofa #cute #catsofinstagram", "cat sofa"),
    ("The #41 bus @ the park", "bus park"),
    ("write to mailto:a@b.c, mailto: a@b.c or tel:+44-20 about a dog", "dog"),
    ("a dog data:image/png;base64,iVBORw0KGgo= and a cat data:,sofa", "dog cat"),
    ("javascript:alert('lamp') a dog javascript:void(0);", "dog"),
    ("file:///home/me/lamp.html by a dog, sftp://a/lamp, git+ssh://a/lamp", "dog"),
    ("images/lamp.jpg, C:\\Users\\me\\lamp.png, ~/lamp.pdf, my.lamp.mp4: a dog", "dog"),
    ("A dog at shop.example.co.uk, lamp.info/sofa or flickr.it", "dog"),
    ("A dog. Link in bio!", "dog"),
    ("Links in my bio, link in comments, click here for a dog #linkinbio", "dog"),
    ("a link of a chain", "link chain"),
    # entities that lost their semicolon, and what is none
    ("&copy 2014 a dog &copy2015 &reg, a caf&eacute table&nbspand a lamp, 30&deg", "dog café table"
     " lamp"),
    ("a dog &hellip a cat&mdash a cup &trade", "dog cat cup"),
    ("<script>alert('lamp')</script><style x>sofa</style> a dog <button>", "dog"),
    ("example.com:8080/lamp?x=sofa, example.org?q=cup, blob:https://a.b/lamp a dog", "dog"),
    ("AT&T, R&B and H&M, a black & white dog, cats&not dogs, a cup&copy", "dog cat cup copy"),
    # emoji and other symbols
    ("A dog🐶", "dog"),
    ("🐶dog on a sofa", "dog sofa"),
    ("a male🐶 and a cat❤️sofa, one lamp🇫🇷, two cups👍🏽", "male cat sofa lamp cup"),
    ("A boy👨‍👩‍👧girl with a ball1️⃣", "boy girl ball"),
    ("cat|dog | lamp", "cat dog lamp"),
    ("cat•dog→lamp—sofa…cup。ball", "cat dog lamp sofa cup ball"),
    ("a *dog* and a ~cat~ <lamp> by sofa=cup, ball\\boy", "dog cat lamp sofa cup ball boy"),
    ("Lego® bricks and a lamp™, a 30° ramp", "lego brick lamp ramp"),
    ("a cat@home and a dog@@lamp", "cat home dog lamp"),
    # full stops that miss their space, and those of other things
    ("dog.cat", "dog cat"),
    ("a dog.a cat..lamp.it is on a tv.the sofa", "dog cat lamp tv sofa"),
    ("1.dog 2.Cat .lamp", "dog cat lamp"),
    ("A U.S. flag, 3.5 dogs, e.g. a cat, i.e.lamp, Mr.sofa at 11.30 p.m. by a D.V.D", "flag dog"
     " cat"),
    # characters nobody sees, and those that look alike
    ("\ufeffA\u200b cat\u00ad on a so\u200bfa\u200d, a d\u2060og", "cat sofa dog"),
    ("a man\u00b4s hat, a girl\u02bcs shoe", "man hat girl shoe"),
    ("cat_dog and fire_hydrant and __sofa__", "cat dog fire_hydrant sofa"),
    # capitals and apostrophes inside words
    ("A man wearing glasses and a T-shirt, two V-necks", "man glasses t-shirt v-neck"),
    ("Two T\u2011shirts on a bed by a few RVs", "t-shirt bed rv"),
    ("It's 3 O'clock on the clock tower, five o\u2019clock here", "clock_tower"),
    ("Y'all wanna eat pizza? C'mon, gimme 'em", "pizza"),
    ("hors d'oeuvres by a jack-o'-lantern", "hors_d'oeuvre jack-o'-lantern"),
    # UTF-8 read as something else
    ("A cafÃ© with a crÃªpe, a manâ€™s hat and a jalapeÃ±o", "café crêpe man hat jalapeño"),
    ("a cafÃƒÂ© with a lampÂ on a sofaÂ", "café lamp sofa"),
    ("the dog of â€œthe catâ€ by a lamp ðŸ˜€ and sofa", "dog cat lamp sofa"),
    ("a CAFÉ™, a “piñata…” and a lamp", "café piñata lamp"),
    ("a cat ä¸€å\x8fªçŒ« on a sofa", "cat sofa"),
    # tokens of language models
    ("<|startoftext|>A cat on a sofa<|endoftext|>", "cat sofa"),
    ("[CLS] a cat on a sofa [SEP] [PAD] [PAD]", "cat sofa"),
    ("<s> a <unk> on a table </s>, [UNK] and [MASK] of a dog <end>", "table dog"),
    # entities that lost their semicolon before a word
    ("&ltcat&gt &ltb&gta dog&lt/b&gt", "cat dog"),
    ("salt &amppepper by a &quotlamp&quot; dogs&quotes, guitars&amps", "salt pepper lamp dog quote"
     " guitar amp"),
    # titles and numbers
    ("Mr. Smith's dog, Mrs. Smith's cat and Prof. Miller's sofa", "dog cat sofa"),
    ("Mr Smith's dog. Ms Miller and Dr. Jones with a cat", "dog cat"),
    ("No. 5 bus, the no. 12 tram by St. Mary's church", "bus tram church"),
    # other languages and scripts; English with some of their words
    ("Ein Hund auf einem Sofa", ""),
    ("Der Hund sitzt neben einer Lampe.", ""),
    ("Un chat noir sur un canapé", ""),
    ("Une femme avec un parapluie rouge", ""),
    ("Un perro en la playa con una pelota", ""),
    ("Un cane vicino a una bicicletta", ""),
    ("Uma mulher com um guarda-chuva", ""),
    ("Een hond op een bank", ""),
    ("En hund sitter på en soffa", ""),
    ("Pies obok lampy przy oknie", ""),
    ("Seekor kucing di atas meja dan kursi", ""),
    ("Hình ảnh con mèo trên ghế", ""),
    ("Кошка на диване", ""),
    ("Γάτα στον καναπέ", ""),
    ("一只猫坐在沙发上 猫とソファ 고양이 소파", ""),
    ("قطة على أريكة สุนัขบนโซฟา", ""),
    ("A cat 一只猫 and кошка on a sofa", "cat sofa"),
    ("A sign that reads Rue de la Paix by a lamp", "sign lamp"),
    ("A café with a jalapeño, a piñata and a crème brûlée", "café jalapeño piñata crème brûlée"),
    ("crème brûlée", "crème brûlée"),
    ("A mulher com um cão", ""),
    ("A bus in Las Vegas and a cat in Los Angeles", "bus cat"),
    ("Los Angeles and Rio de Janeiro: a lamp on the table", "lamp table"),
    ("", ""),
    ("...", ""),
    ("&nbsp;&amp; https://example.com", ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), CAPTIONS)
def test_captions(text, expected, tagger):
    assert nouns(text, tagger) == [word.replace("_", " ") for word in expected.split()]


def test_what_is_kept_says_where_it_stood(tagger):
    kept, _ = caption_nouns("A Cat, two fire hydrants.", tagger, RULES)
    assert kept == [Noun("cat", "Cat", 1), Noun("fire hydrant", "fire hydrants", 4)]


def test_words_that_touch_are_quoted_one_by_one(tagger):
    text = "two dogs🐶cats.lamps|cafe\u0301s👍🏽sofas"
    kept, _ = caption_nouns(text, tagger, RULES)
    assert [noun.surface for noun in kept] == ["dogs", "cats", "lamps", "cafe\u0301s", "sofas"]


def test_what_is_kept_is_quoted_as_it_was_written(tagger):
    text = "By @marco: salt &amp; a fire_hydrant\u200b, mac &amp;\n cheese, a so\u00adfa"
    kept, drops = caption_nouns(text, tagger, RULES)
    assert kept == [
        Noun("salt", "salt", 3),
        Noun("fire hydrant", "fire_hydrant", 6),
        Noun("mac and cheese", "mac &amp; cheese", 9),
        Noun("sofa", "so\u00adfa", 14),
    ]
    assert drops == []


@pytest.mark.parametrize(
    ("text", "drop"),
    [
        ("a photo of a dog", ("photo", "stop list: picture")),
        ("a dog on the left side", ("side", "stop list: place")),
        ("a group of dogs", ("group", "stop list: amount")),
        ("a dog on a sunny day", ("day", "stop list: time")),
        ("a dog in a race", ("race", "stop list: act")),
        ("a dog plays tennis", ("tennis", "stop list: sport")),
        ("dogs of many colors", ("colors", "stop list: colour")),
        ("a dog with style", ("style", "stop list: quality")),
        ("a dog and some object", ("object", "stop list: vague")),
        ("the country of dogs", ("country", "stop list: name")),
        ("a dog with the ability to jump", ("ability", "stop list: quality")),
        ("a dog and its heritage", ("heritage", "stop list: abstract")),
        ("a dog and another dog", ("dog", "named before")),
        ("a dog in Sydney with cats", ("Sydney", "proper name")),
        ("a dog at 5 o’clock", ("o’clock", "contraction")),
        ("a dog x", ("x", "too short")),
        ("a dog and the b-251", ("b-251", "not alphabetic")),
        ("a couple of dogs", ("couple of", "stop list: amount")),
        ("a dog and a собака", ("собака", "not English")),
    ],
)
def test_reasons(text, drop, tagger):
    kept, drops = caption_nouns(text, tagger, RULES)
    assert drop in drops
    assert "dog" in [noun.noun for noun in kept]


def test_rules_switched_off_one_by_one(tagger):
    text = "a picture of a snowy hill with a fire hydrant"
    assert nouns(text, tagger) == ["hill", "fire hydrant"]
    assert nouns(text, tagger, multiword=False) == ["hill", "fire", "hydrant"]
    assert "picture" in nouns(text, tagger, stop_list=False)


def test_without_rules_every_tagged_noun_is_kept(tagger):
    off = NounRules(multiword=False, tag_rules=False, stop_list=False)
    words = "a cat sits in a living room in the background".split()
    kept, drops = caption_nouns(" ".join(words), tagger, off)
    tagged = [word for word, tag in tagger.tag(words) if tag.startswith("NN")]
    assert [noun.surface for noun in kept] == tagged
    assert drops == []


PIECES = (
    "a dog fire_hydrant T-shirt o'clock y'all &amp; &quot; &nbsp; &#39; &#99999999; <br> <b @me "
    "Ã© â€™ <|end|> [SEP] кошка und "
    "🐶 ❤️ | = \\ data:image/png;base64,x= javascript:f( mailto: file:///a .jpg &copy Dog .cat "
    "#it http:// www.a.b a@b.c \u200b \u00ad \u0301 ½ ﬁ « ' \" `` '' 'n' / . … — _ ％ ㎞"
).split() + [" ", "\n"]  # fmt: skip


ACCENTED = (
    "café crêpe jalapeño piñata naïve “dog” man’s – … Žižkov Ελλάδα кошка 🐶 中文 Ünï".split()
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([*ACCENTED, "a", "the", "dog", "on"]), max_size=8).map(" ".join))
def test_text_read_in_another_encoding_has_the_nouns_that_it_had(text):
    """Each byte of UTF-8 became what Windows-1252 shows for it, or Latin-1 where it shows none."""
    misread = "".join(
        bytes([byte]).decode("cp1252", "replace").replace("\ufffd", chr(byte))
        for byte in text.replace("中文", "中文中文").encode()
    )
    kept, expected = (caption_nouns(each, load_once(), RULES)[0] for each in (misread, text))
    assert [noun.noun for noun in kept] == [noun.noun for noun in expected]


def test_the_drops_of_a_caption_in_another_language_say_so(tagger):
    kept, drops = caption_nouns("Ein Hund auf einem Sofa", tagger, RULES)
    assert kept == [] and {reason for _, reason in drops} == {"not English"}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from("a the two dog dogs fire hydrant sits photo of and , . Big".split()))
)
def test_every_lemma_once_in_order_and_the_same_each_time(words):
    tagger = load_once()
    text = " ".join(words)
    kept, drops = caption_nouns(text, tagger, RULES)
    assert len({noun.noun for noun in kept}) == len(kept)
    assert [noun.position for noun in kept] == sorted(noun.position for noun in kept)
    assert all(noun.surface.split()[0] in words for noun in kept)
    assert caption_nouns(text, tagger, RULES) == (kept, drops)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=12).map("".join))
def test_any_caption_gives_nouns_that_stand_in_it(text):
    kept, drops = caption_nouns(text, load_once(), RULES)
    single = " ".join(text.split())
    for surface in [noun.surface for noun in kept] + [word for word, _ in drops]:
        assert surface and " ".join(surface.split()) == surface and surface in single
    assert not {"amp", "quot", "nbsp", "http", "https"} & {noun.noun for noun in kept}
    assert all(noun.noun == noun.noun.lower() and "_" not in noun.noun for noun in kept)


@pytest.mark.parametrize(
    "piece",
    ["Dog ", "the Queens ", "dogin ' ", "male ", "dog ", "o'clock ", "young ", "glasses of ", "ies",
     "a-", "fire-", "hot dog ", "link in ", "a@b", "🐶", "<", "dog.", "Dog, "],
)  # fmt: skip
def test_the_time_grows_with_the_number_of_words(piece):
    """Capitals and quotes made each noun look at all words of the text."""
    options = RULES
    assert_linear(lambda text: caption_nouns(text, AllNouns(), options), piece * 2000)


class AllNouns:
    """A quick tagger."""

    def tag(self, tokens):
        return [(token, "NN") for token in tokens]


def load_once():
    if not hasattr(load_once, "tagger"):
        load_once.tagger = load_tagger()
    return load_once.tagger
