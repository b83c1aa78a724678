# Loops without merge; decode takes tokens apart with a stack.
class Tokenizer:
    def __init__(self, merges):
        self.new = {256 + i: pair for i, pair in enumerate(merges)}

    def encode(self, text):
        tokens = [byte for byte in text.encode()]
        for new, (left, right) in self.new.items():
            i = 0
            while i + 1 < len(tokens):
                if tokens[i] == left and tokens[i + 1] == right:
                    tokens[i] = new
                    del tokens[i + 1]
                i += 1
        return tokens

    def decode(self, tokens):
        stack, found = list(tokens)[::-1], bytearray()
        while stack:
            token = stack.pop()
            if token in self.new:
                left, right = self.new[token]
                stack += [right, left]
            else:
                found.append(token)
        return str(found, "utf-8", errors="replace")
