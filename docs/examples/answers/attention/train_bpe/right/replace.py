# Text replacement would be wrong for bytes, so merge walks with an iterator; counts are plain dictionaries.
def merge(tokens, pair, new):
    left, right = pair
    result = []
    tokens = iter(tokens)
    held = next(tokens, None)
    while held is not None:
        following = next(tokens, None)
        if held == left and following == right:
            result.append(new)
            held = next(tokens, None)
        else:
            result.append(held)
            held = following
    return result


def train_bpe(text, n_merges):
    tokens = [*bytes(text, "utf-8")]
    merges = []
    for new in range(256, 256 + n_merges):
        counts, best = {}, None
        for i in range(len(tokens) - 1):
            pair = tokens[i], tokens[i + 1]
            counts[pair] = counts.get(pair, 0) + 1
        for pair, count in counts.items():
            if best is None or count > counts[best]:
                best = pair
        if best is None:
            break
        merges.append(best)
        tokens = merge(tokens, best, new)
    return merges
