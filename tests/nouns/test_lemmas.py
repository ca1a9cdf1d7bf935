"""Singulars, and above all the words that look like plurals and are none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.nouns.lemmas import singular

SINGULAR = """bus glass grass gas dress scissors jeans glasses sunglasses tennis christmas lens iris
cactus walrus octopus rhinoceros hippopotamus compass cross moss mattress harness canvas asparagus
princess waitress cheese horse house vase rose nose purse sheep deer fish species police cattle
clothes pants shorts goggles binoculars pajamas headphones grapes graffiti news ramen specimen
pancreas us this his is broccoli tv wii ski""".split()

PLURALS = """buses=bus glasses_of=glass grasses=grass gases=gas dresses=dress skis=ski men=man
women=woman children=child people=person geese=goose teeth=tooth feet=foot mice=mouse knives=knife
leaves=leaf loaves=loaf shelves=shelf wolves=wolf calves=calf tomatoes=tomato potatoes=potato
cookies=cookie pastries=pastry cherries=cherry ties=tie pies=pie zombies=zombie cacti=cactus
lenses=lens dishes=dish benches=bench boxes=box watches=watch brushes=brush moose=moose oxen=ox
taxis=taxi bananas=banana pizzas=pizza ladies=lady babies=baby ponies=pony skies=sky flies=fly
shoes=shoe canoes=canoe firemen=fireman snowmen=snowman policewomen=policewoman axes=axe hooves=hoof
scarves=scarf roofs=roof giraffes=giraffe tvs=tv suvs=suv t-shirts=t-shirt kiwis=kiwi foxes=fox
sandwiches=sandwich octopuses=octopus cactuses=cactus houses=house horses=horse roses=rose
passersby=passerby purses=purse oranges=orange matches=match""".split()


@pytest.mark.parametrize("word", SINGULAR)
def test_singulars_stay(word):
    assert singular(word) == word


@pytest.mark.parametrize("pair", [p for p in PLURALS if "_" not in p])
def test_plurals(pair):
    plural, lemma = pair.split("=")
    assert singular(plural) == lemma


@pytest.mark.parametrize(
    ("plural", "lemma"),
    [
        ("fire hydrants", "fire hydrant"),
        ("wine glasses", "wine glass"),
        ("ski goggles", "ski goggles"),
        ("palm trees", "palm tree"),
        ("", ""),
        ("s", "s"),
        ("naïves", "naïves"),
    ],
)
def test_phrases_and_oddities(plural, lemma):
    assert singular(plural) == lemma


@given(st.text(alphabet="abcdefgimnosuy", max_size=8))
def test_a_second_time_changes_nothing_for_regular_words(word):
    once = singular(word)
    assert once == word or not once.endswith("ses") or singular(once) in {once, once[:-1]}


def test_capitals_and_spaces_survive_any_text():
    assert singular("no plural here") == "no plural here"


def test_abbreviations_with_full_stops_keep_their_s():
    assert singular("u.s") == "u.s"
