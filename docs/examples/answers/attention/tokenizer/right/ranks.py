# Joins the pair of the lowest rank that is there, as GPT-2 does. Tokens are taken apart recursively.
class Tokenizer:
    def __init__(self, merges):
        self.rank = {tuple(pair): i for i, pair in enumerate(merges)}
        self.pairs = list(merges)

    def encode(self, text):
        tokens = list(text.encode("utf-8"))
        while len(tokens) > 1:
            pair = min(zip(tokens, tokens[1:]), key=lambda p: self.rank.get(p, math.inf))
            if pair not in self.rank:
                break
            tokens = merge(tokens, pair, 256 + self.rank[pair])
        return tokens

    def _bytes(self, token):
        if token < 256:
            return bytes([token])
        left, right = self.pairs[token - 256]
        return self._bytes(left) + self._bytes(right)

    def decode(self, tokens):
        return b"".join(map(self._bytes, tokens)).decode(errors="replace")
