# After a pair, merge does not skip its second token; train_bpe returns the counts, too.
# fails: test_merge, test_pairs, test_short_text
def merge(tokens, pair, new):
    merged = []
    for i, token in enumerate(tokens):
        if tuple(tokens[i : i + 2]) == pair:
            merged.append(new)
        else:
            merged.append(token)
    return merged


def train_bpe(text, n_merges):
    tokens = list(text.encode("utf-8"))
    return Counter(zip(tokens, tokens[1:])).most_common(n_merges)
