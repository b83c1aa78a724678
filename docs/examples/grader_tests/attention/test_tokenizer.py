"""`Tokenizer`: texts to tokens and back, with pairs that the test brings along."""

from course_lib.authoring import StudentNotebook, expect, hidden_test

MERGES = [(97, 98), (256, 99), (99, 97), (195, 169), (32, 257), (258, 98)]
"""ab, abc, ca, é, " abc", cab"""

TEXTS = "abcabc abcab", "cabcab", "café, 3 €", ""


def encoded(text, merges=MERGES):
    tokens = list(text.encode())
    for new, pair in enumerate(merges, start=256):
        joined = []
        for token in tokens:
            if joined and (joined[-1], token) == pair:
                joined[-1] = new
            else:
                joined.append(token)
        tokens = joined
    return tokens


def decoded(tokens):
    """Takes tokens apart, the last pair first."""
    for i, pair in reversed([*enumerate(MERGES, start=256)]):
        tokens = [part for token in tokens for part in (pair if token == i else (token,))]
    return bytes(tokens).decode(errors="replace")


ENCODE_SUSPECTS = {
    "no pair is joined.": lambda text: encoded(text, []),
    "only the first pair is joined.": lambda text: encoded(text, MERGES[:1]),
    "the pairs are joined in the reverse order.":
        lambda text: [{256 + i: 261 - i for i in range(6)}.get(t, t) for t in encoded(text, MERGES[::-1])],
}  # fmt: skip


@hidden_test(1.5, "encode joins the pairs in the order of merges.")
def test_encode(student: StudentNotebook) -> None:
    for text in TEXTS:
        tokenizer = student.instance("Tokenizer", MERGES)
        expect(tokenizer.call("encode", text), encoded, text, suspects=ENCODE_SUSPECTS)


@hidden_test(1, "decode gives the text of any tokens.")
def test_decode(student: StudentNotebook) -> None:
    for tokens in (*map(encoded, TEXTS), [258, 259, 260, 261]):
        expect(student.instance("Tokenizer", MERGES).call("decode", tokens), decoded, tokens)


@hidden_test(0.5, "decode replaces invalid bytes.")
def test_invalid(student: StudentNotebook) -> None:
    for tokens in ([97, 195], [255, 256]):
        expect(student.instance("Tokenizer", MERGES).call("decode", tokens), decoded, tokens)
