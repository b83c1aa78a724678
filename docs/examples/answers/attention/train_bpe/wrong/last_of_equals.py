# Of equally frequent pairs, the last one is taken; a text that is used up is an error.
# fails: test_pairs, test_short_text
def merge(tokens, pair, new):
    merged, i = [], 0
    while i < len(tokens):
        if tuple(tokens[i : i + 2]) == pair:
            merged.append(new)
            i += 2
        else:
            merged.append(tokens[i])
            i += 1
    return merged


def train_bpe(text, n_merges):
    tokens, merges = list(text.encode("utf-8")), []
    for i in range(n_merges):
        counts = {}
        for pair in zip(tokens, tokens[1:]):
            counts[pair] = counts.get(pair, 0) + 1
        pair = max(reversed(counts), key=counts.get)
        tokens = merge(tokens, pair, 256 + i)
        merges.append(pair)
    return merges
