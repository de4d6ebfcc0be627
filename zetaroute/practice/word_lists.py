"""The names, things and words that practice questions are written with."""

from __future__ import annotations


def listed(text: str) -> tuple[str, ...]:
    """Split words that are written as running text."""
    return tuple(text.split())


# No name is a part of another one, so that a grader which looks for a name never finds it by accident.
NAMES = listed(
    """Amara Arjun Bella Bruno Carmen Cyrus Daria Dilan Elif Emma Farid Felix Gemma Greta Hanna Hugo Ingrid Ivan
    Jonas Julia Katya Kofi Laszlo Linus Marta Mbali Nadia Noah Olga Pedro Petra Priya Quinn Rafael Rosa Samir
    Sofia Tariq Tomas Ulrich Ursula Viktor Wanda Walter Xenia Yara Yuki Yusuf Zelda Zoltan"""
)
THINGS = listed(
    """acorns apples badges beads books bottles buttons candles cards coins cookies cups feathers figs flags
    flowers keys kites lamps lemons magnets marbles melons mugs pears pencils pictures plums posters records
    ribbons roses seeds shells spoons stamps stickers stones tickets toys"""
)
PLACES = listed(
    """Ashford Birchwood Clearwater Dunmore Eastgate Fairview Glenrock Harborside Ironbridge Juniper Kingsbury
    Lakeview Maplewood Northgate Oakridge Pinehill Queensway Riverside Stonefield Thornton Underhill Westbrook
    """
)
WORDS = listed(
    """anchor autumn balcony banana barrel basket beacon bicycle blanket blossom bottle branch breeze bridge
    bubble butter button cabin camera canvas carpet castle cheese cherry chimney circle cliff coffee copper
    corner cotton cradle crystal curtain dancer desert dinner dolphin dragon drawer engine evening feather
    ferry fiddle flower forest fountain garden ginger glacier glove goblet grammar guitar hammer harbor hazel
    helmet hollow honey horizon island jacket jungle kettle kitten ladder lantern lemon letter library lizard
    marble meadow melody mirror mitten monkey morning mountain museum needle noodle ocean orange orchard paddle
    palace parrot pebble pepper pillow planet pocket potato puddle puzzle rabbit raisin ribbon river rocket
    saddle sailor school season shadow silver singer sister spider spring summer sunset sweater teapot temple
    thunder ticket tiger timber tomato tractor tunnel turtle valley velvet village violin walnut weather willow
    window winter wonder yellow zipper"""
)
