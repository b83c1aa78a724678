# Only the first pair is joined, and invalid bytes are an error.
# fails: test_encode, test_invalid
class Tokenizer:
    def __init__(self, merges):
        self.merges = merges
        self.bytes = [bytes([i]) for i in range(256)]
        for left, right in merges:
            self.bytes.append(self.bytes[left] + self.bytes[right])

    def encode(self, text):
        tokens = list(text.encode("utf-8"))
        for i, pair in enumerate(self.merges):
            return merge(tokens, pair, 256 + i)

    def decode(self, tokens):
        return b"".join(self.bytes[token] for token in tokens).decode("utf-8")
