# Each token is decoded on its own, so characters of several bytes are lost.
# fails: test_decode
class Tokenizer:
    def __init__(self, merges):
        self.merges = merges
        self.bytes = [bytes([i]) for i in range(256)]
        for left, right in merges:
            self.bytes.append(self.bytes[left] + self.bytes[right])

    def encode(self, text):
        tokens = list(text.encode("utf-8"))
        for i, pair in enumerate(self.merges):
            tokens = merge(tokens, pair, 256 + i)
        return tokens

    def decode(self, tokens):
        return "".join(self.bytes[token].decode("utf-8", errors="replace") for token in tokens)
