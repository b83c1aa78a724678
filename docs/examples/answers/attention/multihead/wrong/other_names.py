# The layers have a bias and other names.
# fails: test_outputs, test_sizes
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model=12, n_heads=3):
        super().__init__()
        self.n_heads = n_heads
        self.qkv = nn.Linear(d_model, 3 * d_model)
        self.out = nn.Linear(d_model, d_model)

    def forward(self, x, mask=None):
        q, k, v = (part.unflatten(-1, (self.n_heads, -1)).transpose(1, 2) for part in self.qkv(x).chunk(3, -1))
        return self.out(attention(q, k, v, mask).transpose(1, 2).flatten(2))
