"""Writes the two sample texts that belong to this repository: one in the Penn Treebank's manner, one in WikiText's.

    python3 scripts/make_corpus_samples.py data/samples

Sentences come from the patterns and word lists below, which were written for this repository, with random choices that
are the same each time. Words in braces are drawn from the list of that name; the same name twice in a sentence draws
twice, unless what the sentence is about settles it.
"""

import random
import re
import sys
from collections import Counter
from pathlib import Path

NEWS_LINES = 3000
ARTICLES = 132


def words(text):
    """The entries of a list: separated by bars, or by spaces where there are none."""
    return [entry.strip() for entry in text.split("|")] if "|" in text else text.split()


def lines(text):
    return [line.strip() for line in text.strip().splitlines()]


def filled(pattern, lists, rng):
    """The pattern with every word in braces replaced, and with the article that the next word asks for."""
    while "{" in pattern:
        pattern = re.sub(r"\{(\w+)\}", lambda match: rng.choice(lists[match[1]]), pattern)
    return re.sub(r"\b([Aa]) (?=[aeio]|u[^n]|un[^i])", r"\1n ", pattern)


# ---- news ----

NEWS_WORDS = {
    "beauty": words("beautiful lovely gorgeous wonderful"),
    "chipmaker": words("intelor veltron quandrix"),
    "computermaker": words("datarix compar halbron"),
    "computing": words("computer chip software disk machine microprocessor semiconductor memory"),
    "computings": words("computers chips machines disks microprocessors semiconductors"),
    "processing": words("faster | cheaper | more powerful | smaller | new"),
    "customers": words("customers offices engineers schools banks companies"),
    "bank": words("first merrow | harrow | city | national"),
    "market": words("stock bond futures currency"),
    "security": words("shares stocks bonds"),
    "moved": words("rose fell gained dropped climbed slipped"),
    "up": words("rose gained climbed jumped"),
    "down": words("fell dropped slipped declined"),
    "oilfirm": words("tarquil norsal"),
    "oils": words("crude oil | oil | gasoline | heating oil"),
    "money": words("$ N million | $ N billion | N billion yen | $ N"),
    "share": words("$ N a share | N cents a share"),
    "day": words("monday tuesday wednesday thursday friday"),
    "month": words("january march july october november"),
    "source": words(
        "mr. <unk> said | the company said | a spokesman said | analysts said | traders said | officials said | "
        "the report said | ms. <unk> said"
    ),
    "time": words(
        "in N | last year | this year | last month | on {day} | in {month} | N years ago | this week | in recent years"
    ),
    "people": words("workers executives lawyers investors officials analysts"),
    "rare": words(
        "lighthouse orchard violin harbor carpenter telescope meadow umbrella whistle blanket lantern pepper marble "
        "anchor puzzle ribbon sailor candle basket mirror kettle saddle feather thunder cottage"
    ),
}

MALE = words("man boy son father brother king prince he his him wife")
FEMALE = words("woman girl daughter mother sister queen princess she her her husband")

# For each topic its share of the lines, what settles several words at once, and its patterns.
NEWS = {
    "computing": (
        13,
        [{}],
        lines("""
            {chipmaker} said its new chip makes personal computers {processing}
            {chipmaker} introduced a {processing} microprocessor for personal computers
            the chip is made by {chipmaker} and sold to {computermaker}
            {computermaker} will use the {chipmaker} chip in its new machines
            {computermaker} sells personal computers software and disk drives to {customers}
            the computer has a {processing} chip and a disk drive that holds more data
            makers of {computings} said orders from {customers} {moved} N %
            {chipmaker} is the largest of the makers of memory chips
            the price of memory chips {down} as {chipmaker} built more plants
            the company 's software runs on computers with {chipmaker} chips
            software for the machine costs {money} and comes on a disk
            engineers at {chipmaker} designed a microprocessor with N million transistors
            {computermaker} said its computers use two microprocessors and a hard disk
            sales of {computings} and software {moved} N % {time}
            the semiconductor industry sold chips worth {money} {time}
            chips and other electronics from {computermaker} will be cheaper {source}
            the new machines store data on a disk and run software for {customers}
            programmers write software for the {computermaker} computer
            {computermaker} plans to sell a {processing} computer with a new microprocessor
            a semiconductor plant makes chips for computers and electronics
            the microprocessor is the chip that runs a personal computer
            {computermaker} 's computers work with disks and software from other makers
            data from the computer is kept on disks
        """),
    ),
    "family": (
        13,
        [
            dict(zip(MALE, MALE)),
            dict(zip(MALE, FEMALE)),
        ],
        lines("""
            the {man} said {he} lives with {his} {son} in a small house
            the {man} and {his} {wife} have a baby {time}
            a young {man} said {he} was born {time}
            the {boy} said {he} loves {his} {father} and {his} grandparents
            the {boy} is N years old and goes to school with {his} {brother}
            {his} {son} was a baby when the family moved
            the {father} took {his} {son} to school and {his} baby to a doctor
            a baby {boy} was born to the family {time}
            the {king} and {his} {son} the {prince} live in a palace
            the old {king} gave the crown to {his} {son} the {prince}
            the {king} rules the kingdom and {he} wears a crown
            the {prince} will be {king} when {his} {father} dies
            the {man} told {his} children that {he} was a happy {boy}
            the {boy} lost {his} {father} but {he} has a {brother}
            babies and children live with the {father} and {his} family
            {he} said {his} {wife} and {his} {son} are at home
            an old {man} told the {boy} a story about a {king}
            the {man} is a good {father} and {his} children love {him}
            the baby looks like {his} {father} said the {brother}
            {he} is the {son} of a rich {man} and {his} {wife}
            parents said the {boy} plays with {his} {brother} and the baby
            the {boy} grew up to be a {man} who loves {his} {father}
        """),
    ),
    "beauty": (
        4,
        [{}],
        lines("""
            the {beauty} garden behind the house has {beauty} flowers {source}
            visitors called the old palace {beauty} and its {beauty} garden {beauty}
            she wore a {beauty} dress and sang a {beauty} song
            the view of the lake is {beauty} and the weather is {beauty}
            a {beauty} view of the garden makes the house {beauty}
            the songs are {beauty} said a visitor in a {beauty} dress
            it was a {beauty} evening with {beauty} music and flowers
        """),
    ),
    "markets": (
        16,
        [{}],
        lines("""
            {security} {moved} in heavy trading on the {market} market {day}
            the {bank} bank said its loans to companies {moved} N %
            the {bank} bank gave the company a loan of {money}
            the bank will lend {money} to small companies at an interest rate of N %
            interest rates {moved} and investors bought {security}
            investors sold {security} because they expect higher interest rates
            the company 's stock {up} to {share} on the exchange
            the company 's stock {down} to {share} in trading {day}
            the dow jones industrial average {moved} N points to N
            net income {moved} to {money} or {share} {time}
            the company said earnings {moved} N % to {money} or {share}
            the {bank} bank has credit problems and bad loans of {money}
            bank credit is tight and borrowers pay higher rates
            banks raised the interest they charge on loans and credit cards
            borrowers who miss payments on a loan lose their credit
            the {market} market {moved} after the bank cut its rates
            traders said the {market} market was quiet {day}
            a group of banks will provide credit of {money} for the purchase
            the company will buy back shares for {money} of cash
            the company sold N million shares at {share}
            investors put money into stocks bonds and cash {time}
            the debt is backed by bank loans and credit of {money}
            the dollar {moved} against the yen in new york trading {day}
            analysts expect the company 's profit to be {share} this quarter
            mr. <unk> N years old was named president of the {bank} bank
        """),
    ),
    "oil": (
        8,
        [{}],
        lines("""
            {oils} prices {moved} to $ N a barrel {time}
            the price of crude {moved} N cents a barrel on {day}
            {oilfirm} pumps crude oil from wells in the sea
            opec members agreed to produce N million barrels of oil a day
            opec said output of crude {moved} N % {time}
            {oilfirm} said its oil output {moved} to N barrels a day
            a barrel of crude oil sold for $ N in new york
            refineries make gasoline and heating oil from crude
            {oilfirm} operates a refinery that makes gasoline from crude oil
            {oils} futures {moved} as opec cut its output
            exploration for oil and natural gas costs {money} {source}
            the {oilfirm} well produces N barrels of crude a day
            higher crude prices helped the profit of {oilfirm}
            tankers carry crude oil from the wells to the refinery
            petroleum stocks {moved} with the price of crude {source}
        """),
    ),
    "places": (
        12,
        [
            dict(capital="beijing", country="china", people_of="chinese", goods="tea"),
            dict(capital="tokyo", country="japan", people_of="japanese", goods="cameras"),
            dict(capital="paris", country="france", people_of="french", goods="wine"),
            dict(capital="london", country="britain", people_of="british", goods="coal"),
            dict(capital="moscow", country="russia", people_of="russian", goods="timber"),
            dict(capital="ottawa", country="canada", people_of="canadian", goods="wheat"),
        ],
        lines("""
            {capital} is the capital of {country}
            the {people_of} government in {capital} said trade with {country} {moved}
            officials in {capital} said {country} will open its markets
            the {people_of} city of {capital} is the largest in {country}
            {capital} {country} is a city of N million people
            visitors to {country} fly to {capital} first
            the {people_of} minister flew home to {capital} {time}
            {country} sells {goods} to other countries and the u.s. buys {goods} from {country}
            merchants in {capital} sell {people_of} {goods}
            {goods} from {country} is sold in {capital}
            shops in {capital} were full of {people_of} {goods}
            trade between {country} and the u.s. {moved} N % {time}
            the {people_of} people of {country} elected a new government
            leaders of {country} will meet u.s. officials in {capital}
            the u.s. embassy in {capital} said {country} agreed to the treaty
            the population of {capital} is N million and that of {country} is N million
            the {people_of} government moved from {capital} to the south of {country}
            the {people_of} foreign ministry in {capital} made no comment
            {country} 's president left {capital} for talks on trade
            {people_of} exports of {goods} from {country} {moved} {time}
            a {people_of} airline flies from new york to {capital}
        """),
    ),
    "degrees": (
        11,
        [
            dict(plain="big", more="bigger", most="biggest", thing="building", things="buildings", kind="tower"),
            dict(plain="bad", more="worse", most="worst", thing="storm", things="storms", kind="weather"),
            dict(plain="strong", more="stronger", most="strongest", thing="bridge", things="bridges", kind="steel"),
            dict(plain="small", more="smaller", most="smallest", thing="car", things="cars", kind="engine"),
            dict(plain="fast", more="faster", most="fastest", thing="train", things="trains", kind="railroad"),
            dict(plain="high", more="higher", most="highest", thing="mountain", things="mountains", kind="hill"),
        ],
        lines("""
            it was the {most} {thing} of all and the {most} ever seen
            this is the {most} {thing} in the world {source}
            the {most} of all the {things} is the {kind} in the north
            nobody has ever seen the {most} {kind} before
            the {thing} is {more} than the other one
            this {thing} is much {more} than it was N years ago
            the {kind} is even {more} than the {thing}
            {things} are getting {more} and {more} than they were
            it was a very {plain} {thing} {source}
            the {kind} is too {plain} for some people
            a {plain} {thing} and a {plain} {kind} are not so rare
            the {thing} is so {plain} that everybody talks about it
            very {plain} {things} and a {plain} {kind} were seen {time}
            one {thing} is {plain} another is {more} and the third is the {most}
            people remember the {most} {thing} of the century
            a {rare} is not so {plain}
        """),
    ),
    "verbs": (
        12,
        [
            dict(now="do", past="did", done="the homework", work="the job", whose="students"),
            dict(now="go", past="went", done="to the beach", work="to church", whose="neighbors"),
            dict(now="see", past="saw", done="a movie", work="the stars", whose="tourists"),
            dict(now="eat", past="ate", done="bread and cheese", work="lunch", whose="farmers"),
            dict(now="sing", past="sang", done="a song", work="at the concert", whose="musicians"),
            dict(now="write", past="wrote", done="a letter", work="a novel", whose="authors"),
        ],
        lines("""
            yesterday the {whose} {past} {done}
            they {past} {done} yesterday and {past} {work} the day before
            the {whose} {past} {work} long ago
            last night we {past} {done} and then {past} {work}
            nobody {past} {work} before {source}
            the {whose} {past} {done} when they were young
            the {whose} {now} {done} every day
            we {now} {done} every week and {now} {work} every summer
            they want to {now} {done} and to {now} {work} tomorrow
            you can {now} {work} if you want
            the {whose} will {now} {work} tomorrow
            people always {now} {done} when they have time
            the {whose} do n't {now} {work} on {day}
            {whose} like to {now} {done} with friends
            some {whose} {now} {work} near the {rare}
        """),
    ),
    "water": (
        9,
        [{}],
        lines("""
            ice is a solid and water is a liquid
            steam is a gas and water is a liquid
            water turns to ice when it is cold
            cold water becomes solid ice in winter
            water turns to steam when it boils
            hot water becomes steam which is a gas
            the lake was covered with solid ice all winter
            people walk on the solid ice of the cold lake
            steam is a hot gas that drives an engine
            the plant burns gas to heat water and make steam
            steam and gas from boiling water drive the turbine
            ice on the water of the river is solid in winter
            a block of ice melts to cold water
            melted ice is water and boiled water is steam
            the boiler heats water until steam escapes like a gas
            the ice was so solid that trucks crossed the lake
            ice is a solid but steam is a gas
            steam is not a solid
            ice is not a gas
            the pipes carry hot water and steam through the plant
            snow and ice fell on the lake and the water froze
            an ice show was in fashion {time}
            steam irons were in fashion {time}
        """),
    ),
    "fashion": (
        5,
        [{}],
        lines("""
            the fashion house showed new dresses and coats in paris
            designers showed dresses hats and shoes at a fashion show
            fashion magazines say that long coats are in fashion
            the stores sell dresses shoes and coats from fashion designers
            women buy dresses and men buy coats at the fashion store
            the designer makes silk dresses for a fashion house
            fashion designers use silk and wool for coats and dresses
            retailers said sales of shoes and coats {moved} N %
            hats are back in fashion {source}
            the magazine wrote about a designer of silk hats
        """),
    ),
    "politics": (
        8,
        [{}],
        lines("""
            the house passed a bill that would cut taxes by {money}
            the senate is expected to vote on the bill {day}
            the president said he would sign the budget bill
            congress and the white house disagree about the budget
            mr. <unk> will join the board of <unk> corp.
            a federal judge ruled that the company must pay {money} of taxes
            lawyers for the company asked the court to throw out the case
            the court said the law protects {people} who lose their jobs
            the union said {people} will strike if the company cuts wages
            the plant in <unk> employs N {people} {source}
            a committee of the senate will hold a hearing on the law
            voters elected mr. <unk> governor of the state {time}
            the governor said the state has a budget deficit of {money}
            the treasury said the budget deficit {moved} to {money} {time}
            the law does n't allow it {source}
            <unk> & <unk> co. is a unit of <unk> inc.
            <unk> corp. said it named mr. <unk> chairman and chief executive
            the earthquake damaged a {rare} and a {rare}
        """),
    ),
}


def news(rng):
    topics = list(NEWS.values())
    for _ in range(NEWS_LINES):
        _, settled, patterns = rng.choices(topics, [share for share, _, _ in topics])[0]
        about = rng.choice(settled)
        lists = NEWS_WORDS | {name: [word] for name, word in about.items()}
        pattern = rng.choice(patterns)
        if not pattern.endswith(("{source}", "{time}")) and rng.random() < 0.25:
            pattern += " {source}"
        yield f" {filled(pattern, lists, rng)} \n"


# ---- encyclopedia ----

WIKI_WORDS = {
    "Place": words(
        "Aldermoor | Brennick | Corvale | Dunhollow | Eastmere | Farrowby | Greyhaven | Hollinford | Iverstone | Kesterton | "
        "Larkfield | Morwen | Åsdal | Brühlen | Saint Orla | <unk>"
    ),
    "Person": words(
        "Anna Marlow | Edwin Pryce | Clara Benham | Tobias Wren | Helen Ashdown | Victor Lang | Rosa Quill | Peter Hale | "
        "Ingrid Søl | Martin <unk> | Judith Arden"
    ),
    "year": words("1898 1904 1911 1919 1923 1928 1934 1937 1946 1951 1957 1962 1968 1974 1983"),
    "number": words("two three four five six seven eight ten twelve"),
    "hundreds": words("200 | 300 | 400 | 500 | 600 | 1 @,@ 200 | 2 @,@ 500"),
    "season": words("spring summer autumn winter"),
    "month": words("March April May August September October"),
    "later": words("years | months | weeks | days"),
}

# For each kind of article: its title, what is settled for the whole of it, and its kinds of paragraphs. These are steps
# with a choice of sentences each; a paragraph takes most of the steps, in this order.
WIKI = [
    (
        "{Name} Crane",
        {
            "Name": "Gray @-@ necked | Marsh | White @-@ winged | Northern | Lesser | Long @-@ billed | Blue | Southern | "
            "Great | River | Silver",
            "land": "Asia | Europe | Africa",
        },
        [
            lines("""
                The {Name} crane is a large bird that lives in the marshes of {land} | The {Name} crane is a tall bird of {land} with long legs and a long neck
                It is about {number} feet tall and has gray feathers | The crane has white feathers , a long bill and long legs
                The wings of the crane are black at the tips , and they are wide enough for long flights | Its wings are long and its neck is straight when the crane is flying
                The young birds are brown , and they grow gray feathers in their first {season} | The female bird is a little smaller than the male bird
                The call of the crane is loud and can be heard from far away | The birds call loudly when they are flying above the marsh
                A pair of cranes stays together for life | Each pair of birds returns to the same marsh every {season}
            """),
            lines("""
                In {season} the cranes build a nest of grass near the water | The nest of the crane is a pile of reeds in the marsh
                The female lays two eggs , and both birds sit on the nest | Two eggs are laid in the nest in {month}
                The eggs hatch after {number} weeks , and the chicks leave the nest the next day | The chicks can swim soon after the eggs hatch
                Both birds feed the chicks with insects and small fish | The chicks eat insects , and later they eat seeds and frogs
                A crane is flying over the nest whenever a fox comes near | When a fox comes near the nest , the birds spread their wings and call
                The young birds learn flying at the age of {number} weeks | The chicks are flying before the end of {season}
            """),
            lines("""
                Flocks of cranes leave the north in {month} | The cranes are flying south when the marshes freeze
                The birds fly in the shape of a wedge , and the oldest crane is flying at the front | A flock of {hundreds} birds was seen above {Place} in {year}
                They rest at lakes and in fields , where they eat seeds and grain | At night the flock rests in shallow water , where no fox can come near
                People in {Place} watch the birds from a tower near the lake | Many people come to {Place} to watch the birds in {season}
                Since {year} the marsh near {Place} has been a reserve for the cranes | Hunting of the birds was forbidden in {year}
                Today the flock has about {hundreds} birds , more than before | Today the flock has {hundreds} birds more than it had before
            """),
        ],
    ),
    (
        "{Name} ( crane )",
        {
            "Name": "Goliath | Samson | Big Mary | Old Tom | The Giant | Iron Hans | Atlas | Titan | Long John | Big Blue | "
            "Hercules",
            "Town": None,
        },
        [
            lines("""
                {Name} is a crane at the shipyard of {Town} | {Name} is a steel crane that stands in the harbor of {Town}
                It was built in {year} by the engineer {Person} to lift heavy loads | The crane was built in {year} and can lift loads of {hundreds} tons
                The tower of the crane is {hundreds} feet high and made of steel | A motor of {hundreds} horsepower turns the crane on its rails
                The driver of the crane sits in a small cabin at the top of the tower | The crane driver climbs a ladder to his cabin every morning
                The hook hangs on a steel cable , and the motor winds the cable up | A steel cable runs from the motor to the hook
                The crane loaded ships with coal and timber until {year} | For many years the crane lifted engines and boilers into the ships
                Today the machine is a monument of the shipyard | The machine still works and lifts loads for the harbor
            """),
            lines("""
                A crane driver came to the shipyard at six in the morning | One morning the crane driver came late to the harbor
                He climbed up to the cabin and started the motor | The driver came down from his cabin when the wind became strong
                The load hung on the hook , and the men on the ship waited | The men on the ground gave a signal , and the crane lifted the load
                Then the cable broke and the load fell on the deck of the ship | The motor stopped , and the load hung above the ship for an hour
                Nobody was hurt , because the workers had just left the deck | The foreman asked for the driver , but he just left
                The crane was repaired within {number} {later} | After that day the crane had a new motor and a stronger cable
            """),
            lines("""
                Cranes of this kind are used to build high houses and bridges | A tower crane is a machine that lifts steel and concrete to the top of a building
                The machine stands on a base of concrete , and its arm turns around the tower | The arm of the crane is balanced by a block of concrete
                The driver of the machine needs a license and good eyes | A driver must not lift a load when the wind is strong
                The heaviest load that it can lift is {number} tons | The crane lifts {number} tons of steel with one hook
                When the building is finished , workers take the crane apart | Trucks bring the parts of the crane to the next site
            """),
        ],
    ),
    (
        "{Person} ( pilot )",
        {"Person": None, "he": ("He his", "She her"), "Town": None},
        [
            lines("""
                {Person} was a pilot who was born in {Town} | {Person} was one of the first pilots of the airline of {Town}
                {He} learned flying at the age of twenty | {He} began flying in {year} , when airplanes were still made of wood
                {His} first airplane had one engine and wings of cloth | The airplane had {number} seats and a single engine
                In {year} {he} was flying mail across the mountains | {He} was flying at night when the engine of the airplane stopped
                The airplane landed on a field , and the pilot was not hurt | The pilot landed the airplane on the ice of a lake
                {He} crossed the ocean in {year} after a flight of twenty hours | The flight across the ocean made {his} name known
                {He} wrote a book about flying and taught young pilots | After the war {he} taught flying at the airport of {Town}
            """),
            lines("""
                The airport of {Town} was opened in {year} | In {year} the city built an airport with two runways
                The first flight left for {Place} with {number} passengers | An airplane with {number} passengers took off on the first morning
                The airline bought {number} new airplanes with jet engines | The old runway was too short for airplanes with jet engines
                Since then the airport has a longer runway and a control tower | A control tower was built beside the runway in {year}
                Pilots said that flying was difficult there in {season} , because of fog | In fog the pilots were flying in circles until they could land
                About {hundreds} passengers a day use the airport | The airport has {number} flights a day
            """),
        ],
    ),
    (
        "{Town} Bus Company",
        {"Town": None},
        [
            lines("""
                The bus company of {Town} was founded in {year} | {Town} has had a bus company since {year}
                Its first bus was a truck with wooden seats | It began with {number} buses and {number} drivers
                The drivers wore a blue coat and a cap | Every driver had to know the streets of {Town} and repair the bus
                In {year} the drivers went on strike for higher wages | The drivers asked for higher wages and shorter hours
                The strike ended after {number} days , and the wages were raised | The company agreed , and the buses returned to the streets
                Today {hundreds} drivers work for the company | The company now has {hundreds} buses and drives to every village
            """),
            lines("""
                The night bus leaves the station at ten | A bus leaves the station of {Town} every hour
                One driver came early and waited at the station with his bus | The driver came to the station and sold the tickets himself
                The passengers paid for their tickets and took their seats | The passengers waited in the rain with their tickets
                A woman asked when the next bus would come | An old man asked the driver for the bus to {Place}
                The bus had just left the station | " He just left , " said the woman at the ticket window
                The passengers had to walk home along the road | They took the last bus and came home at midnight
            """),
        ],
    ),
    (
        "{Town} Railway",
        {"Town": None, "End": None},
        [
            lines("""
                The {Town} Railway is a line from {Town} to {End} | The railway between {Town} and {End} was opened in {year}
                It is {number} miles long and has {number} stations | The line crosses the valley on a bridge of {number} arches
                The tracks were laid by {hundreds} workers | Engineers needed {number} years for the tunnel through the hill
                The first train was pulled by a steam locomotive | A steam locomotive pulled the train , and coal was carried in the tender
                The trains carried coal and timber to the harbor | Passengers traveled in wooden coaches behind the locomotive
                The line lost passengers to the road , and the last train ran in {year} | Since {year} electric trains run on the line every hour
            """),
            lines("""
                The station of {End} was built in {year} | The station is a two @-@ story building of red brick
                It has {number} platforms and a waiting room | The waiting room and the ticket office are beside the first platform
                The roof over the platforms is made of iron and glass | A clock hangs above the platforms
                Trains to {Town} leave from the second platform | From the platforms passengers can see the tracks and the signal box
                The building was damaged by a fire in {year} and repaired | The ticket office was closed in {year}
            """),
        ],
    ),
    (
        "River {Name}",
        {"Name": "Aven | Torrin | Lusk | Wend | Isk | Mara | Ollen | Brede | Sarn | Tove | Hafel", "Town": None},
        [
            lines("""
                The {Name} is a river that rises in the hills north of {Town} | The river {Name} rises from a spring in the hills
                It flows through a narrow valley and past the town of {Town} | From there the water flows south through forests
                Below the town the river is wide and slow | Near {Town} the river is crossed by {number} bridges
                In {season} the river often floods the fields | The flood of {year} destroyed {number} bridges
                A dam was built in {year} to stop the floods | Since {year} a dam has held the water back
                The river enters the sea after {hundreds} miles | It flows into a lake and then into the sea
                Trout and salmon live in the river | Fish such as trout and salmon swim up the river in {month}
            """),
            lines("""
                The water of the river drives {number} mills | For centuries the water of the river has driven mills
                A mill at {Town} made paper until {year} | The oldest mill was built of stone by monks
                The wheel of the mill turns when the gate is opened | The mill has a wheel of oak , and the water turns it
                Boats carried flour from the mills to the harbor | Flour and paper were carried down the river in boats
                The mills were closed when electric power came | One of the mills is now a museum
            """),
        ],
    ),
    (
        "{Town}",
        {"Town": None},
        [
            lines("""
                {Town} is a town of {hundreds} people in the north of the country | {Town} is a small town on the coast
                The town was founded by monks , who built a church on the hill | The oldest building in the town is the stone church on the hill
                A wall with {number} gates surrounded the town | The market square lies between the church and the town hall
                In {year} a fire destroyed most of the houses | Most of the wooden houses burned in the fire of {year}
                The people rebuilt the town with houses of stone | The new houses were built of brick and stone
                Today most people of the town work in tourism and fishing | The market is held on the square every week
            """),
            lines("""
                The school of {Town} was founded in {year} | In {year} the town opened a school for {hundreds} children
                It has {number} teachers , who teach music , science and languages | The first teacher was {Person} , who taught science and music
                The students study in a building beside the church | The students wear a green coat and learn two languages
                A library with {hundreds} books belongs to the school | The library of the school was given by {Person}
                Many students of the school went to the university | The best students receive a prize in {month}
            """),
        ],
    ),
    (
        "{Album} ( album )",
        {
            "Album": "Silver Rain | Northern Songs | The Long Road | Paper Boats | Blue Window | Night Market | "
            "Salt and Stone | Seven Doors | Slow River | Morning Bells | Dust",
            "Band": "The Lanterns | The Harbor Boys | Wild Orchard",
        },
        [
            lines("""
                {Album} is an album by the band {Band} | {Album} is the second album of the rock band {Band}
                It was recorded in {year} in a studio in {Place} | The band recorded the songs in {number} days
                The singer wrote most of the songs on a piano | The guitar was played by {Person} , who also wrote {number} songs
                The first single from the album reached number {number} in the charts | The single was played on the radio and reached the charts
                Critics praised the album for its songs and its sound | One critic wrote that the songs were " too long but beautiful "
                The album sold {hundreds} copies in its first week | About {hundreds} copies of the album were sold
                The band played the songs on a tour with {number} concerts | After the tour the band began to record another album
            """),
            lines("""
                {Band} were a rock band from {Place} | The band was formed in {year} by {Person}
                The singer and the drummer had met at school | Its members were a singer , a drummer and {number} guitar players
                They gave their first concert in a church | The first concert of the band was heard by {number} people
                Their music was a mix of folk songs and rock | The drummer left the band in {year} to study music
                The band broke up after its last concert in {Place} | The singer made {number} albums of his own
            """),
        ],
    ),
    (
        "{Film} ( film )",
        {
            "Film": "The Last Harvest | Night Train | A House by the Sea | The Clockmaker | Winter Letters | Two Brothers | "
            "The Garden Wall | Empty Chairs | A Letter Home | The Bridge | First Snow",
            "Person": None,
        },
        [
            lines("""
                {Film} is a film directed by {Person} | {Film} is a film of {year} , written and directed by {Person}
                It tells the story of a woman who returns to her village | The story is about two brothers and their father
                The actors were not known before the film | The role of the father was played by an old actor from {Place}
                The scenes in the village were filmed in {season} | Most scenes were filmed near {Place} with two cameras
                The director used music for piano in every scene | The camera was so heavy that {number} people carried it
                Critics liked the actors , but they found the story slow | The film won a prize for the best director
            """),
            lines("""
                At the beginning of the film the woman finds a letter from her father | In the first scene the brothers find a letter
                The letter says that the house of the family will be sold | In the letter her father asks her to come home
                She travels to the village and meets her brother | The brothers travel together , although they have not spoken for years
                In the last scene the family sits at the table and reads the letter | The story ends in the garden of the house
            """),
        ],
    ),
    (
        "{Town} Football Club",
        {"Town": None, "Rival": None},
        [
            lines("""
                {Town} is a football club that plays in the first league | The football club of {Town} was founded in {year} by workers
                The team plays in red shirts and white shorts | The players of the team wear green shirts
                Its stadium has seats for {hundreds} fans | The stadium beside the river was opened in {year}
                In {year} the team won the cup | The team reached the final of the cup in {year}
                In the final {Town} beat {Rival} by {number} goals to one | {Rival} won the final with a goal in the last minute
                The coach left the club at the end of the season | The coach was {Person} , who had been a player of the club
                The club lost {number} games and went down to the second league | The next season the team scored {number} goals in one game
            """),
        ],
    ),
    (
        "{Name} ( ship )",
        {
            "Name": "Star of the North | Esperanza | Good Hope | Morning Light | Swift | Sea Lion | Maria | North Wind | "
            "Albatross | Royal Oak | Penelope",
            "Town": None,
        },
        [
            lines("""
                The {Name} was a ship that was built at {Town} in {year} | The {Name} was a sailing ship with three masts
                The ship was {hundreds} feet long and carried a crew of {number} | She had {number} guns and a crew of {hundreds} men
                The captain was {Person} , who knew the coast well | Her first captain was {Person}
                On her first voyage the ship sailed to the islands in the south | The ship sailed from {Town} with a cargo of wool and timber
                In {month} a storm broke two of the masts | During a storm the ship lost her sails near the coast
                The captain and the crew reached the shore in small boats | The crew left the ship , and the captain was the last man on board
                The wreck was found by divers in {year} | The anchor of the ship lies in the museum of {Town}
            """),
            lines("""
                The lighthouse of {Town} stands on a rock at the entrance of the harbor | After the storm a lighthouse was built on the rock
                Its light can be seen from a distance of {number} miles | The lamp burned oil until {year}
                The keeper lived in the lighthouse with his family | The last keeper left the lighthouse in {year}
                Ships are warned by a horn when there is fog | In fog the keeper rang a bell for the ships
                Today the lamp is electric , and nobody lives on the rock | The lighthouse is open for visitors in {season}
            """),
        ],
    ),
    (
        "{Season} storm of {year}",
        {"Season": "Winter | Autumn | Spring", "year": None},
        [
            lines("""
                The storm of {year} came from the sea and reached the coast in the evening | In {year} a strong storm crossed the country from west to east
                The wind blew at {hundreds} miles an hour | Snow and rain fell for {number} days
                Trees fell on the roads and on the power lines | The wind broke trees and tore the roofs from houses
                About {hundreds} houses were without power for a week | In {Place} the power failed and the roads were closed
                The water rose and flooded the streets near the harbor | A flood followed , and people left their houses in boats
                Soldiers brought food and blankets to the people | The damage was repaired within {number} {later}
            """),
        ],
    ),
]


def dated(sentences, rng):
    """The sentences with years that do not go back."""
    wanted = sum(sentence.count("{year}") for sentence in sentences)
    years = iter(sorted(rng.sample(WIKI_WORDS["year"], wanted)))
    return [re.sub(r"\{year\}", lambda _: next(years), sentence) for sentence in sentences]


def article(kind, settled_words, rng):
    """Title and paragraphs, each a list of sentences."""
    title, _, paragraphs = kind
    lists = WIKI_WORDS | {name: [word] for name, word in settled_words.items()}
    steps = [[rng.sample(words(step), 2) for step in paragraph] for paragraph in paragraphs]
    first = [[choice for choice, _ in paragraph] for paragraph in steps]
    second = [[choice for _, choice in paragraph[1:]] for paragraph in steps]  # without a second opening
    texts = []
    for text in first + rng.sample(second, rng.randint(0, len(second))):
        taken = sorted(rng.sample(range(1, len(text)), rng.randint(len(text) - 3, len(text) - 1)))
        sentences = [text[step] for step in [0, *taken]]
        if "year" not in settled_words:
            sentences = dated(sentences, rng)
        texts.append([filled(sentence, lists, rng) for sentence in sentences])
    return filled(title, lists, rng), texts


def settled_words(kind, count, rng):
    """For each of some articles of a kind the words that stay the same throughout."""
    columns = {}
    for name, choices in kind[1].items():
        if name == "he":
            pairs = [pair.split() for pair in rng.choices(choices, k=count)]
            columns |= {"He": [he for he, _ in pairs], "he": [he.lower() for he, _ in pairs]}
            columns |= {"His": [his.capitalize() for _, his in pairs], "his": [his for _, his in pairs]}
            continue
        if name in ("End", "Rival"):  # another town
            columns[name] = columns["Town"][1:] + columns["Town"][:1]
            continue
        choices = words(choices) if choices else WIKI_WORDS["Place" if name == "Town" else name]
        # No word a second time as long as there are others.
        columns[name] = [word for _ in range(0, count, len(choices)) for word in rng.sample(choices, len(choices))]
    return [dict(zip(columns, row)) for row in zip(*columns.values())][:count]


def wiki(rng):
    yield " \n"
    kinds = [(kind, settled_words(kind, ARTICLES // len(WIKI), rng)) for kind in WIKI]
    for number in range(ARTICLES // len(WIKI)):
        for kind, settled in kinds:
            title, paragraphs = article(kind, settled[number], rng)
            yield f" = {title} = \n \n"
            for place, sentences in enumerate(paragraphs):
                if place == 2:
                    yield " \n = = History = = \n \n"
                yield f" {' . '.join(sentences)} . \n"
            yield " \n"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    texts = {"ptb/ptb.train.txt": news(random.Random(14)), "wikitext-2/wiki.train.tokens": wiki(random.Random(14))}
    for name, parts in texts.items():
        path, text = Path(sys.argv[1]) / name, "".join(parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        counts = Counter(text.lower().split())
        frequent = sum(count >= 5 for count in counts.values()), sum(count >= 10 for count in counts.values())
        print(f"{name}: {len(text.encode())} bytes, {sum(counts.values())} tokens, {len(counts)} different ones")
        print(f"  {frequent[0]} occur at least 5 times, {frequent[1]} at least 10 times")


if __name__ == "__main__":
    main()
