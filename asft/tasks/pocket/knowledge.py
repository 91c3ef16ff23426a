"""What everybody knows, or nearly: words that stand for a number, by the family that uses them.

Every word here has one undisputed value. A word is met as it stands in a family's sentence, article included.
"""

from collections.abc import Mapping

Table = Mapping[str, int]


def _read(text: str) -> Table:
    """A table from lines of `value: words, words`."""
    values: dict[str, int] = {}
    for line in text.strip().splitlines():
        value, _, words = line.partition(":")
        values.update({word.strip(): int(value) for word in words.split(",")})
    return values


MULTIPLES = _read("""
    2: doubles
    3: trebles
    5: quintuples
    6: sextuples
    7: septuples
    8: octuples
    """)
COUNTS = _read("""
    6: half a dozen
    10: half a score
    13: a baker's dozen
    25: a quarter of a hundred
    40: two score
    50: half a hundred
    60: three score
    72: half a gross
    """)
PAIRS = _read("""
    4: two pairs
    6: three pairs
    8: four pairs
    10: five pairs
    12: six pairs
    14: seven pairs
    16: eight pairs
    18: nine pairs
    22: eleven pairs
    """)
PARTS = _read("""
    3: a third
    5: a fifth
    6: a sixth
    7: a seventh
    8: an eighth
    9: a ninth
    10: a tenth
    12: a twelfth
    """)
GAMES = _read("""
    4: knight in a chess set, ace in a pack of cards
    9: inning of a baseball game, square of a tic-tac-toe board
    10: pin of a bowling lane
    12: face card in a pack of cards
    13: heart in a pack of cards
    16: pawn in a chess set
    18: hole of a golf course
    26: red card in a pack of cards
    28: tile of a domino set
    32: white square of a chessboard
    64: square of a chessboard
    """)
CALENDAR = _read("""
    2: day of a weekend
    4: season of the year
    7: day of the week
    12: month of the year
    18: month of a year and a half
    24: hour of the day
    26: week of half a year
    30: day of April
    31: day of July
    52: week of the year
    60: minute of an hour
    100: year of a century
    """)
WORLD = _read("""
    4: main point of the compass
    5: human sense, ocean of the world, ring of the Olympic flag, Great Lake
    7: continent, colour of the rainbow, wonder of the ancient world
    8: planet of the Sun
    9: Muse of the Greeks
    10: toe on two feet
    12: sign of the zodiac
    13: stripe of the American flag
    26: letter of the alphabet
    50: state of America
    """)
MUSIC = _read("""
    3: valve of a trumpet
    4: string of a violin
    5: line of a staff
    6: string of a guitar
    8: note of an octave
    36: black key of a piano
    47: string of a concert harp
    52: white key of a piano
    88: key of a piano
    """)
LEGS = _read("""
    2: hen
    4: donkey
    6: ant, moth
    8: spider, scorpion
    10: crab, shrimp
    14: woodlouse
    """)
TEAMS = _read("""
    2: a beach volleyball
    4: a curling, a polo
    5: a basketball
    6: a volleyball, an ice hockey
    7: a netball, a handball, a water polo
    9: a baseball
    11: a cricket, a soccer
    13: a rugby league
    15: a rugby union
    """)
FACES = _read("""
    4: a tetrahedron
    5: a square pyramid, a triangular prism
    6: a cube
    7: a pentagonal prism, a hexagonal pyramid
    8: an octahedron, a hexagonal prism
    12: a dodecahedron
    20: an icosahedron
    """)
EDGES = _read("""
    6: a tetrahedron
    8: a square pyramid
    9: a triangular prism
    10: a pentagonal pyramid
    12: a cube, an octahedron, a hexagonal pyramid
    15: a pentagonal prism
    18: a hexagonal prism
    30: a dodecahedron, an icosahedron
    """)
POLYGONS = _read("""
    3: a triangle
    5: a pentagon
    7: a heptagon
    8: an octagon
    9: a nonagon
    10: a decagon
    11: a hendecagon
    12: a dodecagon
    15: a pentadecagon
    20: an icosagon
    """)
BIRTHS = _read("""
    2: twins
    3: triplets
    4: quadruplets
    5: quintuplets
    6: sextuplets
    7: septuplets
    8: octuplets
    """)
BANDS = _read("""
    2: duo
    3: trio
    4: quartet
    5: quintet
    6: sextet
    7: septet
    8: octet
    9: nonet
    """)
POEMS = _read("""
    2: a couplet
    3: a haiku, a tercet
    4: a quatrain
    5: a limerick, a tanka, a cinquain
    6: a sestet
    8: a triolet
    14: a sonnet
    19: a villanelle
    39: a sestina
    """)
SPORTS = _read("""
    1: a free throw in basketball
    2: a safety in football
    3: a field goal in football, a drop goal in rugby, a three-pointer in basketball
    5: a try in rugby
    6: a touchdown in football
    50: a bull's-eye in darts
    60: a treble twenty in darts
    """)
BOARDS = _read("""
    1: the red ball in snooker, a pawn in chess
    2: the yellow ball in snooker
    3: the green ball in snooker, a knight in chess
    4: the brown ball in snooker
    5: the blue ball in snooker, a rook in chess
    6: the pink ball in snooker
    7: the black ball in snooker
    9: a queen in chess
    """)
BILLS = _read("""
    5: a five-dollar bill
    10: a ten-dollar bill, two five-dollar bills
    15: three five-dollar bills
    20: a twenty-dollar bill, two ten-dollar bills, four five-dollar bills
    30: three ten-dollar bills
    40: two twenty-dollar bills
    50: a fifty-dollar bill
    """)
COINS = _read("""
    1: four quarters, ten dimes, twenty nickels
    2: eight quarters, twenty dimes, forty nickels
    3: twelve quarters, thirty dimes, six half-dollars
    4: sixteen quarters, forty dimes
    5: twenty quarters, ten half-dollars
    """)
HOURS = _read("""
    2: two to four
    3: nine to noon, half past one to half past four
    4: eight to noon, eleven to three
    5: noon to five, one to six
    6: ten to four, seven to one
    7: eight to three
    8: nine to five
    9: eight to five
    """)
MONTHS_SPAN = _read("""
    3: January to March, July to September
    4: March to June, September to December
    5: February to June, August to December
    6: January to June, May to October
    7: April to October, June to December
    8: March to October
    9: March to November
    """)
DAYS_SPAN = _read("""
    3: Monday to Wednesday, Thursday to Saturday, Friday to Sunday
    4: Monday to Thursday, Tuesday to Friday, Thursday to Sunday
    5: Monday to Friday, Tuesday to Saturday, Wednesday to Sunday
    6: Monday to Saturday, Tuesday to Sunday
    """)
PERIODS = _read("""
    2: a weekend
    5: a working week
    6: a week less a day
    7: a whole week
    8: a week and a day
    10: a week and three days
    13: two weeks less a day
    15: two weeks and a day
    21: three weeks
    """)
MONTHS = _read("""
    28: February in a common year
    29: February in a leap year
    30: April, June, September, November
    31: January, March, May, July, August, October, December
    """)
WAITS = _read("""
    5: a twelfth of an hour
    6: a tenth of an hour
    10: a sixth of an hour
    12: a fifth of an hour
    20: a third of an hour
    40: two thirds of an hour
    45: three quarters of an hour
    55: an hour less five minutes
    60: an hour
    70: an hour and ten minutes
    75: an hour and a quarter
    90: an hour and a half
    120: two hours
    """)
CLOCK = _read("""
    5: five to eight to eight
    10: noon to ten past twelve
    15: a quarter to six to six, half past one to a quarter to two
    20: ten past four to half past four
    25: five past nine to half past nine
    30: half past two to three, a quarter past three to a quarter to four
    40: twenty past six to seven
    45: a quarter past one to two
    50: ten past ten to eleven
    """)
YEARS = _read("""
    5: half a decade
    6: half a dozen years
    10: a tenth of a century
    12: a dozen years
    15: a decade and a half
    20: a score of years, two decades, a fifth of a century
    25: a quarter of a century
    30: three decades
    40: two score years
    50: half a century
    """)
MONTHS_OLD = _read("""
    1: twelve months
    2: twenty-four months
    3: thirty-six months
    4: forty-eight months
    5: sixty months, half a decade
    6: seventy-two months, half a dozen years
    10: a hundred and twenty months
    12: a dozen years
    """)
IN_FEET = _read("""
    1: twelve inches
    2: twenty-four inches
    3: a yard, thirty-six inches
    5: sixty inches
    6: two yards, a fathom
    9: three yards
    12: four yards, two fathoms
    15: five yards
    30: ten yards
    """)
IN_YARDS = _read("""
    1: three feet, thirty-six inches
    2: six feet, a fathom, seventy-two inches
    3: nine feet
    4: twelve feet, two fathoms
    5: fifteen feet
    10: thirty feet
    """)
IN_MILES = _read("""
    1: eight furlongs
    2: sixteen furlongs, four half miles
    3: a league, twenty-four furlongs, six half miles
    5: forty furlongs, ten half miles
    6: two leagues
    9: three leagues
    10: eighty furlongs
    12: four leagues
    """)
ROMAN = _read("""
    4: IV
    6: VI
    8: VIII
    9: IX
    11: XI
    12: XII
    14: XIV
    15: XV
    16: XVI
    19: XIX
    20: XX
    21: XXI
    24: XXIV
    30: XXX
    40: XL
    50: L
    """)
SPELLED = _read("""
    6: six
    7: seven
    8: eight
    9: nine
    11: eleven
    12: twelve
    13: thirteen
    14: fourteen
    15: fifteen
    16: sixteen
    17: seventeen
    18: eighteen
    19: nineteen
    21: twenty-one
    """)
LETTERS = _read("""
    4: D
    5: E
    6: F
    7: G
    8: H
    9: I
    10: J
    11: K
    12: L
    13: M
    14: N
    15: O
    16: P
    17: Q
    18: R
    19: S
    20: T
    21: U
    22: V
    23: W
    24: X
    25: Y
    """)
WHEELS = _read("""
    2: a bicycle
    3: a tricycle
    4: two bicycles
    5: a bicycle and a tricycle, five unicycles
    6: three bicycles, two tricycles
    7: two bicycles and a tricycle
    8: four bicycles
    9: three tricycles
    12: four tricycles
    14: seven bicycles
    15: five tricycles
    """)
