"""The people, things and units that pocket problems speak of."""

WOMEN = (
    *("Mia", "Anna", "Zoe", "Lucy", "Nora", "Ella", "Ruth", "Clara", "Ida", "Maya"),
    *("Rosa", "Jane", "Alice", "Emma", "Leah", "Sofia", "Nina", "Amy", "Hana", "Vera"),
)
MEN = (
    *("Ben", "Tom", "Leo", "Max", "Omar", "Paul", "Ivan", "Noah", "Sam", "Luis"),
    *("Jack", "Finn", "Adam", "Hugo", "Eric", "Ravi", "Carl", "Owen", "Kofi", "Dan"),
)
NAMES = WOMEN + MEN

ITEMS = {
    **{"stickers": "sticker", "marbles": "marble", "shells": "shell", "stamps": "stamp"},
    **{"coins": "coin", "buttons": "button", "beads": "bead", "postcards": "postcard"},
    **{"pens": "pen", "cards": "card", "books": "book", "feathers": "feather"},
    **{"pebbles": "pebble", "keys": "key", "dolls": "doll", "badges": "badge"},
    **{"posters": "poster", "magnets": "magnet", "bracelets": "bracelet", "toy cars": "toy car"},
}
LOOSE = {"pieces": "piece", "quarters": "quarter", "dimes": "dime", "nickels": "nickel"}
MATERIALS = ("ribbon", "rope", "wire", "string", "tape", "yarn")
UNITS = {
    **{"miles": "mile", "minutes": "minute", "years": "year"},
    **{"feet": "foot", "inches": "inch", "yards": "yard"},
}
