"""The topics of the world, and the words that its items and authors are named with."""

from __future__ import annotations

from typing import NamedTuple


class Topic(NamedTuple):
    """One topic and what items about it show."""

    name: str
    subjects: tuple[str, ...]


TOPICS = (
    Topic(
        "cats",
        ("kitten", "cat nap", "tabby", "scratching post", "whiskers", "purring", "laser dot", "cardboard box"),
    ),
    Topic(
        "cooking",
        ("sourdough", "ramen", "one-pan dinner", "pancakes", "knife skills", "curry", "soup stock", "tart"),
    ),
    Topic(
        "football",
        ("free kick", "penalty", "back heel", "derby", "offside trap", "goal line", "throw-in", "header"),
    ),
    Topic(
        "travel",
        (
            "night train",
            "harbour town",
            "mountain hut",
            "street market",
            "ferry",
            "old quarter",
            "island",
            "desert road",
        ),
    ),
    Topic(
        "music",
        ("guitar riff", "drum fill", "choir", "synth patch", "bass line", "busking", "piano loop", "vinyl find"),
    ),
    Topic(
        "gardening",
        ("tomato bed", "compost", "rose pruning", "seed tray", "balcony herbs", "greenhouse", "bulbs", "pond"),
    ),
    Topic(
        "gaming",
        ("boss fight", "speedrun", "puzzle level", "pixel art", "co-op night", "racing sim", "dungeon", "high score"),
    ),
    Topic(
        "fitness",
        ("push-ups", "morning run", "kettlebell", "stretching", "plank", "hill sprint", "rowing", "handstand"),
    ),
    Topic(
        "science",
        ("pendulum", "crystal growth", "magnet", "microscope", "dry ice", "chain reaction", "prism", "vacuum jar"),
    ),
    Topic(
        "space",
        ("rocket launch", "moon crater", "aurora", "comet", "telescope", "space walk", "nebula", "rover"),
    ),
    Topic(
        "dance",
        ("shuffle", "tango step", "spin", "footwork", "tap routine", "freestyle", "waltz", "flash mob"),
    ),
    Topic(
        "crafts",
        ("origami", "pottery wheel", "knitting", "leather stitch", "candle", "book binding", "weaving", "mosaic"),
    ),
    Topic(
        "cars",
        (
            "engine swap",
            "drift turn",
            "classic coupe",
            "paint job",
            "rally stage",
            "gearbox",
            "convertible",
            "lap record",
        ),
    ),
    Topic(
        "fashion",
        ("thrift find", "denim", "capsule wardrobe", "tailoring", "sneakers", "scarf", "runway", "raincoat"),
    ),
    Topic(
        "comedy",
        ("prank", "office sketch", "bad pun", "stand-up bit", "parody", "blooper", "awkward call", "deadpan"),
    ),
    Topic(
        "nature",
        ("fox cub", "waterfall", "tide pool", "owl", "mushroom", "thunderstorm", "beehive", "frozen lake"),
    ),
)

FRAMES = (
    "{} in slow motion",
    "The perfect {}",
    "{}, up close",
    "My first {}",
    "{} before breakfast",
    "How not to do it: {}",
    "One minute of {}",
    "{}: what nobody tells you",
    "A very small {}",
    "{} at night",
    "Trying again: {}",
    "{}, start to finish",
)
MIXED_FRAMES = ("{} meets {}", "{} and {}", "Half {}, half {}", "{}, but also {}")

CHANNELS = ("studio", "channel", "atelier", "garage", "attic", "lab", "club", "corner")
