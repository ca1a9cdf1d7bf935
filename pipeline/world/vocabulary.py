"""The nouns of the OpenMoji world: what can occur in a scene, and what the segmenter is trained on.

Mirrors the situation of the paper (section 4.1): captions and CLIP know a wide vocabulary, the
segmenter is trained on the labels of a narrow closed set, and evaluation asks for both.

- `CLOSED_THINGS` and `STUFF` together are the closed set: 60 classes, the only labelled pixels.
- `OPEN_THINGS` are never labelled for the segmenter; they occur in pictures and captions only.
- `UNSEEN` is the part of the closed set that the zero-shot protocol withholds from training
  (COCO-Stuff does the same: 156 seen and 15 unseen classes).

Nouns are written as in captions; where Unicode's CLDR uses another name for the pictogram,
`PICTOGRAMS` gives it.
"""

CLOSED_THINGS: tuple[str, ...] = (
    "dog", "cat", "horse", "cow", "pig", "sheep", "elephant", "rabbit", "bear", "chicken",
    "duck", "penguin", "fish", "turtle", "butterfly", "snail", "bicycle", "motorcycle", "car",
    "bus", "truck", "train", "airplane", "sailboat", "traffic light", "chair", "bed", "couch",
    "television", "laptop", "keyboard", "telephone", "book", "clock", "scissors", "teddy bear",
    "umbrella", "handbag", "backpack", "necktie", "skateboard", "banana", "apple", "carrot",
    "broccoli", "pizza", "hot dog", "doughnut", "cake", "wine glass",
)  # fmt: skip

OPEN_THINGS: tuple[str, ...] = (
    "camel", "rhinoceros", "kangaroo", "gorilla", "monkey", "zebra", "giraffe", "hedgehog",
    "mouse", "owl", "swan", "flamingo", "peacock", "parrot", "eagle", "frog", "crocodile",
    "lizard", "snake", "whale", "dolphin", "octopus", "crab", "lobster", "squid", "ant",
    "ladybug", "spider", "scorpion", "dinosaur", "tractor", "taxi", "ambulance", "fire engine",
    "helicopter", "rocket", "canoe", "flying saucer", "scooter", "parachute", "anchor", "kite",
    "soccer ball", "basketball", "trophy", "guitar", "violin", "trumpet", "drum", "saxophone",
    "accordion", "harp", "radio", "camera", "printer", "microscope", "telescope", "light bulb",
    "candle", "lantern", "newspaper", "envelope", "pencil", "key", "hammer", "axe", "wrench",
    "screwdriver", "magnet", "ladder", "broom", "bucket", "basket", "toilet", "bathtub", "crown",
    "hat", "sunglasses", "shirt", "dress", "scarf", "glove", "boot", "teapot", "balloon", "bell",
    "castle", "church", "house", "tent", "fountain", "snowman", "robot", "ghost", "volcano",
    "palm tree", "cactus", "rose", "sunflower", "tulip", "blossom", "mushroom", "grapes",
    "watermelon", "lemon", "pineapple", "pear", "strawberry", "tomato", "avocado", "eggplant",
    "corn", "onion", "pretzel", "cheese", "hamburger", "taco", "popcorn", "lollipop", "compass",
)  # fmt: skip

STUFF: tuple[str, ...] = (
    "grass", "sand", "water", "snow", "sky", "brick wall", "gravel", "dirt", "wood", "carpet",
)  # fmt: skip

UNSEEN: tuple[str, ...] = (
    "cow", "elephant", "duck", "butterfly", "bicycle", "airplane", "chair", "laptop", "scissors",
    "umbrella", "carrot", "cake", "snow",
)  # fmt: skip

PICTOGRAMS: dict[str, str] = {
    "sheep": "ewe", "chicken": "rooster", "train": "locomotive", "truck": "delivery_truck",
    "car": "automobile", "traffic light": "vertical_traffic_light", "couch": "couch_and_lamp",
    "book": "open_book", "clock": "alarm_clock", "apple": "red_apple", "cake": "birthday_cake",
    "spider": "spider", "ladybug": "lady_beetle", "dinosaur": "sauropod",
    "scooter": "motor_scooter", "soccer ball": "soccer_ball", "lantern": "red_paper_lantern",
    "hat": "top_hat", "shirt": "t-shirt", "glove": "gloves", "boot": "woman’s_boot",
    "corn": "ear_of_corn", "cheese": "cheese_wedge", "drum": "drum", "mouse": "rat",
    "whale": "spouting_whale", "mushroom": "mushroom", "camel": "two-hump_camel",
    "envelope": "love_letter",
}  # fmt: skip

THINGS: tuple[str, ...] = CLOSED_THINGS + OPEN_THINGS
CLOSED: tuple[str, ...] = CLOSED_THINGS + STUFF
"""Closed set in label order: the index is the label id of the semantic maps."""
NOUNS: tuple[str, ...] = CLOSED + OPEN_THINGS
"""Every noun, closed set first: label order of the evaluation set `world-open`."""
