"""`merge` and `train_bpe`: pairs that overlap, that are equally frequent, and that run out."""

from collections import Counter
from itertools import pairwise

from course_lib.authoring import StudentNotebook, expect, expect_all, hidden_test

TEXTS = "low lower lowest slow slower", "abracadabra, abracadabra", "naïve café, naïveté"


def merged(tokens, pair, new):
    result = []
    for token in tokens:
        if result and (result[-1], token) == pair:
            result[-1] = new
        else:
            result.append(token)
    return result


def merged_from_the_right(tokens, pair, new):
    return merged(tokens[::-1], pair[::-1], new)[::-1]


def trained(last=False, joins=True, bytes_of=lambda text: list(text.encode())):
    """Byte-pair encoding, with its usual mistakes as options."""

    def train(text, n_merges):
        tokens, merges = bytes_of(text), []
        while len(merges) < n_merges and len(tokens) > 1:
            counts = Counter(pairwise(tokens))
            pair = max(reversed(counts) if last else counts, key=counts.get)
            if joins:
                tokens = merged(tokens, pair, 256 + len(merges))
            else:
                pair = counts.most_common(len(merges) + 1)[-1][0]
            merges.append(pair)
        return merges

    return train


SUSPECTS = {
    "of equally frequent pairs, take the one that occurs first.": trained(last=True),
    "the tokens stay as they were: join each pair before you count again.": trained(joins=False),
    "the text is read as characters: start with its bytes.": trained(bytes_of=lambda text: [*map(ord, text)]),
}


@hidden_test(1, "merge joins pairs from left to right, also those that overlap.")
def test_merge(student: StudentNotebook) -> None:
    inputs = [([1, 1, 1, 2, 1, 1], (1, 1), 256), ([5, 6, 7, 5, 6], (5, 6), 300), ([4, 3, 4], (3, 3), 256)]
    answers = [student.call("merge", *one) for one in inputs]
    expect_all(answers, merged, inputs, {"pairs that overlap are joined from the right.": merged_from_the_right})


@hidden_test(1.5, "train_bpe returns the most frequent pairs in the order in which they are joined.")
def test_pairs(student: StudentNotebook) -> None:
    inputs = [(text, 6) for text in TEXTS]
    expect_all([student.call("train_bpe", *one) for one in inputs], trained(), inputs, SUSPECTS)


@hidden_test(0.5, "train_bpe stops when there is no pair left.")
def test_short_text(student: StudentNotebook) -> None:
    expect(student.call("train_bpe", "abcab", 20), trained(), "abcab", 20, suspects=SUSPECTS)
