"""Word pieces of odd lines by Hugging Face's Python package, for `crates/nlp-applications/src/word_pieces.rs`.

    pip install tokenizers==0.23.3
    python3 scripts/reference/word_pieces.py

writes a vocabulary, `word_pieces.txt`, and lines with their ids, `word_pieces.jsonl`, which holds ASCII alone.

The ids are those of BERT's uncased models: control characters go, Chinese characters stand alone, accents and capitals
go, punctuation stands alone, and of each word the longest piece that is known is taken again and again.

The same ids come from a second implementation below, after the description in BERT's paper and with Python's own tables
of characters, except where the two differ in what they know of Unicode; those lines are left out.
"""

import json
import sys
import unicodedata
from pathlib import Path

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

SCRIPTS = Path(__file__).resolve().parents[1]
sys.path.append(str(SCRIPTS))
from sample_pieces import pieces, sample_words  # noqa: E402

FOLDER = SCRIPTS.parent / "crates" / "nlp-applications" / "tests" / "reference"
LONGEST_WORD = 100

LATIN = "abcdefghijklmnopqrstuvwxyz0123456789ßæøœłđħıŋþðſ"
OTHERS = "αβγδεζηθικλμνξοπρσςτυφχψωабвгдежзийклмнопрстуфхцчшщъыьэюяабגדהערبتسالمアイウエカンあいうえかん가나다ㄱㅏกขคक्ख"
CHINESE = "中国人大学生日本語文字你好世界的一是不了㐀豈𠀀"
PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~¡¿«»‘’“”–—…·§¶、。〈〉「」！？，．・"
SYMBOLS = "€£¥©®™°±×÷½²³№→∑∞♥☃★😀🏽👍"

LINES = """
The river comes down from the hills in no great hurry.
A man is walking; a woman isn't!
He said: "don't" -- and she didn't...
unaffable playing played plays player replayed
THE PRICE OF MEMORY CHIPS SLIPPED
Café CAFÉ cafe\u0301 CAFE\u0301 naïve coöperate Ångström façade jalapeño
Đorđe Łódź øre Ærø œuvre ŒUVRE Straße STRASSE ẞ ﬁnal ﬂow ﬀ ſatt
İstanbul ISTANBUL ıstanbul istanbul Iı İi i\u0307
Ελληνικά ΟΔΟΣ οδός ΣΊΣΥΦΟΣ ς σ Σ ά ᾳ ΐ
Русский ЁЖ ёж йод ЙОД Україна їжак
中国人 你好,世界 我是学生 日本語の文字 中a国b
漢字かな交じり文 カタカナ ｶﾀｶﾅ ガギグ が\u3099
한국어 가나다 ㄱㅏ 각
ภาษาไทย กขค กำ
हिन्दी क्ख कि
עברית שלום שָׁלוֹם
العربية سلام مَرْحَبًا
😀 👍🏽 👨\u200d👩\u200d👧 ☃ ♥ ★ 🇫🇷 text😀text 1️⃣
zero\u200bwidth zero\u200cnon zero\u200djoin word\u2060joiner \ufeffbom soft\u00adhyphen
bell\u0007here null\u0000here tab\there new\nline carriage\rreturn vertical\u000btab form\u000cfeed next\u0085line
non\u00a0breaking thin\u2009space ideographic\u3000space line\u2028separator paragraph\u2029separator narrow\u202fspace
left\u200eto\u200fright \u202aembedding\u202c \u2066isolate\u2069
replacement\ufffdcharacter private\ue000use
[CLS] [SEP] [PAD] [UNK] [MASK] <unk> <cls> cls ##ing ## # [ ]
a##b ##a a## [cls
1,234.56 $3.50 50% #1 @home a&b c/d e\\f ~g `h` ^i _j_ {k} |l| <m> n=o p+q
½ cup, 2² = 4, 10⁻³, № 5, 3×4÷2 ± 1°C €5 £6 ¥7 ©2021 ® ™
“curly” ‘quotes’ «guillemets» ‹single› „low‟ – en — em ― bar … dots · middle ‧ bullet •
¡hola! ¿qué tal? señor niño
、。〈〉「」『』【】！？，．：；（）［］｛｝・ー〜
hyphen-ated well-being e-mail co-op 2021-01-31 10:30
Mr. Dr. U.S.A. e.g. i.e. a.m.
http://example.com/path?query=1&b=2#frag user@example.org
ABCDEFGHIJKLMNOPQRSTUVWXYZ
àáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿ
ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞß
a\u0300\u0301\u0302b Z\u0335\u0321algo o\u0328\u0304 \u0301 \u0301a
Ṩ ẛ̣ ǆ ǅ Ǆ ŉ ΰ ﬓ ẖ
Ⅷ ⅷ ① Ⓐ ㎏ ﷺ ª º µ Ω K Å
full width ＡＢＣ ａｂｃ １２３
mixed中文and日本語with한국어words
𠀀𠀁 㐀 豈 𪜀 𫝀 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𐐀𐐨 𓀀
Tiếng Việt đẹp Đà Nẵng phở
Příliš žluťoučký kůň úpěl ďábelské ódy
Zażółć gęślą jaźń
Árvíztűrő tükörfúrógép
Žluťoučký ČĎŇŘŠŤŽ
Þórður íslenska ÞÆR
ŞŞ ğĞ çÇ ıI iİ
don\u2019t it\u2019s rock\u2019n\u2019roll o'clock 'tis
 leading and trailing spaces  
multiple    spaces\t\ttabs  mixed \t \n ends
""".strip("\n").split("\n")


def more_lines():
    """What a text of lines cannot hold, long words, and words of the samples put together."""
    yield from ["", " ", "\n", "\u0301", "\u200b", "\u3000", "!", "a", "中", "[", "##", "\u0000", "\ufffd", "."]
    yield from ["a" * 99, "a" * 100, "a" * 101, "É" * 100, "e\u0301" * 100, "é" * 101, "ab" * 60, "中" * 120, "." * 120]
    yield from ["x" + "\u0301" * 120 + "y", "İ" * 60, "ﬃ" * 40, "ß" * 101, "word\u200b" * 30, "the" * 40]
    words = sorted(sample_words())
    for start in range(0, 60):
        chosen = words[start * 17 :: 211][:9]
        yield " ".join(word.upper() if place % 4 == 0 else word.title() if place % 4 == 1 else word
                       for place, word in enumerate(chosen)) + (".", "!", "?", " ;", "...")[start % 5]


def of_the_package(vocabulary):
    ids = {piece: number for number, piece in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=LONGEST_WORD))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return lambda line: tokenizer.encode(line, add_special_tokens=False).ids


def is_chinese(character):
    ranges = [(0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F),
              (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F)]
    return any(first <= ord(character) <= last for first, last in ranges)


def is_punctuation(character):
    symbol = character.isascii() and character.isprintable() and not character.isalnum() and character != " "
    return symbol or unicodedata.category(character).startswith("P")


def by_hand(vocabulary):
    ids = {piece: number for number, piece in enumerate(vocabulary)}

    def of_word(word):
        found, start = [], 0
        while start < len(word):
            ends = range(len(word), start, -1)
            known = (ids.get(("##" if start else "") + word[start:end]) for end in ends)
            length, piece = next(((end - start, piece) for end, piece in zip(ends, known) if piece is not None), (0, 0))
            if length == 0:
                return [ids["[UNK]"]]
            found.append(piece)
            start += length
        return found

    def of_line(line):
        kept = [c for c in line if c in "\t\n\r" or c not in "\0\ufffd" and unicodedata.category(c)[0] != "C"]
        text = "".join(f" {c} " if is_chinese(c) else " " if c.isspace() else c for c in kept)
        text = "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")
        text = "".join(c.lower() for c in text)
        words = "".join(f" {c} " if is_punctuation(c) else c for c in text).split()
        return [piece for word in words
                for piece in (of_word(word) if len(word) <= LONGEST_WORD else [ids["[UNK]"]])]

    return of_line


def main():
    characters = dict.fromkeys(LATIN + OTHERS + CHINESE + PUNCTUATION + SYMBOLS)
    vocabulary = pieces([c for c in characters if unicodedata.category(c) not in ("Mn", "Mc")], 600, 150)
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "word_pieces.txt").write_text("".join(f"{piece}\n" for piece in vocabulary), "utf-8", newline="\n")
    package, second = of_the_package(vocabulary), by_hand(vocabulary)
    records, unequal = [], []
    for line in [*LINES, *more_lines()]:
        ids = package(line)
        if ids == second(line):
            records.append(json.dumps({"text": line, "ids": ids}))
        else:
            unequal.append((line, ids, second(line)))
    (FOLDER / "word_pieces.jsonl").write_text("".join(f"{record}\n" for record in records), "ascii", newline="\n")
    print(f"{len(vocabulary)} pieces, {len(records)} lines")
    for line, ids, others in unequal:
        names = [[vocabulary[number] for number in found] for found in (ids, others)]
        print(f"left out: {line!r}\n    {names[0]}\n    {names[1]}")


main()
