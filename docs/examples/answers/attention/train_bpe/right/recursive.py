# Recursion, and most_common, which keeps the order of first occurrence.
def merge(tokens, pair, new):
    result = list(tokens)
    i = 0
    while i < len(result) - 1:
        if result[i] == pair[0] and result[i + 1] == pair[1]:
            result[i : i + 2] = [new]
        i += 1
    return result


def train_bpe(text, n_merges):
    def more(tokens, merges):
        common = Counter(zip(tokens[:-1], tokens[1:])).most_common(1)
        if not common or len(merges) == n_merges:
            return merges
        pair = common[0][0]
        return more(merge(tokens, pair, 256 + len(merges)), merges + [pair])

    return more(list(text.encode()), [])
