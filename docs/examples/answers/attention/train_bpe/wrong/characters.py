# Characters instead of bytes.
# fails: test_pairs
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
    tokens, merges = [ord(character) for character in text], []
    while len(merges) < n_merges and len(tokens) > 1:
        counts = Counter(zip(tokens, tokens[1:]))
        pair = max(counts, key=counts.get)
        tokens = merge(tokens, pair, 256 + len(merges))
        merges.append(pair)
    return merges
